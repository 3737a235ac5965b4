// Types as text, layouts as strides.

#include "ir/type.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <numeric>

namespace intaglio {

bool Type::is_row_major() const {
  for (std::size_t i = 0; i < layout.size(); ++i) {
    if (layout[i] != static_cast<int>(i)) return false;
  }
  return true;
}

std::string to_text(const Type& type) {
  std::string text = fmt::format("{}{}", dtype_name(type.dtype), to_text(type.shape));
  if (!type.is_row_major()) text += fmt::format("{{{}}}", fmt::join(type.layout, ","));
  return text;
}

bool has_possible_size(const Shape& shape) {
  std::int64_t count = 1;
  for (const Dim& dim : shape) {
    const std::int64_t extent = dim.constant().value_or(1);
    if (extent < 0 || __builtin_mul_overflow(count, extent, &count) || count > kMostElements) return false;
  }
  return true;
}

Layout explicit_layout(const Type& type) {
  if (!type.layout.empty()) return type.layout;
  Layout layout(type.shape.size());
  std::iota(layout.begin(), layout.end(), 0);
  return layout;
}

std::vector<Dim> strides(const Type& type) {
  std::vector<Dim> result(type.shape.size(), Dim(1));
  const Layout order = explicit_layout(type);
  Dim stride = 1;
  for (std::size_t i = order.size(); i-- > 0;) {
    result[order[i]] = stride;
    stride = stride * type.shape[order[i]];
  }
  return result;
}

Layout channels_last(int rank) {
  Layout layout{0};
  for (int i = 2; i < rank; ++i) layout.push_back(i);
  if (rank > 1) layout.push_back(1);
  return layout;
}

}  // namespace intaglio
