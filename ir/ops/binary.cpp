// Elementwise arithmetic of two operands, which broadcast to each other.
#include "ir/ops/contents.h"
#include "ir/ops/elementwise.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {

using kernel::Expr;
using kernel::Op;

namespace {

std::vector<Type> infer_arithmetic(InferContext& context) {
  require_number(context, 0, "C1");
  require_equal_dtypes(context, "C1");
  return {{context.operand(0).dtype, context.broadcast(context.operand(0).shape, context.operand(1).shape, "C2")}};
}

/// Contents by a function of two extents that is always known.
template <typename F>
Contents combine(const Node& node, const OperandContents& operands, F f) {
  return map_contents(node, operands, [f](const std::vector<Dim>& x) { return f(x[0], x[1]); });
}

template <Op op, BinaryKernel kernel_function>
OpRecord arithmetic_record(std::string_view name, std::string_view doc,
                           std::optional<std::vector<Dim>> (*contents)(const Node&, const OperandContents&)) {
  return {
      .name = name,
      .op_class = OpClass::elementwise,
      .doc = doc,
      .min_operands = 2,
      .max_operands = 2,
      .attributes = {},
      .constraints = {"C1: a and b hold numbers of one dtype", "C2: the shapes broadcast to each other"},
      .infer = infer_arithmetic,
      .evaluate = evaluate_binary<kernel_function>,
      .pull = pull_binary<op>,
      .contents = contents,
  };
}

Contents sum(const Node& node, const OperandContents& operands) {
  return combine(node, operands, [](const Dim& a, const Dim& b) { return a + b; });
}
Contents difference(const Node& node, const OperandContents& operands) {
  return combine(node, operands, [](const Dim& a, const Dim& b) { return a - b; });
}
Contents product(const Node& node, const OperandContents& operands) {
  return combine(node, operands, [](const Dim& a, const Dim& b) { return a * b; });
}
Contents smaller(const Node& node, const OperandContents& operands) {
  return combine(node, operands, [](const Dim& a, const Dim& b) { return Dim::min(a, b); });
}
Contents larger(const Node& node, const OperandContents& operands) {
  return combine(node, operands, [](const Dim& a, const Dim& b) { return Dim::max(a, b); });
}

/// Truncating division is floor division where both are known not to be negative.
std::optional<Dim> quotient_of(const Dim& a, const Dim& b) {
  if (!is_always_positive(b)) return std::nullopt;
  if (is_never_negative(a)) return Dim::floordiv(a, b);
  if (is_never_negative(Dim(0) - a)) return Dim(0) - Dim::floordiv(Dim(0) - a, b);
  return std::nullopt;
}

Contents quotient(const Node& node, const OperandContents& operands) { return combine(node, operands, quotient_of); }

/// With a positive divisor both kinds of remainder agree on operands that are not negative, and `mod` is Dim's on all.
Contents remainder(const Node& node, const OperandContents& operands) {
  const bool truncates = node.integer("fmod") != 0;
  return combine(node, operands, [truncates](const Dim& a, const Dim& b) -> std::optional<Dim> {
    if (!is_always_positive(b) || (truncates && !is_never_negative(a))) return std::nullopt;
    return Dim::mod(a, b);
  });
}

std::vector<Type> infer_mod(InferContext& context) {
  const auto types = infer_arithmetic(context);
  const std::int64_t fmod = context.node().integer("fmod");
  context.require(fmod == 0 || fmod == 1, "C3", "attribute 'fmod' is neither 0 nor 1", {}, fmt::format("fmod = {}", fmod));
  context.require(fmod == 1 || !is_float(types[0].dtype), "C4", "floats have only the remainder of fmod", {},
                  fmt::format("fmod = {}", fmod));
  return types;
}

/// base^exponent by repeated squaring, which wraps as multiplication does. A negative exponent is 1 / base^|exponent|, truncated.
Expr integer_power(const Expr& base, const Expr& exponent) {
  const DType dtype = base->dtype;
  const auto constant = [&](std::int64_t value) { return kernel::integer_constant(dtype, value); };
  Expr result = constant(1);
  Expr square = base;
  for (int bit = 0; bit < dtype_bits(dtype); ++bit) {
    const Expr digit = kernel::binary(Op::bit_and, kernel::binary(Op::shr, exponent, constant(bit)), constant(1));
    result = kernel::select(kernel::compare(Op::ne, digit, constant(0)), kernel::binary(Op::mul, result, square), result);
    square = kernel::binary(Op::mul, square, square);
  }
  if (is_unsigned_integer(dtype)) return result;
  const Expr is_odd = kernel::compare(Op::ne, kernel::binary(Op::bit_and, exponent, constant(1)), constant(0));
  const Expr minus_one = kernel::select(is_odd, constant(-1), constant(1));
  Expr reciprocal = kernel::select(kernel::compare(Op::eq, base, constant(-1)), minus_one, constant(0));
  reciprocal = kernel::select(kernel::compare(Op::eq, base, constant(1)), constant(1), reciprocal);
  return kernel::select(kernel::compare(Op::lt, exponent, constant(0)), reciprocal, result);
}

Expr pull_pow(PullContext& context, const Node& node, const Index& index) {
  const Expr base = broadcast_operand(context, node, 0, index);
  const Expr exponent = broadcast_operand(context, node, 1, index);
  return is_float(base->dtype) ? kernel::binary(Op::pow, base, exponent) : integer_power(base, exponent);
}

}  // namespace

OpRecord add_record() { return arithmetic_record<Op::add, host::add>("add", "a + b; integers wrap.", sum); }
OpRecord sub_record() { return arithmetic_record<Op::sub, host::sub>("sub", "a - b; integers wrap.", difference); }
OpRecord mul_record() { return arithmetic_record<Op::mul, host::mul>("mul", "a * b; integers wrap.", product); }
OpRecord div_record() {
  return arithmetic_record<Op::div, host::div>("div", "a / b; of integers it truncates towards zero, and x / 0 is 0.", quotient);
}
OpRecord min_record() { return arithmetic_record<Op::min, host::min>("min", "The smaller one; NaN if either is NaN.", smaller); }
OpRecord max_record() { return arithmetic_record<Op::max, host::max>("max", "The larger one; NaN if either is NaN.", larger); }

OpRecord mod_record() {
  return {
      .name = "mod",
      .op_class = OpClass::elementwise,
      .doc = "The remainder of a / b, with the divisor's sign; of integers by 0 it is 0.",
      .min_operands = 2,
      .max_operands = 2,
      .attributes = {{"fmod", AttributeKind::integer, std::int64_t{0}, "1: the sign is the dividend's, as C's fmod"}},
      .constraints = {"C1: a and b hold numbers of one dtype", "C2: the shapes broadcast to each other", "C3: fmod is 0 or 1",
                      "C4: fmod is 1 for floats"},
      .infer = infer_mod,
      .evaluate =
          [](const Node& node, const std::vector<Tensor>& operands, const auto&) {
            return std::vector{node.integer("fmod") ? host::fmod(operands[0], operands[1]) : host::mod(operands[0], operands[1])};
          },
      .pull =
          [](PullContext& context, const Node& node, const Index& index) {
            return node.integer("fmod") ? pull_binary<Op::rem>(context, node, index) : pull_binary<Op::mod>(context, node, index);
          },
      .contents = remainder,
  };
}

OpRecord pow_record() {
  return {
      .name = "pow",
      .op_class = OpClass::elementwise,
      .doc = "a to the power of b; integers wrap, and a negative exponent gives 1 / a^|b| truncated.",
      .min_operands = 2,
      .max_operands = 2,
      .attributes = {},
      .constraints = {"C1: a and b hold numbers of one dtype", "C2: the shapes broadcast to each other"},
      .infer = infer_arithmetic,
      .evaluate = evaluate_binary<host::pow>,
      .pull = pull_pow,
  };
}

}  // namespace intaglio::ops
