// Comparisons, and the arithmetic of booleans.
#include "ir/ops/contents.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {

using kernel::Expr;
using kernel::Op;

namespace {

/// What a comparison says of a known order: -1, 0 or 1 for less, equal, greater.
template <Op op>
bool holds(int order) {
  switch (op) {
    case Op::eq:
      return order == 0;
    case Op::lt:
      return order < 0;
    case Op::le:
      return order <= 0;
    case Op::gt:
      return order > 0;
    default:
      return order >= 0;
  }
}

template <Op op>
Contents compare_contents(const Node& node, const OperandContents& operands) {
  return map_contents(node, operands, [](const std::vector<Dim>& x) -> std::optional<Dim> {
    const auto order = known_order(x[0], x[1]);
    return order ? std::optional(Dim(holds<op>(*order))) : std::nullopt;
  });
}

std::vector<Type> infer_order(InferContext& context) {
  require_number(context, 0, "C1");
  require_equal_dtypes(context, "C1");
  return {{DType::boolean, context.broadcast(context.operand(0).shape, context.operand(1).shape, "C2")}};
}

template <Op op, BinaryKernel kernel_function>
OpRecord order_record(std::string_view name, std::string_view doc) {
  return {
      .name = name,
      .op_class = OpClass::elementwise,
      .doc = doc,
      .min_operands = 2,
      .max_operands = 2,
      .attributes = {},
      .constraints = {"C1: a and b hold numbers of one dtype", "C2: the shapes broadcast to each other"},
      .infer = infer_order,
      .evaluate = evaluate_binary<kernel_function>,
      .pull = pull_compare<op>,
      .contents = compare_contents<op>,
  };
}

std::vector<Type> infer_logical(InferContext& context) {
  require_boolean(context, 0, "C1");
  require_boolean(context, 1, "C1");
  return {{DType::boolean, context.broadcast(context.operand(0).shape, context.operand(1).shape, "C2")}};
}

/// Booleans are 0 and 1: and is their smaller one, or their larger one.
template <Op op>
Contents logical_contents(const Node& node, const OperandContents& operands) {
  return map_contents(node, operands, [](const std::vector<Dim>& x) {
    if constexpr (op == Op::logical_and) return Dim::min(x[0], x[1]);
    if constexpr (op == Op::logical_or) return Dim::max(x[0], x[1]);
    return Dim::max(x[0], x[1]) - Dim::min(x[0], x[1]);
  });
}

template <Op op, BinaryKernel kernel_function>
OpRecord logical_record(std::string_view name, std::string_view doc) {
  return {
      .name = name,
      .op_class = OpClass::elementwise,
      .doc = doc,
      .min_operands = 2,
      .max_operands = 2,
      .attributes = {},
      .constraints = {"C1: a and b are boolean", "C2: the shapes broadcast to each other"},
      .infer = infer_logical,
      .evaluate = evaluate_binary<kernel_function>,
      .pull = pull_binary<op>,
      .contents = logical_contents<op>,
  };
}

std::vector<Type> infer_equal(InferContext& context) {
  const DType dtype = context.operand(0).dtype;
  context.require(is_number(dtype) || dtype == DType::boolean, "C1", "operand 0 cannot be compared");
  require_equal_dtypes(context, "C1");
  return {{DType::boolean, context.broadcast(context.operand(0).shape, context.operand(1).shape, "C2")}};
}

}  // namespace

OpRecord equal_record() {
  return {
      .name = "equal",
      .op_class = OpClass::elementwise,
      .doc = "True where a = b; NaN equals nothing.",
      .min_operands = 2,
      .max_operands = 2,
      .attributes = {},
      .constraints = {"C1: a and b hold numbers or booleans of one dtype", "C2: the shapes broadcast to each other"},
      .infer = infer_equal,
      .evaluate = evaluate_binary<host::equal>,
      .pull = pull_compare<Op::eq>,
      .contents = compare_contents<Op::eq>,
  };
}

OpRecord less_record() { return order_record<Op::lt, host::less>("less", "True where a < b."); }
OpRecord less_equal_record() { return order_record<Op::le, host::less_equal>("less_equal", "True where a <= b."); }
OpRecord greater_record() { return order_record<Op::gt, host::greater>("greater", "True where a > b."); }
OpRecord greater_equal_record() { return order_record<Op::ge, host::greater_equal>("greater_equal", "True where a >= b."); }

OpRecord logical_and_record() { return logical_record<Op::logical_and, host::logical_and>("logical_and", "True where both are."); }
OpRecord logical_or_record() { return logical_record<Op::logical_or, host::logical_or>("logical_or", "True where at least one is."); }
OpRecord logical_xor_record() { return logical_record<Op::logical_xor, host::logical_xor>("logical_xor", "True where exactly one is."); }

}  // namespace intaglio::ops
