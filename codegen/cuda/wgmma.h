// Contractions on Hopper's tensor cores: one warp lets TMA bring tiles of both operands to shared memory, the others multiply them there with wgmma.
#pragma once

#include "codegen/cuda/loops.h"
#include "codegen/cuda/sized_tiles.h"
#include "codegen/cuda/wgmma_operands.h"

namespace intaglio::cuda {

/// How a contraction is cut. A consumer warpgroup multiplies 64 rows with all columns of its block's tile.
struct WgmmaTile {
  int rows = 128, columns = 128;
  int stages = 4;  ///< steps of the sum, of a line's bytes, that are under way
  int split = 1;   ///< blocks that share the sum of one tile: a cluster, which adds up its parts in order
  int line_bytes = kLineBytes;

  int warps() const { return rows / 16; }  ///< that multiply
  /// Sums of many columns take more registers than all threads can have: the producer's warpgroup, whole for that, gives some of its own away.
  bool moves_registers() const { return columns > 128; }
  int threads() const { return (warps() + (moves_registers() ? 4 : 1)) * 32; }
  int stage_bytes() const { return (rows + columns) * line_bytes; }
  /// Stages, begun at a multiple of 1024, and two barriers for each.
  int shared_bytes() const { return 1024 + stages * (stage_bytes() + 16); }
  /// Blocks that a multiprocessor holds at once.
  int blocks() const;
};

/// The tiles that a model of the time likes best, for ascending numbers of multiplications.
std::vector<SizedTile<WgmmaTile>> choose_wgmma_tiles(const Contraction& spec, const TileRows& rows, const WgmmaOperands& operands);

struct WgmmaKernel {
  CudaKernel kernel;
  Dim blocks = 1;
  std::vector<TensorMap> maps;
};

/// The kernel, whose parameters after the status are the maps of `a` and `b`.
WgmmaKernel emit_wgmma(const Contraction& spec, const TileRows& rows, const WgmmaOperands& operands, const WgmmaTile& tile);

}  // namespace intaglio::cuda
