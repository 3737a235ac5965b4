// Contractions on tensor cores through mma.sync: what every GPU from compute capability 8.0 on has, and on Hopper what wgmma does not take.
#pragma once

#include <algorithm>
#include <string_view>

#include "codegen/cuda/loops.h"
#include "codegen/cuda/sized_tiles.h"
#include "codegen/schedule/contraction.h"

namespace intaglio::cuda {

/// How a block's part of the result is cut: rows and columns of the block and of one warp, bytes of a line that are summed at once, steps under way.
struct MmaTile {
  int rows = 128, columns = 128;
  int warp_rows = 64, warp_columns = 64;
  int step_bytes = 64;
  int stages = 4;
  int parts = 1;  ///< blocks of a cluster that sum a part each

  int warps() const { return rows / warp_rows * (columns / warp_columns); }
  int threads() const { return warps() * 32; }
  /// Floats from one row to the next of the sums that blocks of a cluster show each other.
  int pitch() const { return columns + 4; }
  int shared_bytes() const { return std::max(stages * (rows + columns) * step_bytes, parts > 1 ? rows * pitch() * 4 : 0); }
};

/// What may be used.
struct MmaOptions {
  bool tf32 = false;    ///< f32 operands may be rounded
  bool hopper = false;  ///< clusters, and a start before the kernel before has ended
  bool checked = false;
};

/// What mma.sync multiplies.
struct MmaType {
  DType a, b;
  DType sum;
  std::string_view instruction;  ///< its function in prelude_asm.cuh

  int element_bytes() const { return dtype_bits(a) / 8; }
  /// f32 operands, which the instruction wants rounded.
  bool rounds() const { return a == DType::f32; }
  /// 8-bit floats: compute capability 8.9 has them, 8.0 has not.
  bool needs_hopper() const { return a == DType::f8e4m3fn; }
};

/// How a dense contraction can be multiplied; null where its operands have no such instruction.
const MmaType* find_mma_type(const Contraction& spec, const MmaOptions& options);

/// The tiles that the cost model likes best, for ascending numbers of multiplications.
std::vector<SizedTile<MmaTile>> choose_mma_tiles(const Contraction& spec, const MmaType& type, const MmaOptions& options);

struct MmaKernel {
  CudaKernel kernel;
  Dim blocks = 1;
  int shared_bytes = 0;
};

/// The buffer of a constant `b` holds what pack_along_sum says.
MmaKernel emit_mma(const Contraction& spec, const MmaType& type, const MmaTile& tile, const MmaOptions& options);

}  // namespace intaglio::cuda
