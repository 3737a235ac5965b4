// Weights of 4 bits as mma.sync takes them from memory into registers.
#pragma once

#include <optional>
#include <vector>

#include "codegen/schedule/contraction.h"
#include "intaglio/tensor.h"
#include "support/ceil_div.h"

namespace intaglio::cuda {

/// Packed weights are cut into units of so many columns of the result and steps of the sum. One scale serves a column for `kInt4Block` of these.
inline constexpr int kInt4Columns = 16, kInt4Steps = 64, kInt4Block = 32;
/// A unit has for each lane of a warp 16 bytes, its part of four matrices of 16 x 16; then for each of 8 pairs of columns, 8 apart, the scales of both, block
/// by block.
inline constexpr int kInt4LaneBytes = 16, kInt4ScalesAt = 32 * kInt4LaneBytes, kInt4Scales = kInt4Columns * kInt4Steps / kInt4Block;
inline int int4_unit_bytes(DType scales) { return kInt4ScalesAt + kInt4Scales * dtype_bits(scales) / 8; }

/// `b` of a contraction as constant integers of 4 bits, each times a constant scale.
struct Int4Weights {
  int integers, scales;  ///< the operands
  DType dtype;           ///< of the scales: f16, bf16 or f32
  std::int64_t columns, taps_y, taps_x, channels;
  /// How far apart integers are in their operand, and scales in theirs.
  struct Strides {
    std::int64_t column, tap_y, tap_x;
  };
  Strides integer_strides, scale_strides;
  std::int64_t channel_stride;                ///< of integers
  std::vector<std::int64_t> scale_of_block;   ///< where a block of channels has its scale

  std::int64_t depth() const { return taps_y * taps_x * channels; }
  std::int64_t column_units() const { return ceil_div(columns, kInt4Columns); }
  std::int64_t depth_units() const { return ceil_div(depth(), kInt4Steps); }
  std::int64_t packed_bytes() const { return column_units() * depth_units() * int4_unit_bytes(dtype); }
};

/// Nothing where `b` is something else, its scales change within a block, or the rest of the kernel reads them, too.
std::optional<Int4Weights> find_int4_weights(const Node& kernel_node, const Contraction& spec);

/// Both operands in one: [column unit][depth unit][int4_unit_bytes]. What a unit has beyond the last column or step is zero.
Tensor pack_int4_weights(const Node& kernel_node, const Int4Weights& weights);

}  // namespace intaglio::cuda
