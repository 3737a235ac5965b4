// Products of few rows with constant weights of 4 bits, which become floats of 16 bits or tf32 in the registers that mma.sync reads. What takes the time is to read the
// weights: they go past shared memory's swizzles and ldmatrix, and all of a multiprocessor's part is soon under way.
#pragma once

#include <algorithm>

#include "codegen/cuda/int4_weights.h"
#include "codegen/cuda/loops.h"
#include "codegen/cuda/mma.h"
#include "codegen/cuda/sized_tiles.h"

namespace intaglio::cuda {

/// How a block's part of the result is cut. Weights are the left operand of mma, whose 16 rows are columns of the result: its 8 columns are as few rows as
/// there may be.
struct Int4Tile {
  int rows = 16;          ///< a multiple of 8
  int units = 2;          ///< of 16 columns, that a warp multiplies with all rows
  int warps_across = 1;   ///< next to each other along the columns
  int warps_along = 8;    ///< that have a part of each step of the sum
  int stages = 4;         ///< steps under way
  int parts = 1;          ///< blocks of a cluster that sum a part each
  DType dtype = DType::f16;  ///< that is multiplied

  int columns() const { return units * kInt4Columns * warps_across; }
  int warps() const { return warps_across * warps_along; }
  int threads() const { return warps() * 32; }
  int step() const { return kInt4Steps * warps_along; }
  int row_bytes() const { return step() * dtype_bits(dtype) / 8; }  ///< of a step
  int weight_bytes() const { return warps() * units * int4_unit_bytes(dtype); }
  /// Floats from one row to the next of the sums of a warp's part; a warp's stores meet no bank twice.
  int pitch() const { return columns() + 4; }
  int part_floats() const { return rows * pitch(); }
  int shared_bytes() const { return std::max(stages * (rows * row_bytes() + weight_bytes()), warps_along * part_floats() * 4); }
};

/// True if the contraction, whose `b` is `weights`, has this kernel.
bool has_int4_kernel(const Contraction& spec, const Int4Weights& weights, const MmaOptions& options);

/// The tiles that the cost model likes best, for ascending numbers of multiplications.
std::vector<SizedTile<Int4Tile>> choose_int4_tiles(const Contraction& spec, const Int4Weights& weights, const MmaOptions& options);

/// The buffer of the integers holds what pack_int4_weights says.
MmaKernel emit_int4_mma(const Contraction& spec, const Int4Weights& weights, const Int4Tile& tile, const MmaOptions& options);

}  // namespace intaglio::cuda
