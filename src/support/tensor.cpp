// Host tensors: shared, aligned memory.

#include "intaglio/tensor.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "support/diagnostics.h"

namespace intaglio {
namespace {

constexpr std::size_t kAlignment = 64;

std::shared_ptr<void> allocate_zeroed(std::size_t bytes) {
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  void* memory = std::aligned_alloc(kAlignment, rounded ? rounded : kAlignment);
  if (!memory) throw std::bad_alloc();
  std::memset(memory, 0, rounded);
  return {memory, std::free};
}

void require_possible_size(std::span<const std::int64_t> extents) {
  std::int64_t count = 1;
  for (std::int64_t extent : extents) {
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count) || count > kMostElements) throw std::bad_alloc();
  }
}

}  // namespace

std::int64_t element_count(std::span<const std::int64_t> extents) {
  std::int64_t count = 1;
  for (std::int64_t extent : extents) count *= extent;
  return count;
}

Extents row_major_strides(std::span<const std::int64_t> extents) {
  Extents strides(extents.size(), 1);
  for (std::size_t i = extents.size(); i-- > 1;) strides[i - 1] = strides[i] * extents[i];
  return strides;
}

Tensor::Tensor(DType dtype, Extents shape) : dtype_(dtype), shape_(std::move(shape)) {
  require_possible_size(shape_);
  owner_ = allocate_zeroed(bytes());
  data_ = owner_.get();
}

Tensor::Tensor(DType dtype, Extents shape, std::shared_ptr<const void> owner, const void* data)
    : dtype_(dtype), shape_(std::move(shape)), owner_(std::move(owner)), data_(data) {}

Tensor Tensor::reshaped(Extents shape) const {
  internal_check(element_count(shape) == elements(), "reshape to another number of elements");
  Tensor result = *this;
  result.shape_ = std::move(shape);
  return result;
}

}  // namespace intaglio
