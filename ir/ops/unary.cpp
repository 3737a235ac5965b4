// Elementwise operators of one operand.
#include "ir/ops/contents.h"
#include "ir/ops/element.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {

using kernel::Expr;
using kernel::Op;

namespace {

using UnaryKernel = Tensor (*)(const Tensor&);

template <UnaryKernel kernel_function>
std::vector<Tensor> evaluate_unary(const Node&, const std::vector<Tensor>& operands, const std::vector<Type>&) {
  return {kernel_function(operands[0])};
}

template <Op op>
Expr pull_unary(PullContext& context, const Node& node, const Index& index) {
  return kernel::unary(op, context.operand(node, 0, index));
}

std::vector<Type> same_type(InferContext& context) { return {{context.operand(0).dtype, context.operand(0).shape}}; }

std::vector<Type> infer_float(InferContext& context) {
  require_float(context, 0, "C1");
  return same_type(context);
}

std::vector<Type> infer_number(InferContext& context) {
  require_number(context, 0, "C1");
  return same_type(context);
}

std::vector<Type> infer_signed(InferContext& context) {
  const DType dtype = context.operand(0).dtype;
  context.require(is_float(dtype) || is_signed_integer(dtype), "C1", "the operand has no sign");
  return same_type(context);
}

/// A function of floats.
template <Op op, UnaryKernel kernel_function>
OpRecord float_record(std::string_view name, std::string_view doc) {
  return {
      .name = name,
      .op_class = OpClass::elementwise,
      .doc = doc,
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {},
      .constraints = {"C1: x holds floats"},
      .infer = infer_float,
      .evaluate = evaluate_unary<kernel_function>,
      .pull = pull_unary<op>,
  };
}

/// max(x, 0); kernel max keeps NaN.
Expr pull_relu(PullContext& context, const Node& node, const Index& index) {
  const Expr x = context.operand(node, 0, index);
  return kernel::binary(Op::max, x, kernel::constant(x->dtype, 0));
}

/// Unsigned numbers are their own absolute value.
Expr pull_abs(PullContext& context, const Node& node, const Index& index) {
  const Expr x = context.operand(node, 0, index);
  return is_unsigned_integer(x->dtype) ? x : kernel::unary(Op::abs, x);
}

Contents negated(const Node& node, const OperandContents& operands) {
  return map_contents(node, operands, [](const std::vector<Dim>& x) { return Dim(0) - x[0]; });
}

Contents absolute(const Node& node, const OperandContents& operands) {
  return map_contents(node, operands, [](const std::vector<Dim>& x) -> std::optional<Dim> {
    if (is_never_negative(x[0])) return x[0];
    if (is_never_negative(Dim(0) - x[0])) return Dim(0) - x[0];
    return std::nullopt;
  });
}

Contents complement(const Node& node, const OperandContents& operands) {
  return map_contents(node, operands, [](const std::vector<Dim>& x) { return Dim(1) - x[0]; });
}

}  // namespace

OpRecord sqrt_record() { return float_record<Op::sqrt, host::sqrt>("sqrt", "The square root; of a negative number NaN."); }
OpRecord exp_record() { return float_record<Op::exp, host::exp>("exp", "e to the power of x."); }
OpRecord log_record() { return float_record<Op::log, host::log>("log", "The natural logarithm."); }
OpRecord tanh_record() { return float_record<Op::tanh, host::tanh>("tanh", "The hyperbolic tangent."); }
OpRecord sin_record() { return float_record<Op::sin, host::sin>("sin", "The sine of x in radians."); }
OpRecord cos_record() { return float_record<Op::cos, host::cos>("cos", "The cosine of x in radians."); }
OpRecord erf_record() { return float_record<Op::erf, host::erf>("erf", "The error function."); }
OpRecord sigmoid_record() { return float_record<Op::sigmoid, host::sigmoid>("sigmoid", "1 / (1 + exp(-x))."); }
OpRecord floor_record() { return float_record<Op::floor, host::floor>("floor", "Rounds towards minus infinity."); }
OpRecord ceil_record() { return float_record<Op::ceil, host::ceil>("ceil", "Rounds towards plus infinity."); }
OpRecord round_record() {
  return float_record<Op::round_even, host::round>("round", "Rounds to the nearest integer, halves to the even one.");
}

OpRecord is_nan_record() {
  return {
      .name = "is_nan",
      .op_class = OpClass::elementwise,
      .doc = "True where x is NaN.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {},
      .constraints = {"C1: x holds floats"},
      .infer = [](InferContext& context) -> std::vector<Type> {
        require_float(context, 0, "C1");
        return {{DType::boolean, context.operand(0).shape}};
      },
      .evaluate = evaluate_unary<host::is_nan>,
      .pull = pull_unary<Op::is_nan>,
  };
}

OpRecord neg_record() {
  return {
      .name = "neg",
      .op_class = OpClass::elementwise,
      .doc = "-x; integers wrap.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {},
      .constraints = {"C1: x holds floats or signed integers"},
      .infer = infer_signed,
      .evaluate = evaluate_unary<host::neg>,
      .pull = pull_unary<Op::neg>,
      .contents = negated,
  };
}

OpRecord abs_record() {
  return {
      .name = "abs",
      .op_class = OpClass::elementwise,
      .doc = "The absolute value; that of the smallest integer wraps to itself.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {},
      .constraints = {"C1: x holds numbers"},
      .infer = infer_number,
      .evaluate = evaluate_unary<host::abs>,
      .pull = pull_abs,
      .contents = absolute,
  };
}

OpRecord relu_record() {
  return {
      .name = "relu",
      .op_class = OpClass::elementwise,
      .doc = "max(x, 0); NaN stays NaN.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {},
      .constraints = {"C1: x holds floats or signed integers"},
      .infer = infer_signed,
      .evaluate = evaluate_unary<host::relu>,
      .pull = pull_relu,
  };
}

OpRecord logical_not_record() {
  return {
      .name = "logical_not",
      .op_class = OpClass::elementwise,
      .doc = "True where x is false.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {},
      .constraints = {"C1: x is boolean"},
      .infer = [](InferContext& context) -> std::vector<Type> {
        require_boolean(context, 0, "C1");
        return same_type(context);
      },
      .evaluate = evaluate_unary<host::logical_not>,
      .pull = pull_unary<Op::logical_not>,
      .contents = complement,
  };
}

}  // namespace intaglio::ops
