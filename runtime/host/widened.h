// Elements in the types that reference kernels compute in: double for floats, 64 bits for integers.
#pragma once

#include <vector>

#include "intaglio/tensor.h"

namespace intaglio::host {

/// The elements of a tensor of numbers or booleans as doubles. 64-bit integers round.
std::vector<double> reals(const Tensor& tensor);
/// The elements of a tensor of integers or booleans; u64 as the same bits.
std::vector<std::int64_t> integers(const Tensor& tensor);

/// The tensor of widened values: floats rounded, halves to even; integers saturated from double (NaN is 0) and wrapped from 64 bits.
Tensor narrowed(DType dtype, const Extents& shape, const std::vector<double>& values);
Tensor narrowed(DType dtype, const Extents& shape, const std::vector<std::int64_t>& values);
Tensor narrowed(DType dtype, const Extents& shape, const std::vector<std::uint64_t>& values);

/// `value` rounded to the type that floats of `dtype` are computed in: f32 for all but f64.
double rounded_to_compute(DType dtype, double value);
/// The smallest and the largest integer of a dtype; u64 as the same bits.
std::int64_t lowest_integer(DType dtype);
std::int64_t highest_integer(DType dtype);

/// Calls `f` with the elements of all tensors as vectors of double, std::int64_t or, for u64, std::uint64_t, by the dtype of the first.
template <typename F, typename... Tensors>
auto with_widened(F f, const Tensor& first, const Tensors&... rest) {
  if (is_float(first.dtype())) return f(reals(first), reals(rest)...);
  if (first.dtype() != DType::u64) return f(integers(first), integers(rest)...);
  const auto bits = [](const Tensor& tensor) {
    const auto values = tensor.span<std::uint64_t>();
    return std::vector<std::uint64_t>(values.begin(), values.end());
  };
  return f(bits(first), bits(rest)...);
}

}  // namespace intaglio::host
