// Scalar arithmetic of the interpreter, as plain as it can be.
#include "tests/codegen/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <stdexcept>

#include "support/elements.h"
#include "support/small_float.h"

namespace intaglio::testing {

using kernel::Op;

namespace {

/// Rounds to a binary float with `mantissa` explicit bits and exponents down to 2^`lowest`; to even.
double round_float(double value, int mantissa, int lowest, double largest) {
  if (std::isnan(value) || std::isinf(value) || value == 0) return value;
  int exponent = 0;
  std::frexp(value, &exponent);
  const double unit = std::ldexp(1.0, std::max(exponent - 1, lowest) - mantissa);
  const double rounded = std::nearbyint(value / unit) * unit;
  return std::fabs(rounded) > largest ? std::copysign(std::numeric_limits<double>::infinity(), value) : rounded;
}

double round_to(DType dtype, double value) {
  if (dtype == DType::f32) return static_cast<double>(static_cast<float>(value));
  if (dtype == DType::f16) return round_float(value, 10, -14, 65504.0);
  if (dtype == DType::bf16) return round_float(value, 7, -126, 0x1.fep127);
  // These saturate.
  if (dtype == DType::f8e4m3fn) return std::clamp(round_float(value, 3, -6, 480.0), -448.0, 448.0);
  if (dtype == DType::f8e5m2) return std::clamp(round_float(value, 2, -14, 65536.0), -57344.0, 57344.0);
  return value;
}

std::int64_t wrap_to(DType dtype, std::int64_t value) {
  switch (dtype) {
    case DType::boolean:
      return value != 0;
    case DType::i8:
      return static_cast<std::int8_t>(value);
    case DType::u8:
      return static_cast<std::uint8_t>(value);
    case DType::i16:
      return static_cast<std::int16_t>(value);
    case DType::u16:
      return static_cast<std::uint16_t>(value);
    case DType::i32:
      return static_cast<std::int32_t>(value);
    case DType::u32:
      return static_cast<std::uint32_t>(value);
    default:
      return value;
  }
}

std::int64_t saturated(DType dtype, double value) {
  if (std::isnan(value)) return 0;
  const int bits = dtype_bits(dtype);
  const bool is_unsigned = is_unsigned_integer(dtype);
  const double low = is_unsigned ? 0 : -std::ldexp(1.0, bits - 1);
  const double high = std::ldexp(1.0, is_unsigned ? bits : bits - 1);
  if (value <= low) return static_cast<std::int64_t>(low);
  if (value >= high)
    return is_unsigned ? static_cast<std::int64_t>(~std::uint64_t{0} >> (64 - bits))
                       : std::numeric_limits<std::int64_t>::max() >> (64 - bits);
  return value >= 0x1p63 ? static_cast<std::int64_t>(static_cast<std::uint64_t>(value)) : static_cast<std::int64_t>(value);
}

double real_unary(Op op, double x) {
  switch (op) {
    case Op::neg:
      return -x;
    case Op::abs:
      return std::fabs(x);
    case Op::sqrt:
      return std::sqrt(x);
    case Op::floor:
      return std::floor(x);
    case Op::ceil:
      return std::ceil(x);
    case Op::trunc:
      return std::trunc(x);
    case Op::round_even:
      return std::nearbyint(x);
    case Op::exp:
      return std::exp(x);
    case Op::log:
      return std::log(x);
    case Op::tanh:
      return std::tanh(x);
    case Op::sin:
      return std::sin(x);
    case Op::cos:
      return std::cos(x);
    case Op::erf:
      return std::erf(x);
    case Op::sigmoid:
      return 1 / (1 + std::exp(-x));
    default:
      throw std::logic_error(fmt::format("{} of a float", op_text(op)));
  }
}

std::int64_t integer_unary(Op op, std::int64_t x) {
  switch (op) {
    case Op::neg:
      return static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(x));
    case Op::abs:
      return x < 0 ? static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(x)) : x;
    case Op::logical_not:
      return x == 0;
    case Op::bit_not:
      return ~x;
    case Op::floor:
    case Op::ceil:
    case Op::trunc:
    case Op::round_even:
      return x;
    default:
      throw std::logic_error(fmt::format("{} of an integer", op_text(op)));
  }
}

double real_binary(Op op, double a, double b) {
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
    case Op::pow:
      return std::pow(a, b);
    case Op::rem:
      return std::fmod(a, b);
    case Op::mod: {
      const double r = std::fmod(a, b);
      return r != 0 && (r < 0) != (b < 0) ? r + b : r;
    }
    // NaN is kept
    case Op::min:
      return std::isnan(a) || std::isnan(b) ? std::nan("") : std::min(a, b);
    case Op::max:
      return std::isnan(a) || std::isnan(b) ? std::nan("") : std::max(a, b);
    default:
      throw std::logic_error(fmt::format("{} of floats", op_text(op)));
  }
}

std::int64_t integer_division(Op op, std::int64_t a, std::int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return op == Op::div ? integer_unary(Op::neg, a) : 0;
  if (op == Op::div) return a / b;
  const std::int64_t r = a % b;
  return op == Op::mod && r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

std::int64_t integer_binary(Op op, DType dtype, std::int64_t a, std::int64_t b) {
  const auto ua = static_cast<std::uint64_t>(a), ub = static_cast<std::uint64_t>(b);
  const bool is_unsigned = is_unsigned_integer(dtype);
  switch (op) {
    case Op::add:
      return static_cast<std::int64_t>(ua + ub);
    case Op::sub:
      return static_cast<std::int64_t>(ua - ub);
    case Op::mul:
      return static_cast<std::int64_t>(ua * ub);
    case Op::index_div:
    case Op::index_mod:
      if (a < 0 || b <= 0) throw std::domain_error(fmt::format("{}({}, {})", op_text(op), a, b));
      return op == Op::index_div ? a / b : a % b;
    case Op::div:
    case Op::mod:
    case Op::rem:
      if (is_unsigned) return ub == 0 ? 0 : static_cast<std::int64_t>(op == Op::div ? ua / ub : ua % ub);
      return integer_division(op, a, b);
    case Op::min:
      return is_unsigned ? (ua < ub ? a : b) : std::min(a, b);
    case Op::max:
      return is_unsigned ? (ua > ub ? a : b) : std::max(a, b);
    case Op::logical_and:
    case Op::bit_and:
      return a & b;
    case Op::logical_or:
    case Op::bit_or:
      return a | b;
    case Op::logical_xor:
    case Op::bit_xor:
      return a ^ b;
    case Op::shl:
      return static_cast<std::int64_t>(ua << ub);
    case Op::shr:
      return is_unsigned ? static_cast<std::int64_t>(ua >> ub) : a >> b;
    case Op::pow: {
      std::uint64_t result = 1;
      for (std::int64_t i = 0; i < b; ++i) result *= ua;
      return static_cast<std::int64_t>(result);
    }
    default:
      throw std::logic_error(fmt::format("{} of integers", op_text(op)));
  }
}

template <typename T>
bool ordered(Op op, T a, T b) {
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
    default:
      return a >= b;
  }
}

template <typename T>
T read(const Tensor& tensor, std::int64_t i) {
  T value;
  std::memcpy(&value, static_cast<const char*>(tensor.data()) + i * static_cast<std::int64_t>(sizeof(T)), sizeof(T));
  return value;
}

template <typename T>
void write(Tensor& tensor, std::int64_t i, T value) {
  std::memcpy(static_cast<char*>(tensor.mutable_data()) + i * static_cast<std::int64_t>(sizeof(T)), &value, sizeof(T));
}

double half_to_double(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31;
  const double mantissa = bits & 1023;
  const double magnitude = exponent == 31  ? (mantissa != 0 ? std::nan("") : std::numeric_limits<double>::infinity())
                           : exponent == 0 ? std::ldexp(mantissa, -24)
                                           : std::ldexp(1024 + mantissa, exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/// `value` is one that the type represents.
std::uint16_t double_to_half(double value) {
  const std::uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (std::isnan(value)) return 0x7e00;
  if (std::isinf(value)) return sign | 0x7c00;
  if (magnitude < 0x1p-14) return sign | static_cast<std::uint16_t>(std::ldexp(magnitude, 24));
  int exponent = 0;
  const double fraction = std::frexp(magnitude, &exponent);
  return static_cast<std::uint16_t>(sign | (exponent + 14) << 10 | (static_cast<int>(std::ldexp(fraction, 11)) - 1024));
}

}  // namespace

Scalar of_real(DType dtype, double value) { return {dtype, round_to(dtype, value), 0}; }

Scalar of_integer(DType dtype, std::int64_t value) { return {dtype, 0, wrap_to(dtype, value)}; }

Scalar converted(const Scalar& a, DType to) {
  if (is_float(a.dtype)) {
    if (is_float(to)) return of_real(to, a.real);
    return to == DType::boolean ? of_integer(to, a.real != 0) : of_integer(to, saturated(to, a.real));
  }
  if (!is_float(to)) return of_integer(to, a.integer);
  if (a.dtype == DType::u64) return of_real(to, static_cast<double>(static_cast<std::uint64_t>(a.integer)));
  return of_real(to, static_cast<double>(a.integer));
}

Scalar apply_binary(Op op, const Scalar& a, const Scalar& b) {
  if (is_float(a.dtype)) return of_real(a.dtype, real_binary(op, a.real, b.real));
  return of_integer(a.dtype, integer_binary(op, a.dtype, a.integer, b.integer));
}

Scalar read_scalar(const Tensor& tensor, std::int64_t i) {
  const DType dtype = tensor.dtype();
  switch (dtype) {
    case DType::f32:
      return of_real(dtype, static_cast<double>(read<float>(tensor, i)));
    case DType::f64:
      return of_real(dtype, read<double>(tensor, i));
    case DType::f16:
      return of_real(dtype, half_to_double(read<std::uint16_t>(tensor, i)));
    case DType::bf16:
      return of_real(dtype, static_cast<double>(std::bit_cast<float>(std::uint32_t{read<std::uint16_t>(tensor, i)} << 16)));
    case DType::f8e4m3fn:
    case DType::f8e5m2:
      return of_real(dtype, decode_small_float(dtype, read<std::uint8_t>(tensor, i)));
    case DType::i64:
    case DType::u64:
      return of_integer(dtype, read<std::int64_t>(tensor, i));
    case DType::i32:
    case DType::u32:
      return of_integer(dtype, read<std::int32_t>(tensor, i));
    case DType::i16:
    case DType::u16:
      return of_integer(dtype, read<std::int16_t>(tensor, i));
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return of_integer(dtype, read<std::int8_t>(tensor, i));
    case DType::i4:
      return of_integer(dtype, get_integer(tensor, i));
    default:
      throw std::logic_error(fmt::format("load of {}", dtype_name(dtype)));
  }
}

void write_scalar(Tensor& tensor, std::int64_t i, const Scalar& value) {
  switch (tensor.dtype()) {
    case DType::f32:
      return write(tensor, i, static_cast<float>(value.real));
    case DType::f64:
      return write(tensor, i, value.real);
    case DType::f16:
      return write(tensor, i, double_to_half(value.real));
    case DType::bf16:
      return write(tensor, i, static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(static_cast<float>(value.real)) >> 16));
    case DType::f8e4m3fn:
    case DType::f8e5m2:
      return write(tensor, i, static_cast<std::uint8_t>(encode_small_float(tensor.dtype(), value.real)));
    case DType::i64:
    case DType::u64:
      return write(tensor, i, value.integer);
    case DType::i32:
    case DType::u32:
      return write(tensor, i, static_cast<std::int32_t>(value.integer));
    case DType::i16:
    case DType::u16:
      return write(tensor, i, static_cast<std::int16_t>(value.integer));
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return write(tensor, i, static_cast<std::int8_t>(value.integer));
    case DType::i4:
      return set_integer(tensor, i, value.integer);
    default:
      throw std::logic_error(fmt::format("store of {}", dtype_name(tensor.dtype())));
  }
}

/// The pattern of a value in memory, for bitcasts.
Scalar bitcast_scalar(const Scalar& a, DType to) {
  Tensor memory(a.dtype, {1});
  write_scalar(memory, 0, a);
  const auto bytes = std::make_shared<Tensor>(memory);
  return read_scalar(Tensor(to, {1}, bytes, bytes->data()), 0);
}

Scalar identity(Op op, DType dtype) {
  const double infinity = std::numeric_limits<double>::infinity();
  if (op == Op::mul || op == Op::logical_and) return is_float(dtype) ? of_real(dtype, 1) : of_integer(dtype, 1);
  if (op == Op::min) return is_float(dtype) ? of_real(dtype, infinity) : of_integer(dtype, saturated(dtype, infinity));
  if (op == Op::max) return is_float(dtype) ? of_real(dtype, -infinity) : of_integer(dtype, saturated(dtype, -infinity));
  return is_float(dtype) ? of_real(dtype, 0) : of_integer(dtype, 0);
}

Scalar apply_unary(Op op, const Scalar& a) {
  if (op == Op::is_nan) return of_integer(DType::boolean, std::isnan(a.real));
  return is_float(a.dtype) ? of_real(a.dtype, real_unary(op, a.real)) : of_integer(a.dtype, integer_unary(op, a.integer));
}

Scalar apply_compare(Op op, const Scalar& a, const Scalar& b) {
  if (is_float(a.dtype)) return of_integer(DType::boolean, ordered(op, a.real, b.real));
  if (a.dtype == DType::u64) {
    return of_integer(DType::boolean, ordered(op, static_cast<std::uint64_t>(a.integer), static_cast<std::uint64_t>(b.integer)));
  }
  return of_integer(DType::boolean, ordered(op, a.integer, b.integer));
}

}  // namespace intaglio::testing
