// Shapes that ONNX leaves to be worked out: the -1 and 0 of Reshape, the clamped bounds of Slice, padding for "same" output.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/onnx/node_context.h"
#include "ir/dim.h"

namespace intaglio {

/// True if no extents can make `dim` negative: everything in it is added, and symbols are at least 0.
bool is_known_nonnegative(const Dim& dim);

/// max(dim, 0), left as it is where that is known.
Dim at_least_zero(const Dim& dim);

/// Reshape's result shape: 0 copies the input's extent (unless `allow_zero`), one -1 takes what is left.
Shape resolve_reshape(const NodeContext& node, const Shape& input, const std::vector<Dim>& target, bool allow_zero);

/// The broadcast of two shapes aligned at the end.
Shape broadcast_shapes(const NodeContext& node, const Shape& a, const Shape& b);

/// One axis of a slice by core's rules: element i is start + i * step, for i below size.
struct SliceBounds {
  Dim start;
  Dim size;
  std::int64_t step;
};

/// ONNX's (numpy's) bounds, which count from the end if negative and are clamped to the axis.
SliceBounds resolve_slice(const Dim& start, const Dim& end, std::int64_t step, const Dim& extent);

}  // namespace intaglio
