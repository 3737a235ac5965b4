// The reference matrix product.
#include "runtime/host/host.h"
#include "runtime/host/walk.h"
#include "runtime/host/widened.h"

namespace intaglio::host {
namespace {

/// The product of stacks of matrices in type T; integers as unsigned, which may wrap.
template <typename T>
std::vector<T> product(const Extents& result_shape, const Tensor& a, const std::vector<T>& a_values, const Tensor& b,
                       const std::vector<T>& b_values) {
  const std::int64_t rows = *(result_shape.end() - 2), columns = result_shape.back(), depth = a.shape().back();
  const auto stack = [](const Extents& shape) { return Extents(shape.begin(), shape.end() - 2); };
  const Extents batch = stack(result_shape);
  std::vector<T> result(static_cast<std::size_t>(element_count(result_shape)));
  T* out = result.data();
  walk<2>(batch, {broadcast_strides(stack(a.shape()), batch), broadcast_strides(stack(b.shape()), batch)}, [&](const auto& at) {
    for (std::int64_t m = 0; m < rows; ++m, out += columns) {
      for (std::int64_t k = 0; k < depth; ++k) {
        const T factor = a_values[(at[0] * rows + m) * depth + k];
        const T* const row = b_values.data() + (at[1] * depth + k) * columns;
        for (std::int64_t n = 0; n < columns; ++n) out[n] += factor * row[n];
      }
    }
  });
  return result;
}

std::vector<std::uint64_t> bits(const Tensor& tensor) {
  const auto values = integers(tensor);
  return {values.begin(), values.end()};
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  Extents shape = broadcast_shape({a.shape().begin(), a.shape().end() - 2}, {b.shape().begin(), b.shape().end() - 2});
  shape.push_back(*(a.shape().end() - 2));
  shape.push_back(b.shape().back());
  if (is_float(a.dtype())) return narrowed(a.dtype() == DType::f8e4m3fn ? DType::f32 : a.dtype(), shape, product(shape, a, reals(a), b, reals(b)));
  const bool bytes = a.dtype() == DType::u8 || a.dtype() == DType::i8;
  return narrowed(bytes ? DType::i32 : a.dtype(), shape, product(shape, a, bits(a), b, bits(b)));
}

}  // namespace intaglio::host
