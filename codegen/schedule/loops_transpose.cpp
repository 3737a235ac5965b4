// The choice of the vector loop where memory order changes between loads and stores.
#include <algorithm>

#include "codegen/schedule/loops_nest.h"

namespace intaglio::loops {
namespace {

using kernel::Expr;
using kernel::Op;

/// Shorter loops fill no vector.
constexpr std::int64_t kShortExtent = 8;
/// A tile is a cache line of f32 along the loads, and enough along the stores to amortize the loop.
constexpr std::int64_t kLoadTile = 16;
constexpr std::int64_t kStoreTile = 64;

bool is_short(const Dim& extent) { return extent.is_constant() && extent.value() < kShortExtent; }

}  // namespace

/// Splits an axis into tiles of `size`; the variable within a tile becomes an axis right after it. Answers the outer variable.
int Nest::tile(std::size_t axis, std::int64_t size) {
  const Axis whole = axes[axis];
  const Axis outer = new_axis(Dim::ceildiv(whole.extent, size));
  Axis inner = new_axis(size);
  inner.tile = true;
  const Expr begin = kernel::binary(Op::mul, outer.index(), kernel::index_constant(size));
  if (outer.extent * Dim(size) != whole.extent) {
    inner.trip = kernel::binary(Op::min, kernel::index_constant(size), kernel::binary(Op::sub, kernel::from_dim(whole.extent), begin));
  }
  if (vector_var == whole.var) vector_var = inner.var;
  axes[axis] = outer;
  axes.insert(axes.begin() + static_cast<std::ptrdiff_t>(axis) + 1, inner);
  substitute(whole.var, kernel::binary(Op::add, begin, inner.index()));
  return outer.var;
}

void Nest::tile_transpose() {
  const std::size_t innermost = axes.size() - 1;
  const auto loads_along = [&](std::size_t axis) {
    int count = 0;
    for (const Step& step : steps) count += contiguous_loads(step.stmt.value, axes[axis].var);
    return count;
  };
  if (loads_along(innermost) > 0) return;
  for (std::size_t i = 0; i < innermost; ++i) {
    if (is_short(axes[i].extent) || loads_along(i) == 0) continue;
    tile(i, kLoadTile);
    // Now: .. outer, inner of the loads' axis, .., the stores' axis. The inner loop goes right outside the vector loop.
    std::rotate(axes.begin() + static_cast<std::ptrdiff_t>(i) + 1, axes.begin() + static_cast<std::ptrdiff_t>(i) + 2, axes.end() - 1);
    const std::size_t stored = axes.size() - 1;
    if (axes[stored].extent.is_constant() && axes[stored].extent.value() <= 2 * kStoreTile) return;
    tile(stored, kStoreTile);
    std::swap(axes[stored], axes[stored - 1]);
    return;
  }
}

void Nest::choose_vector_loop() {
  if (axes.empty()) return;
  if (is_short(axes.back().extent)) {
    // Lanes over a longer axis, best one along which loads are contiguous; its stores are strided then.
    int best = -1, best_score = -1;
    for (std::size_t i = 0; i + 1 < axes.size(); ++i) {
      if (is_short(axes[i].extent)) continue;
      int score = 0;
      for (const Step& step : steps) score += contiguous_loads(step.stmt.value, axes[i].var);
      if (score >= best_score) best = static_cast<int>(i), best_score = score;
    }
    if (traits_.keeps_short_loops && best >= 0 && best + 2 == static_cast<int>(axes.size())) {
      vector_var = axes[static_cast<std::size_t>(best)].var;
      return;
    }
    if (best >= 0) std::rotate(axes.begin() + best, axes.begin() + best + 1, axes.end());
    vector_var = axes.back().var;
    return;
  }
  vector_var = axes.back().var;
  tile_transpose();
}

}  // namespace intaglio::loops
