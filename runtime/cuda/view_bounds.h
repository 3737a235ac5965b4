// Whether a view that a plan describes stays inside of its buffer: what the plan says is not trusted.
#pragma once

#include <cstdint>
#include <vector>

namespace intaglio::runtime::cuda {

/// True if a view's elements, of `element` bytes, lie within `bytes`: `offset` and `strides` (of all dimensions but the innermost) in bytes.
inline bool lies_within(std::int64_t offset, const std::vector<std::int64_t>& extents, const std::vector<std::int64_t>& strides, std::int64_t element,
                        std::int64_t bytes) {
  if (offset < 0 || extents[0] <= 0) return false;
  std::int64_t end = 0;
  bool fits = !__builtin_mul_overflow(extents[0], element, &end) && !__builtin_add_overflow(end, offset, &end);
  for (std::size_t i = 0; fits && i < strides.size(); ++i) {
    std::int64_t span = 0;
    fits = extents[i + 1] > 0 && strides[i] >= 0 && !__builtin_mul_overflow(extents[i + 1] - 1, strides[i], &span) && !__builtin_add_overflow(end, span, &end);
  }
  return fits && end <= bytes;
}

}  // namespace intaglio::runtime::cuda
