// Walks the top level of a graph once, in order.

#include "codegen/plan.h"

#include <algorithm>

#include "codegen/schedule/contraction.h"
#include "codegen/schedule/pull.h"
#include "intaglio/artifact.h"
#include "ir/view.h"
#include "support/arena_layout.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

/// Rough speed of one thread, to tell steps that are worth waking others for.
constexpr std::int64_t kFlopsPerNanosecond = 50;
constexpr std::int64_t kBytesPerNanosecond = 8;

Dim bytes_of(const Dim& elements, DType dtype) { return Dim::ceildiv(elements * dtype_bits(dtype), 8); }
Dim bytes_of(const Type& type) { return bytes_of(element_count(type.shape), type.dtype); }

class Planner {
 public:
  Planner(const Graph& graph, const Backend& backend, WeightStore& weights) : graph_(graph), backend_(backend), weights_(weights) {}

  Plan make() {
    plan_.symbols = graph_.symbols();
    for (const auto& argument : graph_.arguments()) {
      const auto port = static_cast<std::uint32_t>(plan_.input_buffers.size());
      plan_.input_buffers.push_back(add_buffer({PlannedBuffer::Place::input, bytes_of(argument->type), -1, port}));
      buffer_of_[argument.get()] = plan_.input_buffers.back();
    }
    for (const Node* node : graph_.nodes()) add_node(*node);
    add_outputs();
    lay_out();
    return std::move(plan_);
  }

 private:
  std::uint32_t add_buffer(PlannedBuffer buffer) {
    plan_.buffers.push_back(std::move(buffer));
    return static_cast<std::uint32_t>(plan_.buffers.size() - 1);
  }

  void add_node(const Node& node) {
    if (node.is("const")) return;  // placed when a kernel reads it, and as that kernel wants it
    if (is_view(node)) {
      const Value* source = node.operand(0);
      if (!source->is_constant()) buffer_of_[node.result()] = read(*source, static_cast<std::uint32_t>(plan_.steps.size()));
      return;
    }
    internal_check(node.is("kernel"), "{} is left outside of any kernel", node.op_name());
    add_kernel(node);
  }

  void add_kernel(const Node& node) {
    KernelChoice choice = backend_.plan_kernel(node);
    const KernelPlan& kernel = choice.alternatives.front().kernel;
    PlannedStep step;
    step.kind = kernel.kind;
    step.size = choice.size;
    step.flops = kernel.flops;
    step.multiplies = kernel.multiplies;
    step.origins = node.origins;
    step.shape = to_text(node.result()->type);
    const auto now = static_cast<std::uint32_t>(plan_.steps.size());
    std::optional<std::uint32_t> packed;
    for (int i = 0; i < node.operand_count(); ++i) {
      const Value& operand = *node.operand(i);
      step.bytes = step.bytes + bytes_of(elements_read(node, i), operand.type.dtype);
      const bool is_packed = i == kernel.packed_operand || i == kernel.packed_with;
      if (is_packed && !packed) packed = add_weights(backend_.pack_weights(node));
      step.buffers.push_back(is_packed ? *packed : read(operand, now));
    }
    for (int i = 0; i < node.result_count(); ++i) {
      const Value& result = *node.result(i);
      step.bytes = step.bytes + bytes_of(result.type);
      const std::uint32_t buffer = add_buffer({PlannedBuffer::Place::arena, bytes_of(result.type), -1, 0, now, now});
      buffer_of_[&result] = buffer;
      step.buffers.push_back(buffer);
    }
    step.has_library = kernel.product.has_value();
    if (step.has_library) step.workspace = static_cast<int>(add_buffer({PlannedBuffer::Place::arena, kLibraryWorkspaceBytes, -1, 0, now, now}));
    step.nanoseconds = Dim::floordiv(step.flops, kFlopsPerNanosecond) + Dim::floordiv(step.bytes, kBytesPerNanosecond);
    for (Alternative& alternative : choice.alternatives) step.kernels.push_back(add_alternative(std::move(alternative)));
    plan_.steps.push_back(std::move(step));
  }

  PlannedKernel add_alternative(Alternative alternative) {
    KernelPlan& kernel = alternative.kernel;
    const auto [known, added] = kernel_index_.try_emplace(kernel.name, static_cast<int>(plan_.kernels.size()));
    PlannedKernel planned{known->second, kernel.tasks, kernel.scratch_bytes, alternative.up_to};
    if (added) plan_.kernels.push_back(std::move(kernel));
    return planned;
  }

  /// The buffer that `value` lies in, alive until `step`.
  std::uint32_t read(const Value& value, std::uint32_t step) {
    if (const Node* producer = value.producer(); producer && producer->is("const")) return add_weights(value.constant());
    if (!buffer_of_.contains(&value)) {
      // A view of a constant.
      internal_check(value.producer() && is_view(*value.producer()), "a value is read before it is computed");
      return read(*value.producer()->operand(0), step);
    }
    const std::uint32_t buffer = buffer_of_.at(&value);
    plan_.buffers[buffer].last_step = std::max(plan_.buffers[buffer].last_step, step);
    return buffer;
  }

  /// Equal contents are one buffer.
  std::uint32_t add_weights(const Tensor& tensor) {
    const std::int64_t offset = weights_.add(tensor);
    const auto [known, added] = weight_buffers_.try_emplace(offset, 0);
    if (added) known->second = add_buffer({PlannedBuffer::Place::weights, static_cast<std::int64_t>(tensor.bytes()), offset});
    return known->second;
  }

  /// A result's buffer becomes the output itself, unless it is an input, a constant or an output already: then it is copied.
  void add_outputs() {
    for (std::size_t i = 0; i < graph_.results().size(); ++i) {
      const Value& result = *graph_.results()[i];
      const auto port = static_cast<std::uint32_t>(i);
      const std::uint32_t buffer = read(result, static_cast<std::uint32_t>(plan_.steps.size()));
      if (plan_.buffers[buffer].place == PlannedBuffer::Place::arena) {
        plan_.buffers[buffer].place = PlannedBuffer::Place::output;
        plan_.buffers[buffer].port = port;
        plan_.output_buffers.push_back(buffer);
        continue;
      }
      const std::uint32_t output = add_buffer({PlannedBuffer::Place::output, bytes_of(result.type), -1, port});
      plan_.output_buffers.push_back(output);
      PlannedStep copy;
      copy.kind = "copy";
      copy.buffers = {buffer, output};
      copy.bytes = bytes_of(result.type) * 2;
      copy.shape = to_text(result.type);
      plan_.steps.push_back(std::move(copy));
    }
  }

  void lay_out() {
    std::vector<ArenaRequest> requests;
    std::vector<std::size_t> placed;
    for (std::size_t i = 0; i < plan_.buffers.size(); ++i) {
      const PlannedBuffer& buffer = plan_.buffers[i];
      if (buffer.place != PlannedBuffer::Place::arena) continue;
      if (!buffer.bytes.is_constant()) return;  // the runtime lays it out when shapes are bound
      requests.push_back({buffer.bytes.value(), buffer.first_step, buffer.last_step});
      placed.push_back(i);
    }
    const ArenaLayout layout = lay_out_arena(requests);
    for (std::size_t i = 0; i < placed.size(); ++i) plan_.buffers[placed[i]].offset = layout.offsets[i];
    plan_.arena_bytes = layout.bytes;
  }

  const Graph& graph_;
  const Backend& backend_;
  WeightStore& weights_;
  Plan plan_;
  std::map<const Value*, std::uint32_t> buffer_of_;
  std::map<std::string, int> kernel_index_;
  std::map<std::int64_t, std::uint32_t> weight_buffers_;  ///< by offset in the store
};

}  // namespace

const PlannedKernel& PlannedStep::kernel_for(std::int64_t at_size) const {
  return *std::ranges::find_if(kernels, [&](const PlannedKernel& kernel) { return at_size <= kernel.up_to; });
}

Plan make_plan(const Graph& graph, const Backend& backend, WeightStore& weights) { return Planner(graph, backend, weights).make(); }

}  // namespace intaglio
