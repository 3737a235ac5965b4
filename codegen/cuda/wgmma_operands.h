// Where the operands of a contraction lie, as TMA copies them and wgmma multiplies them.
#pragma once

#include <optional>
#include <vector>

#include "codegen/cuda/tile_rows.h"
#include "codegen/kernel_plan.h"

namespace intaglio::cuda {

/// What wgmma multiplies; the sums are f32, or i32 of integers.
enum class WgmmaType { f16, bf16, e4m3, s8, u8_s8 };

/// The longest line of a tile, a swizzled row of shared memory, in bytes.
inline constexpr int kLineBytes = 128;
/// What TMA wants addresses and strides to be multiples of.
inline constexpr int kWordBytes = 16;

/// One operand in memory.
struct WgmmaOperand {
  TensorMap map;              ///< without its box, which the tile decides
  std::vector<int> products;  ///< loop variables that are coordinates, after those of the tile
  bool im2col = false;        ///< `a`: dimensions are channels, x, y and images. Else: elements of the sum, lines.
  bool along_sum = true;      ///< `b`: lines of consecutive elements of the sum. Else: of consecutive columns.
};

struct WgmmaOperands {
  WgmmaType type = WgmmaType::f16;
  WgmmaOperand a, b;
  bool packed = false;  ///< `b` is constant and lies as pack_for_wgmma says: dimensions are channels, taps, columns of all groups
  int element_bytes() const { return dtype_bits(a.map.dtype) / 8; }
  int line_bytes = kLineBytes;  ///< 32 or 64 where that holds all channels
  int line_elements() const { return line_bytes / element_bytes(); }
};

/// The operands of a dense contraction; nothing where TMA cannot copy them (rows that are no multiple of 16 bytes, operands that are computed) or wgmma does
/// not multiply their types.
std::optional<WgmmaOperands> wgmma_operands(const Contraction& spec, const TileRows& rows);

/// Columns of a group in packed weights: whole blocks of 32, in each of which the columns stand as op::column_row says.
Dim packed_columns(const Contraction& spec);
/// A constant `b` as pack_along_sum has it, but for the places of the columns.
Tensor pack_for_wgmma(const Node& kernel_node);

}  // namespace intaglio::cuda
