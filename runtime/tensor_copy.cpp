// See tensor_copy.h.

#include "runtime/tensor_copy.h"

#include <fmt/ranges.h>

#include <cstring>

#include "intaglio/artifact.h"
#include "intaglio/tensor.h"

namespace intaglio::runtime {
namespace {

/// Calls copy(offset in the tensor, offset in dense memory, bytes) for each run of contiguous bytes.
template <typename F>
void for_each_run(const intaglio_tensor& tensor, F copy) {
  const std::int64_t size = dtype_bits(static_cast<DType>(tensor.dtype)) / 8;
  std::int64_t count = 1;
  for (int d = 0; d < tensor.rank; ++d) count *= tensor.shape[d];
  if (is_dense(tensor)) return copy(std::int64_t{0}, std::int64_t{0}, static_cast<std::size_t>(count * size));
  std::int64_t index[INTAGLIO_MAX_RANK] = {};
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t offset = 0;
    for (int d = 0; d < tensor.rank; ++d) offset += index[d] * tensor.strides[d];
    copy(offset * size, i * size, static_cast<std::size_t>(size));
    for (int d = tensor.rank - 1; d >= 0 && ++index[d] == tensor.shape[d]; --d) index[d] = 0;
  }
}

}  // namespace

std::string type_text(const intaglio_tensor& tensor) {
  if (tensor.rank < 0 || tensor.rank > INTAGLIO_MAX_RANK) return fmt::format("rank {}", tensor.rank);
  const bool known = tensor.dtype >= 0 && tensor.dtype <= static_cast<int>(DType::i2);
  return fmt::format("{}[{}]", known ? std::string(dtype_name(static_cast<DType>(tensor.dtype))) : fmt::format("dtype {}", tensor.dtype),
                     fmt::join(tensor.shape, tensor.shape + tensor.rank, ","));
}

bool is_dense(const intaglio_tensor& tensor) {
  if (!tensor.strides) return true;
  std::int64_t expected = 1;
  for (int d = tensor.rank - 1; d >= 0; --d) {
    if (tensor.shape[d] != 1 && tensor.strides[d] != expected) return false;
    expected *= tensor.shape[d];
  }
  return true;
}

bool is_usable_in_place(const intaglio_tensor& tensor) {
  return tensor.data && reinterpret_cast<std::uintptr_t>(tensor.data) % INTAGLIO_ALIGNMENT == 0 && is_dense(tensor);
}

void copy_to_dense(const intaglio_tensor& tensor, char* dense) {
  const auto* data = static_cast<const char*>(tensor.data);
  for_each_run(tensor, [&](std::int64_t from, std::int64_t to, std::size_t bytes) { std::memcpy(dense + to, data + from, bytes); });
}

void copy_from_dense(const char* dense, const intaglio_tensor& tensor) {
  auto* data = static_cast<char*>(tensor.data);
  for_each_run(tensor, [&](std::int64_t to, std::int64_t from, std::size_t bytes) { std::memcpy(data + to, dense + from, bytes); });
}

}  // namespace intaglio::runtime
