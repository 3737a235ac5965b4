// Shapes and strides of broadcasts; see walk.h.
#include "runtime/host/walk.h"

#include <algorithm>

namespace intaglio::host {

Extents broadcast_strides(const Extents& from, const Extents& to) {
  const Extents strides = row_major_strides(from);
  const std::size_t lead = to.size() - from.size();
  Extents result(to.size(), 0);
  for (std::size_t d = 0; d < from.size(); ++d) result[lead + d] = from[d] == 1 ? 0 : strides[d];
  return result;
}

Extents broadcast_shape(const Extents& a, const Extents& b) {
  Extents result = a.size() >= b.size() ? a : b;
  const Extents& shorter = a.size() >= b.size() ? b : a;
  const std::size_t lead = result.size() - shorter.size();
  for (std::size_t d = 0; d < shorter.size(); ++d) {
    if (result[lead + d] == 1) result[lead + d] = shorter[d];
  }
  return result;
}

std::int64_t count_between(const Extents& extents, std::size_t begin, std::size_t end) {
  return element_count(std::span(extents).subspan(begin, end - begin));
}

}  // namespace intaglio::host
