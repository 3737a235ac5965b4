// The end of every tensor-core kernel: sums in registers become stored results, 8 neighbouring columns a lane, with the fused operators computed on them.
#pragma once

#include <string>

#include "codegen/cuda/tile_rows.h"

namespace intaglio::cuda {

/// Columns that a lane finishes at once: 16 bytes of 16-bit results.
inline constexpr int kLaneColumns = 8;

class TileEpilogue {
 public:
  /// All must outlive this.
  TileEpilogue(const Contraction& spec, const TileRows& rows, Source& source);

  /// Lines that finish the sums of one warp, `row_tiles` x `column_tiles` tiles of 16 x 8 as mma has them: `sums` is an array [row_tiles][column_tiles][4] and
  /// `row`, `column` are expressions of the first row and column. A lane's share of four tiles must be 8 neighbouring columns already (the columns of `b` were
  /// in the order of op::column_row) unless `gather` asks for it. column_tiles is a multiple of 4. The variables of `rows.products` are defined.
  void store_warp_tile(const std::string& sums, int row_tiles, int column_tiles, const std::string& row, const std::string& column, bool gather);

  /// Lines that finish 8 results of one row: `sums` is an array of 8, `row` and `column` are names of the first one's place, of type int.
  void store_columns(const std::string& sums, const std::string& row, const std::string& column);

 private:
  void store_one_by_one(const std::string& sums, const std::string& column);
  std::string extent(const Dim& dim) { return int_extent(source_, dim); }

  const Contraction& spec_;
  const TileRows& rows_;
  Source& source_;
};

}  // namespace intaglio::cuda
