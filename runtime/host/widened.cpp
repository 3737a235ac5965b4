// Widening and narrowing of whole tensors.
#include "runtime/host/widened.h"

#include <algorithm>

#include "support/elements.h"

namespace intaglio::host {

std::vector<double> reals(const Tensor& tensor) {
  if (tensor.dtype() == DType::f32) {
    const auto values = tensor.span<float>();
    return {values.begin(), values.end()};
  }
  std::vector<double> values(static_cast<std::size_t>(tensor.elements()));
  for (std::int64_t i = 0; i < tensor.elements(); ++i) values[i] = get_real(tensor, i);
  return values;
}

std::vector<std::int64_t> integers(const Tensor& tensor) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(tensor.elements()));
  for (std::int64_t i = 0; i < tensor.elements(); ++i) values[i] = get_integer(tensor, i);
  return values;
}

Tensor narrowed(DType dtype, const Extents& shape, const std::vector<double>& values) {
  Tensor tensor(dtype, shape);
  if (dtype == DType::f32) {
    std::transform(values.begin(), values.end(), tensor.mutable_span<float>().begin(), [](double v) { return static_cast<float>(v); });
    return tensor;
  }
  for (std::int64_t i = 0; i < tensor.elements(); ++i) set_real(tensor, i, values[i]);
  return tensor;
}

Tensor narrowed(DType dtype, const Extents& shape, const std::vector<std::int64_t>& values) {
  Tensor tensor(dtype, shape);
  for (std::int64_t i = 0; i < tensor.elements(); ++i) set_integer(tensor, i, values[i]);
  return tensor;
}

Tensor narrowed(DType dtype, const Extents& shape, const std::vector<std::uint64_t>& values) {
  Tensor tensor(dtype, shape);
  for (std::int64_t i = 0; i < tensor.elements(); ++i) set_integer(tensor, i, static_cast<std::int64_t>(values[i]));
  return tensor;
}

double rounded_to_compute(DType dtype, double value) {
  return dtype == DType::f64 ? value : static_cast<double>(static_cast<float>(value));
}

std::int64_t lowest_integer(DType dtype) {
  return is_signed_integer(dtype) ? static_cast<std::int64_t>(~std::uint64_t{0} << (dtype_bits(dtype) - 1)) : 0;
}

std::int64_t highest_integer(DType dtype) {
  if (dtype == DType::boolean) return 1;
  const std::uint64_t ones = ~std::uint64_t{0} >> (64 - dtype_bits(dtype));
  return static_cast<std::int64_t>(is_signed_integer(dtype) ? ones >> 1 : ones);
}

}  // namespace intaglio::host
