// Walking multi-dimensional indices in row-major order, with the offsets that strides give.
#pragma once

#include <array>

#include "intaglio/tensor.h"

namespace intaglio::host {

/// Strides into a tensor of shape `from` for walking `to`, which it broadcasts to: 0 along repeated axes.
Extents broadcast_strides(const Extents& from, const Extents& to);
/// The shape that two shapes broadcast to.
Extents broadcast_shape(const Extents& a, const Extents& b);
/// The product of extents [begin, end).
std::int64_t count_between(const Extents& extents, std::size_t begin, std::size_t end);

/// Calls `f` with the N offsets of each index of `extents`. Offsets start at `offsets`; each of `strides` has one entry per axis.
template <std::size_t N, typename F>
void walk(const Extents& extents, const std::array<Extents, N>& strides, std::array<std::int64_t, N> offsets, F&& f, std::size_t axis = 0) {
  if (axis == extents.size()) return f(offsets);
  for (std::int64_t i = 0; i < extents[axis]; ++i) {
    if (axis + 1 == extents.size()) {
      f(offsets);
    } else {
      walk(extents, strides, offsets, f, axis + 1);
    }
    for (std::size_t n = 0; n < N; ++n) offsets[n] += strides[n][axis];
  }
}

template <std::size_t N, typename F>
void walk(const Extents& extents, const std::array<Extents, N>& strides, F&& f) {
  walk(extents, strides, std::array<std::int64_t, N>{}, f);
}

}  // namespace intaglio::host
