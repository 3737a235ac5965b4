// kernel: a group of nodes that becomes one kernel.
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"

namespace intaglio::ops {
namespace {

std::vector<Type> infer_kernel(InferContext& context) {
  const Graph* region = context.node().region();
  context.require(region != nullptr, "C1", "the node has no region");
  const auto& arguments = region->arguments();
  context.require(arguments.size() == context.node().operands().size(), "C1", "operands and arguments of the region are not one to one", {},
                  fmt::format("{} arguments", arguments.size()));
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const int operand = static_cast<int>(i);
    context.require(context.has_operand(operand), "C1", fmt::format("operand {} is absent", i));
    const Type& inside = arguments[i]->type;
    const Type& outside = context.operand(operand);
    context.require(inside.dtype == outside.dtype && inside.shape == outside.shape, "C2",
                    fmt::format("operand {} and its argument differ", i), {}, fmt::format("argument {}", to_text(inside)));
  }
  std::vector<Type> results;
  for (const Value* result : region->results()) results.push_back({result->type.dtype, result->type.shape});
  return results;
}

}  // namespace

OpRecord kernel_record() {
  return {
      .name = "kernel",
      .op_class = OpClass::kernel,
      .doc = "A fused group: its region, whose arguments are the operands, one to one.",
      .min_operands = 0,
      .max_operands = -1,
      .attributes = {},
      .constraints = {"C1: the region has one argument for each operand", "C2: an argument has the dtype and shape of its operand"},
      .infer = infer_kernel,
      .evaluate = [](const Node& node, const std::vector<Tensor>& operands, const auto&) { return evaluate(*node.region(), operands); },
  };
}

}  // namespace intaglio::ops
