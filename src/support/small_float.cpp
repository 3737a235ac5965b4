// One description of each format, one decoder, one encoder.

#include "support/small_float.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/diagnostics.h"

namespace intaglio {
namespace {

struct Format {
  int exponent_bits;
  int mantissa_bits;
  int bias;
  bool has_infinity;        ///< the highest exponent is infinity and NaN, as in IEEE 754
  bool nan_is_negative_zero;  ///< the fnuz kinds
  bool nan_is_all_ones;     ///< f8e4m3fn
};

Format format_of(DType dtype) {
  switch (dtype) {
    case DType::f16: return {5, 10, 15, true, false, false};
    case DType::bf16: return {8, 7, 127, true, false, false};
    case DType::f8e4m3fn: return {4, 3, 7, false, false, true};
    case DType::f8e4m3fnuz: return {4, 3, 8, false, true, false};
    case DType::f8e5m2: return {5, 2, 15, true, false, false};
    case DType::f8e5m2fnuz: return {5, 2, 16, false, true, false};
    case DType::f4e2m1: return {2, 1, 1, false, false, false};
    default: break;
  }
  internal_check(false, "{} is not a small float", dtype_name(dtype));
  return {};
}

std::uint32_t sign_bit(const Format& f) { return 1u << (f.exponent_bits + f.mantissa_bits); }

std::uint32_t nan_bits(const Format& f) {
  if (f.nan_is_negative_zero) return sign_bit(f);
  if (f.nan_is_all_ones) return sign_bit(f) - 1;
  const std::uint32_t highest = ((1u << f.exponent_bits) - 1) << f.mantissa_bits;
  return highest | (1u << (f.mantissa_bits - 1));
}

/// The bit pattern of the largest finite value.
std::uint32_t largest_bits(const Format& f) {
  if (f.has_infinity) return (((1u << f.exponent_bits) - 1) << f.mantissa_bits) - 1;
  return sign_bit(f) - 1 - (f.nan_is_all_ones ? 1 : 0);
}

double decode_exponent_only(std::uint32_t bits) {
  return bits == 255 ? std::numeric_limits<double>::quiet_NaN() : std::ldexp(1.0, static_cast<int>(bits) - 127);
}

std::uint32_t encode_exponent_only(double value) {
  if (std::isnan(value)) return 255;
  if (value <= 0) return 0;
  const double exponent = std::nearbyint(std::log2(value));
  return static_cast<std::uint32_t>(std::clamp(exponent + 127, 0.0, 254.0));
}

}  // namespace

double decode_small_float(DType dtype, std::uint32_t bits) {
  if (dtype == DType::f8e8m0) return decode_exponent_only(bits & 255);
  const Format f = format_of(dtype);
  const bool negative = bits & sign_bit(f);
  const std::uint32_t magnitude = bits & (sign_bit(f) - 1);
  if (f.nan_is_negative_zero && negative && magnitude == 0) return std::numeric_limits<double>::quiet_NaN();
  if (f.nan_is_all_ones && magnitude == sign_bit(f) - 1) return std::numeric_limits<double>::quiet_NaN();
  const int exponent = static_cast<int>(magnitude >> f.mantissa_bits);
  const std::uint32_t mantissa = magnitude & ((1u << f.mantissa_bits) - 1);
  double value = 0;
  if (f.has_infinity && exponent == (1 << f.exponent_bits) - 1) {
    value = mantissa ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  } else if (exponent == 0) {
    value = std::ldexp(mantissa, 1 - f.bias - f.mantissa_bits);
  } else {
    value = std::ldexp((1u << f.mantissa_bits) + mantissa, exponent - f.bias - f.mantissa_bits);
  }
  return negative ? -value : value;
}

std::uint32_t encode_small_float(DType dtype, double value, bool saturate) {
  if (dtype == DType::f8e8m0) return encode_exponent_only(value);
  const Format f = format_of(dtype);
  const bool only_finite = dtype == DType::f4e2m1;
  if (std::isnan(value)) return only_finite ? largest_bits(f) : nan_bits(f);
  const std::uint32_t sign = std::signbit(value) ? sign_bit(f) : 0;
  const double magnitude = std::fabs(value);
  const std::uint32_t overflow = saturate || only_finite ? largest_bits(f) | sign : f.has_infinity ? (largest_bits(f) + 1) | sign : nan_bits(f) | (f.nan_is_all_ones ? sign : 0);
  if (std::isinf(magnitude)) return overflow;
  if (magnitude == 0) return f.nan_is_negative_zero ? 0 : sign;

  // Units of the last place at this magnitude; below the smallest normal number they stay those of the denormals.
  int exponent = 0;
  std::frexp(magnitude, &exponent);
  const int lowest = 1 - f.bias;
  const int place = std::max(exponent - 1, lowest) - f.mantissa_bits;
  const double units = std::nearbyint(std::ldexp(magnitude, -place));  // halves to even, the default rounding mode
  // Rounding up to the next power of two carries into the exponent by itself.
  const auto rounded = static_cast<std::int64_t>(units);
  const std::int64_t bits = exponent - 1 < lowest ? rounded : rounded + (static_cast<std::int64_t>(exponent - 1 - lowest) << f.mantissa_bits);
  if (bits > static_cast<std::int64_t>(largest_bits(f))) return overflow;
  if (bits == 0 && f.nan_is_negative_zero) return 0;
  return static_cast<std::uint32_t>(bits) | sign;
}

}  // namespace intaglio
