// Symbolic extents are only known to be at least 0, so every clamp that they may need stays in the expression.
#include "frontend/onnx/shape_arithmetic.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <fmt/format.h>

namespace intaglio {
namespace {

/// A bound at least this far out of a symbolic extent means "to the end": exporters write INT32_MAX, INT64_MAX or their negatives.
constexpr std::int64_t kFar = std::numeric_limits<std::int32_t>::max();

bool is_far(const Dim& bound, const Dim& extent) { return !extent.is_constant() && bound.is_constant() && bound.value() >= kFar; }
bool is_far_negative(const Dim& bound, const Dim& extent) { return !extent.is_constant() && bound.is_constant() && bound.value() <= -kFar; }

/// Counts a negative bound from the end.
Dim wrap(const Dim& bound, const Dim& extent) {
  if (bound.is_constant()) return bound.value() < 0 ? bound + extent : bound;
  if (is_known_nonnegative(bound)) return bound;
  // The factor is 1 where the bound is negative, else 0.
  return bound + extent * Dim::max(Dim::min(Dim(0) - bound, 1), 0);
}

SliceBounds slice_forward(const Dim& start, const Dim& end, std::int64_t step, const Dim& extent) {
  const Dim stop = is_far(end, extent) ? extent : is_far_negative(end, extent) ? Dim(0) : at_least_zero(Dim::min(wrap(end, extent), extent));
  if (is_far(start, extent)) return {0, 0, step};
  // The last k of an axis that may be shorter: the start depends on it, the size reads best as min(k, extent).
  if (start.is_constant() && start.value() < 0 && !is_far_negative(start, extent) && stop == extent) {
    return {at_least_zero(start + extent), Dim::ceildiv(Dim::min(Dim(0) - start, extent), step), step};
  }
  const Dim first = is_far_negative(start, extent) ? Dim(0) : at_least_zero(wrap(start, extent));
  const Dim size = Dim::ceildiv(at_least_zero(stop - first), step);
  // An empty slice may start anywhere, also where no index is.
  return {size == Dim(0) ? Dim(0) : first, size, step};
}

SliceBounds slice_backward(const Dim& start, const Dim& end, std::int64_t step, const Dim& extent) {
  const Dim last = extent - 1;
  const Dim first = is_far(start, extent) ? last : is_far_negative(start, extent) ? Dim(-1) : Dim::max(Dim::min(wrap(start, extent), last), -1);
  const Dim stop = is_far(end, extent) ? last : is_far_negative(end, extent) ? Dim(-1) : Dim::max(Dim::min(wrap(end, extent), last), -1);
  return {at_least_zero(first), Dim::ceildiv(at_least_zero(first - stop), -step), step};
}

/// The extent that stands for -1: what `input` has more than the other entries of `shape`.
Dim remaining_extent(const NodeContext& node, Shape input, const Shape& shape, std::size_t unknown) {
  const auto texts = [&] { return fmt::format("{} to {}", to_text(input), to_text(shape)); };
  Dim known = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i == unknown) continue;
    // Extents on both sides cancel, which leaves less to divide symbolically.
    const auto same = std::find(input.begin(), input.end(), shape[i]);
    if (same != input.end() && shape[i] != Dim(0)) {
      input.erase(same);
    } else {
      known = known * shape[i];
    }
  }
  if (known == Dim(0)) node.fail("the -1 in the shape can be any extent, for another one is 0", {}, texts());
  const Dim total = element_count(input);
  if (total.is_constant() && known.is_constant() && total.value() % known.value() != 0) {
    node.fail("the -1 in the shape has no solution", fmt::format("a number of elements divisible by {}", known.text()), fmt::format("{}", total.text()));
  }
  return Dim::floordiv(total, known);
}

}  // namespace

bool is_known_nonnegative(const Dim& dim) {
  const auto nonnegative_atom = [](const Dim::AtomRef& atom) {
    if (atom->kind == Dim::AtomKind::symbol) return true;
    if (atom->kind == Dim::AtomKind::max) return is_known_nonnegative(atom->args[0]) || is_known_nonnegative(atom->args[1]);
    return is_known_nonnegative(atom->args[0]) && is_known_nonnegative(atom->args[1]);
  };
  return std::all_of(dim.terms().begin(), dim.terms().end(), [&](const Dim::Term& term) {
    return term.coefficient > 0 && std::all_of(term.atoms.begin(), term.atoms.end(), nonnegative_atom);
  });
}

Dim at_least_zero(const Dim& dim) { return is_known_nonnegative(dim) ? dim : Dim::max(dim, 0); }

Shape resolve_reshape(const NodeContext& node, const Shape& input, const std::vector<Dim>& target, bool allow_zero) {
  Shape shape;
  std::optional<std::size_t> unknown;
  for (std::size_t i = 0; i < target.size(); ++i) {
    const Dim& extent = target[i];
    if (extent == Dim(-1)) {
      if (unknown) node.fail("the shape has more than one -1", {}, to_text(target));
      unknown = i;
      shape.push_back(extent);
    } else if (extent == Dim(0) && !allow_zero) {
      if (i >= input.size()) node.fail(fmt::format("the shape copies extent {} of the input, which has rank {}", i, input.size()), {}, to_text(target));
      shape.push_back(input[i]);
    } else {
      if (extent.is_constant() && extent.value() < 0) node.fail("the shape has a negative extent", "0 or more, or one -1", to_text(target));
      shape.push_back(extent);
    }
  }
  if (unknown) shape[*unknown] = remaining_extent(node, input, shape, *unknown);
  return shape;
}

Shape broadcast_shapes(const NodeContext& node, const Shape& a, const Shape& b) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  const std::size_t offset = longer.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    Dim& extent = result[offset + i];
    if (extent.is_constant() && shorter[i].is_constant() && extent != shorter[i] && extent != Dim(1) && shorter[i] != Dim(1)) {
      node.fail("the shapes do not broadcast", "equal extents, or 1", fmt::format("{} and {}", to_text(a), to_text(b)));
    }
    extent = Dim::bcast(extent, shorter[i]);
  }
  return result;
}

SliceBounds resolve_slice(const Dim& start, const Dim& end, std::int64_t step, const Dim& extent) {
  // A longer step than any extent takes one element, whatever it is.
  step = std::clamp(step, -kFar, kFar);
  return step > 0 ? slice_forward(start, end, step, extent) : slice_backward(start, end, step, extent);
}

}  // namespace intaglio
