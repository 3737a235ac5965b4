// Register tiles fill the vector registers; tasks keep their part of both operands in the second-level cache.

#include "codegen/schedule/tiling.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "support/ceil_div.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

constexpr std::int64_t kCacheLine = 64;
/// Products that are not yet added up, where that takes an instruction of its own, or weights that are being unpacked.
constexpr std::int64_t kTemporaries = 1;
/// Addresses that differ by a multiple of this fall into one set of the first-level cache.
constexpr std::int64_t kCacheWay = 4096;
/// More tile rows than this in one set push each other out (8 ways on older cores, 12 on newer, and `b` needs some).
constexpr std::int64_t kRowsPerSet = 6;
/// A task should take some tens of microseconds: long enough to start, short enough to balance.
constexpr std::int64_t kTaskFlops = 4'000'000;
constexpr std::int64_t kTaskBytes = 512 << 10;  ///< of `b`: what streams from memory is shared too
constexpr std::int64_t kMaxTasks = 32;
/// Sums over more bytes of `a` than this are cut, so that the rows of `a` in a task stay in the second-level cache.
constexpr std::int64_t kLongSum = 6144;
constexpr std::int64_t kDepth = 4096;
/// Depth where the extent of the sum is symbolic.
constexpr std::int64_t kSymbolicDepth = 256;

/// True if the rows of a tile, `stride` bytes apart, crowd into few sets of the cache.
bool rows_collide(std::int64_t rows, std::int64_t stride) {
  std::map<std::int64_t, std::int64_t> rows_in_set;
  std::int64_t most = 0;
  for (std::int64_t i = 0; i < rows; ++i) most = std::max(most, ++rows_in_set[i * stride % kCacheWay / kCacheLine]);
  return most > kRowsPerSet;
}

class Chooser {
 public:
  Chooser(const Contraction& spec, const StepFormat& format, const std::optional<OperandStrides>& direct, const TileTraits& traits)
      : spec_(spec), format_(format), direct_(direct), traits_(traits), sum_bytes_(dtype_bits(spec.compute) / 8), element_bytes_(format.a_bytes()) {}

  Tiling choose() {
    choose_tile();
    choose_operand_access();
    choose_tasks();
    return tiling_;
  }

 private:
  std::int64_t vectors_per_panel() const { return std::max<std::int64_t>(1, kPanelColumns * sum_bytes_ / traits_.vector_bytes); }
  /// A tile of `rows` x `vectors` needs its accumulators, one row of b and one element of a in registers, and perhaps temporaries.
  bool fits_registers(std::int64_t rows, std::int64_t vectors) const {
    const bool has_temporaries = format_.multiplies_first() || format_.is_int4();
    return vectors * (rows + 1) + 1 + (has_temporaries ? kTemporaries : 0) <= traits_.vector_registers;
  }

  void choose_tile() {
    std::int64_t vectors = vectors_per_panel();
    tiling_.panels = 1;
    while (vectors < 2) {
      vectors *= 2;
      tiling_.panels *= 2;
    }
    std::int64_t rows = 1;
    while (fits_registers(rows + 1, vectors)) ++rows;

    const auto width = spec_.x.extent.constant();
    const auto height = spec_.y.extent.constant();
    const bool static_rows = !direct_ || direct_->y;  // a slab's rows lie at constant distances
    if (!width) {
      tiling_.x = {rows, 0, 0};
    } else {
      tiling_.x = balanced_line(*width, rows);
    }
    const std::int64_t tall = width && *width < rows && static_rows ? rows / *width : 1;
    if (!height) {
      tiling_.y = {1, 0, 0};
    } else {
      tiling_.y = balanced_line(*height, tall);
    }

    // Few rows leave registers free: take more columns, for more sums at once.
    const auto columns = spec_.n.extent.constant();
    const std::int64_t tile_rows = tiling_.x.size * tiling_.y.size;
    while (columns && tiling_.panels * 2 * kPanelColumns <= *columns && fits_registers(tile_rows, vectors * 2)) {
      vectors *= 2;
      tiling_.panels *= 2;
    }
    if (columns) tiling_.column_tiles = ceil_div(*columns, tiling_.panels * kPanelColumns);
  }

  void choose_operand_access() {
    const auto channels = spec_.c.extent.constant();
    const bool one_tap = spec_.r.extent == Dim(1) && spec_.s.extent == Dim(1);
    if (one_tap && !channels) tiling_.depth = kSymbolicDepth;
    if (one_tap && channels && *channels * element_bytes_ > kLongSum) {
      // Where channels share scales, blocks of the sum end with one.
      const std::int64_t whole = spec_.scale_block < *channels ? std::lcm(kPanelColumns, std::max<std::int64_t>(1, spec_.scale_block)) : kPanelColumns;
      tiling_.depth = ceil_div(ceil_div(*channels, ceil_div(*channels * element_bytes_, kDepth)), whole) * whole;
    }
    internal_check(channels || one_tap, "a convolution over a symbolic number of channels has no tiles");

    const bool collides = direct_ && rows_collide(tiling_.x.size, direct_->x * spec_.stride_x * element_bytes_);
    tiling_.slab = !direct_ || collides;
    tiling_.slab_pitch = tiling_.depth ? tiling_.depth : channels.value_or(0);
    // Taps that are summed as one run lie without gaps.
    if (format_.is_grouped() && format_.run != channels) return;
    tiling_.slab_pitch = format_.padded(tiling_.slab_pitch);
    if (rows_collide(tiling_.x.size, tiling_.slab_pitch * spec_.stride_x * element_bytes_)) tiling_.slab_pitch += kCacheLine / element_bytes_;
  }

  /// Bytes of `a` that a task of so many tiles reads, with the halo of the taps.
  std::int64_t operand_bytes(std::int64_t y_tiles, std::int64_t x_tiles) const {
    const auto span = [](std::int64_t positions, std::int64_t stride, std::int64_t taps, std::int64_t dilation) {
      return (positions - 1) * stride + (taps - 1) * dilation + 1;
    };
    const std::int64_t channels = tiling_.depth ? tiling_.depth : spec_.c.extent.value();
    return span(y_tiles * tiling_.y.size, spec_.stride_y, spec_.r.extent.constant().value_or(1), spec_.dilation_y) *
           span(x_tiles * tiling_.x.size, spec_.stride_x, spec_.s.extent.constant().value_or(1), spec_.dilation_x) * channels * element_bytes_;
  }

  void choose_tasks() {
    const std::int64_t budget = traits_.l2_bytes / 2;
    if (!tiling_.y.is_static() || !tiling_.x.is_static()) {
      tiling_.y_split.chunk = tiling_.y.is_static() ? 1 : 4;
      tiling_.x_split.chunk = tiling_.x.is_static() ? 1 : 4;
      tiling_.y_split.tasks = tiling_.y.count;
      tiling_.x_split.tasks = 1;
    } else {
      // First what the cache asks for ..
      std::int64_t y_tasks = 1, x_tasks = 1;
      while (operand_bytes(ceil_div(tiling_.y.count, y_tasks), tiling_.x.count) > budget && y_tasks < tiling_.y.count) ++y_tasks;
      while (operand_bytes(ceil_div(tiling_.y.count, y_tasks), ceil_div(tiling_.x.count, x_tasks)) > budget && x_tasks < tiling_.x.count) ++x_tasks;
      tiling_.y_split.tasks = y_tasks;
      tiling_.x_split.tasks = x_tasks;
    }
    // .. then what balance asks for. Splitting positions reads b again, splitting columns reads a again.
    const auto columns = spec_.n.extent.constant();
    const auto positions = (spec_.y.extent * spec_.x.extent).constant();
    const auto sum = spec_.reduction_extent().constant();
    if (!columns || !positions || !sum) {
      if (tiling_.column_tiles) tiling_.column_split.tasks = std::min<std::int64_t>(tiling_.column_tiles, 4);
      tiling_.column_split.chunk = 8;
      return;
    }
    std::int64_t batch = 1;
    for (const Axis& axis : spec_.batch) batch *= axis.extent.constant().value_or(1);
    const std::int64_t flops = 2 * *columns * *positions * *sum;
    const std::int64_t wanted = std::clamp<std::int64_t>(batch * std::max(flops / kTaskFlops, *columns * *sum * dtype_bits(format_.b) / 8 / kTaskBytes), 1, kMaxTasks);
    const std::int64_t row_bytes = *positions * spec_.c.extent.value() * spec_.stride_x * spec_.stride_y;
    const bool rows_first = spec_.constant_b >= 0 && row_bytes >= *sum * *columns;
    if (rows_first) {
      split_rows(wanted, batch);
      split_columns(wanted, batch, *columns);
    } else {
      split_columns(wanted, batch, *columns);
      if (spec_.constant_b >= 0) split_rows(wanted, batch);
    }
  }

  std::int64_t tasks(std::int64_t batch) const { return batch * tiling_.y_split.tasks * tiling_.x_split.tasks * tiling_.column_split.tasks; }

  void split_rows(std::int64_t wanted, std::int64_t batch) {
    while (tasks(batch) < wanted && tiling_.y_split.tasks < tiling_.y.count) ++tiling_.y_split.tasks;
    while (tasks(batch) < wanted && tiling_.x_split.tasks < tiling_.x.count) ++tiling_.x_split.tasks;
  }

  void split_columns(std::int64_t wanted, std::int64_t batch, std::int64_t columns) {
    // A slab is filled once a task: enough columns must share it.
    const std::int64_t taps = (spec_.r.extent * spec_.s.extent).value();
    const std::int64_t fewest = tiling_.slab ? std::max<std::int64_t>(64, 576 / taps) : 1;
    const std::int64_t most = std::min(tiling_.column_tiles, std::max<std::int64_t>(1, columns / fewest));
    while (tasks(batch) < wanted && tiling_.column_split.tasks < most) ++tiling_.column_split.tasks;
  }

  const Contraction& spec_;
  const StepFormat& format_;
  const std::optional<OperandStrides>& direct_;
  const TileTraits& traits_;
  const std::int64_t sum_bytes_;
  const std::int64_t element_bytes_;  ///< of `a`
  Tiling tiling_;
};

}  // namespace

TileLine balanced_line(std::int64_t extent, std::int64_t limit) {
  TileLine line;
  line.count = std::max<std::int64_t>(1, ceil_div(extent, limit));
  line.size = ceil_div(extent, line.count);
  line.first = line.count - (line.count * line.size - extent);
  return line;
}

Tiling choose_tiling(const Contraction& contraction, const StepFormat& format, const std::optional<OperandStrides>& direct, const TileTraits& traits) {
  return Chooser(contraction, format, direct, traits).choose();
}

}  // namespace intaglio
