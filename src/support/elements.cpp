// Reads and writes elements through their bits.

#include "support/elements.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "support/diagnostics.h"
#include "support/small_float.h"

namespace intaglio {
namespace {

std::uint64_t get_bits(const Tensor& tensor, std::int64_t i) {
  const int width = dtype_bits(tensor.dtype());
  const auto* bytes = static_cast<const std::uint8_t*>(tensor.data());
  if (width < 8) return (bytes[i * width / 8] >> (i * width % 8)) & ((1u << width) - 1);
  std::uint64_t bits = 0;
  std::memcpy(&bits, bytes + i * (width / 8), static_cast<std::size_t>(width / 8));
  return bits;
}

void set_bits(Tensor& tensor, std::int64_t i, std::uint64_t bits) {
  const int width = dtype_bits(tensor.dtype());
  auto* bytes = static_cast<std::uint8_t*>(tensor.mutable_data());
  if (width < 8) {
    const int shift = static_cast<int>(i * width % 8);
    const auto mask = static_cast<std::uint8_t>(((1u << width) - 1) << shift);
    bytes[i * width / 8] = static_cast<std::uint8_t>((bytes[i * width / 8] & ~mask) | ((bits << shift) & mask));
    return;
  }
  std::memcpy(bytes + i * (width / 8), &bits, static_cast<std::size_t>(width / 8));
}

std::int64_t sign_extended(std::uint64_t bits, int width) {
  const int unused = 64 - width;
  return static_cast<std::int64_t>(bits << unused) >> unused;
}

std::int64_t saturated(DType dtype, double value) {
  if (std::isnan(value)) return 0;
  const int width = dtype_bits(dtype);
  const bool is_signed = is_signed_integer(dtype);
  const double low = is_signed ? -std::ldexp(1.0, width - 1) : 0;
  const double high = std::ldexp(1.0, is_signed ? width - 1 : width);  // exclusive
  if (value <= low) return is_signed ? -1 - static_cast<std::int64_t>((std::uint64_t{1} << (width - 1)) - 1) : 0;
  if (value >= high) return static_cast<std::int64_t>(is_signed ? (std::uint64_t{1} << (width - 1)) - 1 : ~std::uint64_t{0} >> (64 - width));
  return dtype == DType::u64 ? static_cast<std::int64_t>(static_cast<std::uint64_t>(value)) : static_cast<std::int64_t>(value);
}

}  // namespace

double get_real(const Tensor& tensor, std::int64_t i) {
  const DType dtype = tensor.dtype();
  const std::uint64_t bits = get_bits(tensor, i);
  if (dtype == DType::f32) {
    float value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  if (dtype == DType::f64) {
    double value = 0;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
  if (is_float(dtype)) return decode_small_float(dtype, static_cast<std::uint32_t>(bits));
  if (dtype == DType::u64) return static_cast<double>(bits);
  return static_cast<double>(get_integer(tensor, i));
}

std::int64_t get_integer(const Tensor& tensor, std::int64_t i) {
  const DType dtype = tensor.dtype();
  internal_check(is_integer(dtype) || dtype == DType::boolean, "{} is not a type of integers", dtype_name(dtype));
  const std::uint64_t bits = get_bits(tensor, i);
  if (dtype == DType::boolean) return bits != 0;
  return is_signed_integer(dtype) ? sign_extended(bits, dtype_bits(dtype)) : static_cast<std::int64_t>(bits);
}

void set_real(Tensor& tensor, std::int64_t i, double value) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::boolean) return set_bits(tensor, i, value != 0);
  if (is_integer(dtype)) return set_bits(tensor, i, static_cast<std::uint64_t>(saturated(dtype, value)));
  std::uint64_t bits = 0;
  if (dtype == DType::f32) {
    const auto narrowed = static_cast<float>(value);
    std::memcpy(&bits, &narrowed, sizeof narrowed);
  } else if (dtype == DType::f64) {
    std::memcpy(&bits, &value, sizeof value);
  } else {
    bits = encode_small_float(dtype, value, dtype_bits(dtype) <= 8);
  }
  set_bits(tensor, i, bits);
}

void set_integer(Tensor& tensor, std::int64_t i, std::int64_t value) {
  const DType dtype = tensor.dtype();
  if (dtype == DType::boolean) return set_bits(tensor, i, value != 0);
  if (is_float(dtype)) return set_real(tensor, i, static_cast<double>(value));
  set_bits(tensor, i, static_cast<std::uint64_t>(value));
}

}  // namespace intaglio
