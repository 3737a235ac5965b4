// Identities of elementwise operators and of reductions over nothing.
#include <algorithm>
#include <array>
#include <cmath>

#include "passes/match.h"
#include "passes/simplify_rules.h"

namespace intaglio {
namespace {

/// The other operand of a binary node whose operand `i` equals `number` everywhere, or null.
Value* other_operand(const Node& node, int i, double number) { return is_splat(node.operand(i), number) ? node.operand(1 - i) : nullptr; }

Value* add_zero(Node& node, Builder&) {
  if (Value* x = other_operand(node, 1, 0)) return x;
  return other_operand(node, 0, 0);
}

Value* sub_zero(Node& node, Builder&) { return other_operand(node, 1, 0); }

Value* mul_one(Node& node, Builder&) {
  if (Value* x = other_operand(node, 1, 1)) return x;
  return other_operand(node, 0, 1);
}

Value* div_one(Node& node, Builder&) { return other_operand(node, 1, 1); }

/// x / 2^k = x * 2^-k, bit for bit while 2^-k is a normal number.
Value* div_power_of_two(Node& node, Builder& b) {
  const auto divisor = splat(node.operand(1));
  const DType dtype = node.result()->type.dtype;
  if (!divisor || *divisor == 0 || (dtype != DType::f32 && dtype != DType::f64)) return nullptr;
  int exponent = 0;
  if (std::abs(std::frexp(*divisor, &exponent)) != 0.5 || std::abs(exponent) > 120) return nullptr;
  const Type& shape_of = node.operand(1)->type;
  // Broadcasting along an axis of extent 1 is the only thing that the divisor's shape can do here.
  Value* reciprocal = b.scalar(dtype, 1 / *divisor);
  if (shape_of.rank() > 0) reciprocal = b.reshape(reciprocal, Shape(shape_of.shape.size(), Dim(1)));
  return b.op("mul", {node.operand(0), reciprocal});
}

/// Constants stand on the right, so that equal expressions are equal nodes.
Value* constant_to_the_right(Node& node, Builder& b) {
  if (!node.operand(0)->is_constant() || node.operand(1)->is_constant()) return nullptr;
  return b.op(node.op_name(), {node.operand(1), node.operand(0)});
}

/// A constant of many equal elements becomes a scalar where the other operand has the result's shape anyway.
Value* shrink_splat(Node& node, Builder& b) {
  for (int i = 0; i < 2; ++i) {
    const Value* constant = node.operand(i);
    if (is_single_element(constant->type) && constant->type.rank() == 0) continue;
    const auto value = splat(constant);
    if (!value || !has_shape(node.operand(1 - i), node.result()->type.shape) || constant->type.dtype == DType::boolean) continue;
    std::vector<Value*> operands(node.operands().begin(), node.operands().end());
    operands[static_cast<std::size_t>(i)] = b.scalar(constant->type.dtype, *value);
    return b.op(node.op_name(), std::move(operands), node.attributes);
  }
  return nullptr;
}

/// An operand need not be expanded where another one already has the full shape.
Value* drop_expand(Node& node, Builder& b) {
  const Shape& shape = node.result()->type.shape;
  for (int i = 0; i < node.operand_count(); ++i) {
    const Node* expand = node.operand(i)->producer("expand");
    if (!expand) continue;
    std::vector<Value*> operands(node.operands().begin(), node.operands().end());
    operands[static_cast<std::size_t>(i)] = expand->operand(0);
    if (std::none_of(operands.begin(), operands.end(), [&](const Value* v) { return has_shape(v, shape); })) continue;
    return b.op(node.op_name(), std::move(operands), node.attributes);
  }
  return nullptr;
}

/// f(f(x)) = x.
Value* involution(Node& node, Builder&) {
  Node* inner = node.operand(0)->producer(node.op_name());
  return inner ? inner->operand(0) : nullptr;
}

/// f(f(x)) = f(x).
Value* idempotent(Node& node, Builder&) { return node.operand(0)->producer(node.op_name()) ? node.operand(0) : nullptr; }

/// max(max(x, a), b) = max(x, max(a, b)) for constants, and the same for min.
Value* join_bounds(Node& node, Builder& b) {
  Node* inner = node.operand(0)->producer(node.op_name());
  if (!inner || !node.operand(1)->is_constant() || !inner->operand(1)->is_constant()) return nullptr;
  return b.op(node.op_name(), {inner->operand(0), b.op(node.op_name(), {inner->operand(1), node.operand(1)})});
}

/// max(relu(x), c) = relu(x) for c <= 0. max keeps NaN as relu does.
Value* bound_below_relu(Node& node, Builder&) {
  const auto bound = splat(node.operand(1));
  return bound && *bound <= 0 && node.operand(0)->producer("relu") ? node.operand(0) : nullptr;
}

/// max(x, 0) is the ReLU of x.
Value* max_zero(Node& node, Builder& b) {
  return is_float(node.result()->type.dtype) && is_splat(node.operand(1), 0) && has_shape(node.operand(0), node.result()->type.shape)
             ? b.op("relu", {node.operand(0)})
             : nullptr;
}

/// True if no element can be below zero (NaN aside): sqrt and pow(.., 0.5) differ only there.
bool is_never_negative(const Value& value, int depth = 4) {
  const Node* node = value.producer();
  if (!node || depth == 0) return false;
  const auto operand_is = [&](int i) { return is_never_negative(*node->operand(i), depth - 1); };
  if (node->is("const")) {
    const auto number = splat(&value);
    return number && *number >= 0;
  }
  if (node->is("mul")) return node->operand(0) == node->operand(1) || (operand_is(0) && operand_is(1));
  if (node->is("add") || node->is("div")) return operand_is(0) && operand_is(1);
  if (node->is("max")) return operand_is(0) || operand_is(1);
  if (node->is("reduce_sum") || node->is("reduce_mean") || node->is("reduce_max")) return operand_is(0);
  return node->is("abs") || node->is("exp") || node->is("relu") || node->is("sqrt") || node->is("sigmoid");
}

Value* pow_constant(Node& node, Builder& b) {
  Value* x = node.operand(0);
  const auto exponent = splat(node.operand(1));
  if (!exponent || !is_float(x->type.dtype)) return nullptr;
  if (*exponent == 1) return x;
  if (*exponent == 2) return b.mul(x, x);
  if (*exponent == 3) return b.mul(b.mul(x, x), x);
  // pow(-inf, 0.5) is inf and sqrt(-inf) is NaN.
  if (*exponent == 0.5 && is_never_negative(*x)) return b.sqrt(x);
  return nullptr;
}

/// Casts to the dtype that the value has.
Value* cast_to_same(Node& node, Builder&) { return node.operand(0)->type.dtype == node.dtype("to") ? node.operand(0) : nullptr; }

/// True if every value of `from` is a value of `to`.
bool holds_exactly(DType from, DType to) {
  if (from == DType::boolean) return to != DType::boolean;
  if (is_signed_integer(from)) return is_signed_integer(to) && dtype_bits(to) >= dtype_bits(from);
  if (is_unsigned_integer(from)) return is_integer(to) && dtype_bits(to) > dtype_bits(from);
  if (from == DType::f16 || from == DType::bf16) return to == DType::f32 || to == DType::f64;
  return from == DType::f32 && to == DType::f64;
}

/// A cast through a type that holds every value of the first one.
Value* cast_of_cast(Node& node, Builder& b) {
  Node* inner = node.operand(0)->producer("cast");
  if (!inner) return nullptr;
  Value* x = inner->operand(0);
  return holds_exactly(x->type.dtype, inner->dtype("to")) ? b.cast(x, node.dtype("to")) : nullptr;
}

Value* where_constant(Node& node, Builder&) {
  const auto condition = splat(node.operand(0));
  if (!condition) return nullptr;
  return node.operand(*condition != 0 ? 1 : 2);
}

Value* where_same(Node& node, Builder&) { return node.operand(1) == node.operand(2) ? node.operand(1) : nullptr; }

Value* where_not(Node& node, Builder& b) {
  Node* inner = node.operand(0)->producer("logical_not");
  return inner ? b.op("where", {inner->operand(0), node.operand(2), node.operand(1)}) : nullptr;
}

/// A sum, mean, product, maximum or minimum over axes of extent 1 (or none) is its operand under another shape.
Value* reduce_nothing(Node& node, Builder& b) {
  Value* x = node.operand(0);
  const auto& axes = node.integers("axes");
  const bool nothing =
      std::all_of(axes.begin(), axes.end(), [&](std::int64_t axis) { return x->type.shape[static_cast<std::size_t>(axis)] == Dim(1); });
  return nothing ? b.reshape(x, node.result()->type.shape) : nullptr;
}

constexpr std::array kRules{
    SimplifyRule{"add", add_zero},
    SimplifyRule{"add", constant_to_the_right},
    SimplifyRule{"add", shrink_splat},
    SimplifyRule{"add", drop_expand},
    SimplifyRule{"sub", sub_zero},
    SimplifyRule{"sub", shrink_splat},
    SimplifyRule{"sub", drop_expand},
    SimplifyRule{"mul", mul_one},
    SimplifyRule{"mul", constant_to_the_right},
    SimplifyRule{"mul", shrink_splat},
    SimplifyRule{"mul", drop_expand},
    SimplifyRule{"div", div_one},
    SimplifyRule{"div", div_power_of_two},
    SimplifyRule{"div", shrink_splat},
    SimplifyRule{"div", drop_expand},
    SimplifyRule{"pow", pow_constant},
    SimplifyRule{"pow", shrink_splat},
    SimplifyRule{"pow", drop_expand},
    SimplifyRule{"max", constant_to_the_right},
    SimplifyRule{"max", bound_below_relu},
    SimplifyRule{"max", join_bounds},
    SimplifyRule{"max", max_zero},
    SimplifyRule{"max", shrink_splat},
    SimplifyRule{"min", constant_to_the_right},
    SimplifyRule{"min", join_bounds},
    SimplifyRule{"min", shrink_splat},
    SimplifyRule{"equal", drop_expand},
    SimplifyRule{"where", where_constant},
    SimplifyRule{"where", where_same},
    SimplifyRule{"where", where_not},
    SimplifyRule{"where", drop_expand},
    SimplifyRule{"neg", involution},
    SimplifyRule{"logical_not", involution},
    SimplifyRule{"relu", idempotent},
    SimplifyRule{"abs", idempotent},
    SimplifyRule{"floor", idempotent},
    SimplifyRule{"ceil", idempotent},
    SimplifyRule{"round", idempotent},
    SimplifyRule{"cast", cast_to_same},
    SimplifyRule{"cast", cast_of_cast},
    SimplifyRule{"reduce_sum", reduce_nothing},
    SimplifyRule{"reduce_mean", reduce_nothing},
    SimplifyRule{"reduce_max", reduce_nothing},
    SimplifyRule{"reduce_min", reduce_nothing},
    SimplifyRule{"reduce_prod", reduce_nothing},
};

}  // namespace

std::span<const SimplifyRule> arithmetic_rules() { return kRules; }

}  // namespace intaglio
