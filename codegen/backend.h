// One target's side of code generation: what the planner and the artifact writer ask of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "codegen/codegen.h"
#include "codegen/kernel_plan.h"
#include "ir/graph.h"
#include "ir/target_traits.h"

namespace intaglio {

/// Compiled kernels as the artifact holds them.
struct GeneratedCode {
  std::string bytes;
  /// Where each kernel's image lies in `bytes`, in the order of the kernels; empty where all are one library.
  std::vector<std::uint64_t> offsets;
};

class Backend {
 public:
  virtual ~Backend() = default;
  /// The folder of the variant in the artifact: "cpu-x86-64-v3", "cuda-sm_90a".
  virtual std::string variant() const = 0;
  /// What the loader must know to choose the variant: "target" and whatever the target needs.
  virtual nlohmann::ordered_json requirements() const = 0;
  virtual std::string code_name() const = 0;
  virtual TargetTraits traits() const { return {}; }

  virtual KernelChoice plan_kernel(const Node& kernel_node) const = 0;
  /// The constant operand `packed_operand` as the kernel wants it.
  virtual Tensor pack_weights(const Node& kernel_node) const = 0;
  virtual GeneratedCode generate(const std::vector<KernelPlan>& kernels) const = 0;
  /// "llvm", "asm", "cuda", "ptx": the kernels at that stage. CompileError (usage) if the target has no such stage.
  virtual std::string emit(const std::vector<KernelPlan>& kernels, std::string_view stage) const = 0;
};

/// The back ends that `options` name, in that order.
std::vector<std::unique_ptr<Backend>> make_backends(const CodegenOptions& options);

/// A graph whose types, layouts and kernels are those of one target.
struct LoweredGraph {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Graph> graph;
};

/// `graph`, on which no pass is left to run, for each back end that `options` name.
std::vector<LoweredGraph> for_each_backend(const Graph& graph, const CodegenOptions& options);

}  // namespace intaglio
