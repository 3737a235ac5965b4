// The end of a kernel whose sums are split between the blocks of a cluster.
#pragma once

#include "codegen/cuda/tile_epilogue.h"

namespace intaglio::cuda {

/// The part of a tile's sums that each block has in its shared memory, from the address `a_shared` on: `pitch` numbers of `dtype` a row.
struct ClusterSums {
  DType dtype = DType::f32;
  int rows, columns, pitch;
  int parts;  ///< blocks
  int threads;
};

/// Lines after which all is stored: each block finishes its share of the rows, of which it adds up the parts in their order. The tile begins at m0, n0, and
/// this block has part number `part`.
void join_cluster(Source& source, TileEpilogue& epilogue, const ClusterSums& sums);

}  // namespace intaglio::cuda
