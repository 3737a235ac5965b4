// See quantized_text.h.

#include "codegen/cuda/quantized_text.h"

#include <cmath>

namespace intaglio::cuda {

using kernel::Expr;
using kernel::ExprKind;
using kernel::Op;

namespace {

constexpr std::int64_t kSmall = 1 << 20;
constexpr double kLeastStep = 1e-15;

bool is_byte(DType dtype) { return dtype == DType::u8 || dtype == DType::i8; }

}  // namespace

std::optional<Quantization> quantization_of(const kernel::ExprNode& cast) {
  const Expr& from = cast.args[0];
  if (!is_byte(cast.dtype) || from->dtype != DType::f32) return std::nullopt;
  const bool is_sum = from->kind == ExprKind::binary && from->op == Op::add && from->args[1]->kind == ExprKind::constant;
  const Expr& rounded = is_sum ? from->args[0] : from;
  if (rounded->kind != ExprKind::unary || rounded->op != Op::round_even) return std::nullopt;
  const double zero_point = is_sum ? from->args[1]->real : 0;
  if (zero_point != std::nearbyint(zero_point) || std::abs(zero_point) > 255) return std::nullopt;
  const Expr& x = rounded->args[0];
  // Steps whose products with what they divide stay far from the ends of f32.
  const bool is_quotient = x->kind == ExprKind::binary && x->op == Op::div && x->args[1]->kind == ExprKind::constant && x->args[1]->real > kLeastStep && x->args[1]->real < 1 / kLeastStep;
  return is_quotient ? Quantization{x->args[0], static_cast<float>(x->args[1]->real), zero_point} : Quantization{x, 1, zero_point};
}

bool is_small_integer(const Expr& e) {
  if (e->dtype != DType::i32) return false;
  if (e->kind == ExprKind::constant) return std::abs(e->integer) < kSmall;
  if (e->kind == ExprKind::cast) return is_byte(e->args[0]->dtype);
  // One such sum of two, no deeper.
  return e->kind == ExprKind::binary && (e->op == Op::add || e->op == Op::sub) && e->args[1]->kind == ExprKind::constant && std::abs(e->args[1]->integer) < kSmall &&
         e->args[0]->kind == ExprKind::cast && is_byte(e->args[0]->args[0]->dtype);
}

}  // namespace intaglio::cuda
