// Arithmetic on constants, bit for bit what generated code computes: f32 operations in double and rounded once are exact for + - * / and
// sqrt.
#include "ir/kernel/fold.h"

#include <cmath>
#include <limits>

namespace intaglio::kernel::fold {
namespace {

bool is_constant(const Expr& e) { return e->kind == ExprKind::constant; }

/// Types whose arithmetic is done in themselves; the smaller floats are storage only and are left alone.
bool computes(DType dtype) { return dtype == DType::f32 || dtype == DType::f64; }

Expr boolean(bool value) { return integer_constant(DType::boolean, value); }

std::optional<double> float_binary(Op op, double a, double b) {
  switch (op) {
    case Op::add:
      return a + b;
    case Op::sub:
      return a - b;
    case Op::mul:
      return a * b;
    case Op::div:
    case Op::div_near:
      return a / b;
    // NaN and signed zeros are the emitter's to define
    case Op::min:
      return a < b ? std::optional(a) : b < a ? std::optional(b) : std::nullopt;
    case Op::max:
      return a > b ? std::optional(a) : b > a ? std::optional(b) : std::nullopt;
    default:
      return std::nullopt;
  }
}

std::int64_t floor_mod(std::int64_t a, std::int64_t b) {
  const std::int64_t r = a % b;
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

/// Wrapping arithmetic in 64 bits; u64 values are stored as their bits, so what depends on the sign is left to run time for them.
std::optional<std::int64_t> integer_binary(Op op, DType dtype, std::int64_t a, std::int64_t b) {
  const auto ua = static_cast<std::uint64_t>(a), ub = static_cast<std::uint64_t>(b);
  switch (op) {
    case Op::add:
      return static_cast<std::int64_t>(ua + ub);
    case Op::sub:
      return static_cast<std::int64_t>(ua - ub);
    case Op::mul:
      return static_cast<std::int64_t>(ua * ub);
    case Op::bit_and:
      return a & b;
    case Op::bit_or:
      return a | b;
    case Op::bit_xor:
      return a ^ b;
    case Op::logical_and:
      return a & b;
    case Op::logical_or:
      return a | b;
    case Op::logical_xor:
      return a ^ b;
    default:
      break;
  }
  if (dtype == DType::u64) return std::nullopt;
  if (op == Op::min) return std::min(a, b);
  if (op == Op::max) return std::max(a, b);
  // the corner cases of division stay with the emitter
  if (b == 0 || b == -1) return std::nullopt;
  if (op == Op::div || op == Op::index_div) return a / b;
  if (op == Op::rem || op == Op::index_mod) return a % b;
  if (op == Op::mod) return floor_mod(a, b);
  return std::nullopt;
}

template <typename T>
std::optional<bool> ordered(Op op, T a, T b) {
  switch (op) {
    case Op::eq:
      return a == b;
    case Op::ne:
      return a != b;
    case Op::lt:
      return a < b;
    case Op::le:
      return a <= b;
    case Op::gt:
      return a > b;
    case Op::ge:
      return a >= b;
    default:
      return std::nullopt;
  }
}

}  // namespace

double round_to(DType dtype, double value) { return dtype == DType::f64 ? value : static_cast<double>(static_cast<float>(value)); }

std::int64_t wrap_to(DType dtype, std::int64_t value) {
  if (dtype == DType::boolean) return value != 0;
  const int bits = dtype_bits(dtype);
  if (bits >= 64) return value;
  const auto shifted = static_cast<std::uint64_t>(value) << (64 - bits);
  if (is_unsigned_integer(dtype)) return static_cast<std::int64_t>(shifted >> (64 - bits));
  return static_cast<std::int64_t>(shifted) >> (64 - bits);
}

Expr convert_to_integer(DType dtype, double value) {
  if (dtype == DType::boolean) return boolean(value != 0);
  if (std::isnan(value)) return integer_constant(dtype, 0);
  const int bits = dtype_bits(dtype);
  const bool is_unsigned = is_unsigned_integer(dtype);
  const double low = is_unsigned ? 0.0 : -std::ldexp(1.0, bits - 1);
  const double high = std::ldexp(1.0, is_unsigned ? bits : bits - 1);
  if (value <= low) return integer_constant(dtype, is_unsigned ? 0 : static_cast<std::int64_t>(low));
  if (value < high) {
    const double whole = std::trunc(value);
    return integer_constant(
        dtype, whole >= 0x1p63 ? static_cast<std::int64_t>(static_cast<std::uint64_t>(whole)) : static_cast<std::int64_t>(whole));
  }
  const std::uint64_t all_ones = ~std::uint64_t{0} >> (64 - bits);
  return integer_constant(dtype, static_cast<std::int64_t>(is_unsigned ? all_ones : all_ones >> 1));
}

Expr unary(Op op, const Expr& a) {
  if (!is_constant(a)) return nullptr;
  if (op == Op::logical_not) return boolean(a->integer == 0);
  if (computes(a->dtype)) {
    switch (op) {
      case Op::neg:
        return constant(a->dtype, -a->real);
      case Op::abs:
        return constant(a->dtype, std::fabs(a->real));
      case Op::sqrt:
        return constant(a->dtype, std::sqrt(a->real));
      case Op::is_nan:
        return boolean(std::isnan(a->real));
      default:
        return nullptr;
    }
  }
  if (op == Op::neg && is_integer(a->dtype))
    return integer_constant(a->dtype, static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a->integer)));
  if (op == Op::bit_not && is_integer(a->dtype)) return integer_constant(a->dtype, ~a->integer);
  return nullptr;
}

Expr binary(Op op, const Expr& a, const Expr& b) {
  if (!is_constant(a) || !is_constant(b)) return nullptr;
  if (computes(a->dtype)) {
    const std::optional<double> value = float_binary(op, a->real, b->real);
    return value ? constant(a->dtype, *value) : nullptr;
  }
  if (is_float(a->dtype)) return nullptr;
  const std::optional<std::int64_t> value = integer_binary(op, a->dtype, a->integer, b->integer);
  return value ? integer_constant(a->dtype, *value) : nullptr;
}

Expr compare(Op op, const Expr& a, const Expr& b) {
  if (!is_constant(a) || !is_constant(b)) return nullptr;
  const std::optional<bool> value = is_float(a->dtype) ? ordered(op, a->real, b->real)
                                    : a->dtype == DType::u64
                                        ? ordered(op, static_cast<std::uint64_t>(a->integer), static_cast<std::uint64_t>(b->integer))
                                        : ordered(op, a->integer, b->integer);
  return value ? boolean(*value) : nullptr;
}

Expr cast(const Expr& a, DType to) {
  if (!is_constant(a)) return nullptr;
  if (is_float(a->dtype)) {
    // The storage types round in ways of their own.
    if (is_float(to) && !computes(to)) return nullptr;
    return constant(to, a->real);
  }
  if (!is_float(to)) return integer_constant(to, a->integer);
  if (!computes(to)) return nullptr;
  const auto bits = static_cast<std::uint64_t>(a->integer);
  // Straight to the target: through double, a 64-bit integer would round twice.
  if (to == DType::f32)
    return constant(
        to, a->dtype == DType::u64 ? static_cast<double>(static_cast<float>(bits)) : static_cast<double>(static_cast<float>(a->integer)));
  return constant(to, a->dtype == DType::u64 ? static_cast<double>(bits) : static_cast<double>(a->integer));
}

}  // namespace intaglio::kernel::fold
