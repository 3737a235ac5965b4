// The end of every tensor-core kernel: sums in registers become stored results, 8 neighbouring columns a lane, with the fused operators computed on them.
#pragma once

#include <functional>
#include <string>

#include "codegen/cuda/tile_rows.h"

namespace intaglio::cuda {

/// Columns that a lane finishes at once: 16 bytes of 16-bit results.
inline constexpr int kLaneColumns = 8;

/// The sums of one warp: `row_tiles` x `column_tiles` tiles of 16 x 8 as mma has them, column_tiles a multiple of 4.
struct WarpTile {
  std::string sums;  ///< the array [row_tiles][column_tiles][4]
  int row_tiles = 1, column_tiles = 4;
  /// A lane's share of four tiles is not yet 8 neighbouring columns: the columns of `b` were not in the order of op::column_row.
  bool gather = false;
};

/// Lines that walk over a warp's sums, `body` in their middle: there `lane_sums` are 8 sums of row m and columns n .. n + 7, where the tile begins at `row` and
/// `column`.
void for_lane_sums(Source& source, DType dtype, const WarpTile& tile, const std::string& row, const std::string& column, const std::function<void()>& body);

class TileEpilogue {
 public:
  /// All must outlive this.
  TileEpilogue(const Contraction& spec, const TileRows& rows, Source& source);

  /// Lines before the sums are computed that start the loads which store_warp_tile begins with: their memory is that of earlier kernels.
  void load_ahead(const WarpTile& tile, const std::string& row, const std::string& column);

  /// Lines that finish the sums of one warp; `row`, `column` are expressions of the first row and column. The variables of `rows.products` are defined.
  void store_warp_tile(const WarpTile& tile, const std::string& row, const std::string& column);

  /// Lines that finish 8 results of one row: `sums` is an array of 8, `row` and `column` are names of the first one's place, of type int.
  void store_columns(const std::string& sums, const std::string& row, const std::string& column) { store_columns(spec_.result, lanes_of(sums), row, column); }

 private:
  /// An operand of the epilogue that is loaded before the results that need it are computed.
  struct EarlyLoad {
    kernel::Expr load;
    int local;          ///< that stands for it in `late_result_`
    std::string array;  ///< where loaded elements wait
    int bytes;          ///< of an access
  };
  void find_early_loads();
  std::vector<EarlyLoad> take_loads(const std::string& name, const std::function<bool(const kernel::Expr&)>& is_taken);
  bool columns_are_whole() const;
  int groups_at_once(const WarpTile& tile) const;
  void declare_early(const WarpTile& tile);
  void fetch_early(const WarpTile& tile, const std::string& row, const std::string& column);
  void load_columns_of(const EarlyLoad& load);
  void define_row_inside(const std::string& row);
  void define_column_inside(const std::string& column);
  void store_columns(const kernel::Expr& result, const Lanes& lanes, const std::string& row, const std::string& column);
  void store_one_by_one(const std::string& sums, const std::string& column);
  Lanes lanes_of(const std::string& sums) const { return {spec_.n.var, kLaneColumns, {{spec_.accumulator, sums}}}; }
  std::string extent(const Dim& dim) { return int_extent(source_, dim); }

  const Contraction& spec_;
  const TileRows& rows_;
  Source& source_;
  std::vector<EarlyLoad> early_;   ///< with an element for each result, such as a residual: loaded for several rows at once
  std::vector<EarlyLoad> column_;  ///< with an element for each column, such as a bias: loaded once for all rows
  int locals_ = 0;
  bool is_ahead_ = false;  ///< the first round of `early_` is on its way
  kernel::Expr late_result_;
};

}  // namespace intaglio::cuda
