// where: chooses between two values.
#include "ir/ops/contents.h"
#include "ir/ops/element.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {
namespace {

std::vector<Type> infer_where(InferContext& context) {
  require_boolean(context, 0, "C1");
  require_equal_dtypes(context, "C2", 1);
  const Shape values = context.broadcast(context.operand(1).shape, context.operand(2).shape, "C3");
  return {{context.operand(1).dtype, context.broadcast(context.operand(0).shape, values, "C3")}};
}

kernel::Expr pull_where(PullContext& context, const Node& node, const Index& index) {
  return kernel::select(broadcast_operand(context, node, 0, index), broadcast_operand(context, node, 1, index),
                        broadcast_operand(context, node, 2, index));
}

Contents chosen(const Node& node, const OperandContents& operands) {
  return map_contents(node, operands, [](const std::vector<Dim>& x) -> std::optional<Dim> {
    if (x[1] == x[2]) return x[1];
    if (!x[0].is_constant()) return std::nullopt;
    return x[0] == Dim(0) ? x[2] : x[1];
  });
}

}  // namespace

OpRecord where_record() {
  return {
      .name = "where",
      .op_class = OpClass::elementwise,
      .doc = "a where `condition` is true, else b; all three broadcast.",
      .min_operands = 3,
      .max_operands = 3,
      .attributes = {},
      .constraints = {"C1: condition is boolean", "C2: a and b have one dtype", "C3: the shapes broadcast to each other"},
      .infer = infer_where,
      .evaluate = [](const Node&, const std::vector<Tensor>& operands,
                     const auto&) { return std::vector{host::where(operands[0], operands[1], operands[2])}; },
      .pull = pull_where,
      .contents = chosen,
  };
}

}  // namespace intaglio::ops
