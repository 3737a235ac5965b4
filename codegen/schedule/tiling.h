// Chooses how a dense contraction is cut into register tiles, cache blocks and tasks. A pure function of extents and machine data.
#pragma once

#include <cstdint>

#include "codegen/schedule/step_format.h"

namespace intaglio {

/// Columns of one panel of packed weights: the same on every x86 level, so that levels share weights.
inline constexpr std::int64_t kPanelColumns = 16;

/// What tiling needs to know of a CPU; plain data.
struct TileTraits {
  int vector_bytes = 32;
  int vector_registers = 16;
  std::int64_t l2_bytes = 1 << 20;
  DotTraits dot = {};
};

/// A line of positions cut into tiles: `first` tiles of `size`, the others one smaller; or, of an extent known only at run time, full tiles and a remainder.
struct TileLine {
  std::int64_t size = 1;
  std::int64_t count = 1;  ///< number of tiles; 0 if the extent is symbolic
  std::int64_t first = 1;  ///< how many of them have the full size
  bool is_static() const { return count > 0; }
  /// Where tile `i` begins.
  std::int64_t begin(std::int64_t i) const { return i * size - (i > first ? i - first : 0); }
};

/// How one loop over tiles is shared among tasks.
struct TaskSplit {
  std::int64_t tasks = 1;  ///< of a static line: how many tasks share its tiles
  std::int64_t chunk = 1;  ///< of a symbolic line: how many tiles a task takes
};

struct Tiling {
  TileLine y, x;                  ///< positions of the result
  std::int64_t panels = 2;        ///< panels that one tile covers
  std::int64_t column_tiles = 0;  ///< how many tiles cover the columns; 0 if symbolic
  bool slab = false;              ///< the task's part of `a` is first copied to scratch: padding, conversion, or rows whose stride collides in the cache
  std::int64_t slab_pitch = 0;    ///< elements from one input position to the next in the slab; c is innermost
  std::int64_t depth = 0;         ///< channels summed before partial sums are put aside; 0: all at once
  TaskSplit y_split, x_split, column_split;
};

/// How `a` lies in memory, as far as it is known: strides in elements, or nothing where it is no plain load of consecutive channels.
struct OperandStrides {
  std::optional<std::int64_t> y;  ///< nothing: known at run time only
  std::int64_t x = 0;
};

/// `direct`: the strides of `a` where it can be read in place.
Tiling choose_tiling(const Contraction& contraction, const StepFormat& format, const std::optional<OperandStrides>& direct, const TileTraits& traits);

/// Cuts `extent` into the fewest tiles of at most `limit`, of sizes as equal as can be.
TileLine balanced_line(std::int64_t extent, std::int64_t limit);

}  // namespace intaglio
