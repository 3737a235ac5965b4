// The memory and step plan of a graph: which buffers there are, where they live and how long, which kernel runs when.
#pragma once

#include <string>
#include <vector>

#include "codegen/backend.h"
#include "codegen/weight_store.h"
#include "ir/graph.h"

namespace intaglio {

struct PlannedBuffer {
  enum class Place { arena, weights, input, output };
  Place place = Place::arena;
  Dim bytes;
  std::int64_t offset = -1;      ///< weights: in weights.bin; arena: when it is laid out here
  std::uint32_t port = 0;        ///< input, output
  std::uint32_t first_step = 0;  ///< arena
  std::uint32_t last_step = 0;
};

/// One of the kernels that can compute a step.
struct PlannedKernel {
  int kernel = -1;
  Dim tasks = 1;
  Dim scratch_bytes = 0;
  std::int64_t up_to = kAnySize;  ///< the largest size for which it is taken
};

struct PlannedStep {
  std::vector<PlannedKernel> kernels;  ///< in ascending order of their limits; none: copy from the first buffer to the second
  Dim size = 0;                        ///< what chooses among the kernels
  std::vector<std::uint32_t> buffers;
  int workspace = -1;  ///< the buffer that a library may use meanwhile
  Dim nanoseconds = 0;  ///< estimated on one thread
  Dim flops = 0;
  Dim bytes = 0;
  std::string kind;
  std::string multiplies;
  bool has_library = false;  ///< a library may compute it
  std::string shape;
  Origins origins;

  /// The kernel for shapes of this size; there is one.
  const PlannedKernel& kernel_for(std::int64_t at_size) const;
};

struct Plan {
  std::vector<std::string> symbols;
  std::vector<PlannedBuffer> buffers;
  std::vector<KernelPlan> kernels;  ///< each once, however many steps run it
  std::vector<PlannedStep> steps;
  std::vector<std::uint32_t> input_buffers, output_buffers;
  std::int64_t arena_bytes = -1;         ///< of a static arena
};

/// Plans the kernels and views of `graph`. Views share the buffer of what they show; constants go to `weights`.
Plan make_plan(const Graph& graph, const Backend& backend, WeightStore& weights);

/// The plan as a verified-before-use FlatBuffer (include/intaglio/plan.fbs).
std::string serialize_plan(const Graph& graph, const Plan& plan, const GeneratedCode& code);
/// layers.json: one entry a step, with the ONNX nodes that it computes.
std::string layers_json(const Plan& plan);

}  // namespace intaglio
