// See tile_epilogue.h.

#include "codegen/cuda/tile_epilogue.h"

#include <fmt/format.h>

namespace intaglio::cuda {

void for_lane_sums(Source& source, DType dtype, const WarpTile& tile, const std::string& row, const std::string& column, const std::function<void()>& body) {
  source.line("#pragma unroll");
  source.open(fmt::format("for (int j = 0; j < {}; j += 4) {{", tile.column_tiles));
  source.line(fmt::format("const int n = {} + j * 8 + threadIdx.x % 4 * {};", column, kLaneColumns));
  source.line("#pragma unroll");
  source.open(fmt::format("for (int i = 0; i < {}; ++i) {{", tile.row_tiles));
  if (tile.gather) source.line(fmt::format("op::gather_columns(&{}[i][j]);", tile.sums));
  source.line("#pragma unroll");
  source.open("for (int half = 0; half < 2; ++half) {");
  source.line(fmt::format("const int m = {} + i * 16 + half * 8 + threadIdx.x % 32 / 4;", row));
  source.line(fmt::format("{} lane_sums[{}];", type_name(dtype), kLaneColumns));
  source.line("#pragma unroll");
  source.line(fmt::format("for (int l = 0; l < {}; ++l) lane_sums[l] = {}[i][j + l / 2][half * 2 + l % 2];", kLaneColumns, tile.sums));
  body();
  for (int loop = 0; loop < 3; ++loop) source.close();
}

TileEpilogue::TileEpilogue(const Contraction& spec, const TileRows& rows, Source& source) : spec_(spec), rows_(rows), source_(source) {
  source_.set_multiple(spec_.n.var, kLaneColumns);
}

void TileEpilogue::store_warp_tile(const WarpTile& tile, const std::string& row, const std::string& column) {
  for_lane_sums(source_, spec_.compute, tile, row, column, [&] { store_columns("lane_sums", "m", "n"); });
}

void TileEpilogue::store_columns(const std::string& sums, const std::string& row, const std::string& column) {
  const std::string columns = extent(spec_.n.extent);
  source_.open(fmt::format("if ({} < {} && {} < {}) {{", row, extent(rows_.row_count()), column, columns));
  split_number(source_, rows_.rows, row);
  const bool whole = known_divisor(kernel::from_dim(spec_.n.extent), source_.multiples()) % kLaneColumns == 0;
  if (!whole) source_.open(fmt::format("if ({} + {} <= {}) {{", column, kLaneColumns, columns));
  source_.line(fmt::format("const {} {} = {};", source_.index_type(), Source::var_name(spec_.n.var), column));
  const Lanes lanes{spec_.n.var, kLaneColumns, {{spec_.accumulator, sums}}};
  const std::string results = source_.values(spec_.result, lanes);
  source_.store_values(static_cast<int>(spec_.buffers.size()) - 1, spec_.offset, results, lanes);
  if (!whole) {
    source_.close();
    store_one_by_one(sums, column);
  }
  source_.close();
}

/// The last columns, fewer than a lane takes.
void TileEpilogue::store_one_by_one(const std::string& sums, const std::string& column) {
  source_.open(fmt::format("if ({} + {} > {}) {{", column, kLaneColumns, extent(spec_.n.extent)));
  source_.line("#pragma unroll");
  source_.open(fmt::format("for (int l = 0; l < {}; ++l) {{", kLaneColumns));
  source_.line(fmt::format("const {} {} = {} + l;", source_.index_type(), Source::var_name(spec_.n.var), column));
  source_.line(fmt::format("if ({} >= {}) break;", Source::var_name(spec_.n.var), extent(spec_.n.extent)));
  source_.line(fmt::format("const {} t{} = {}[l];", type_name(spec_.compute), spec_.accumulator, sums));
  source_.store(static_cast<int>(spec_.buffers.size()) - 1, spec_.offset, source_.value(spec_.result));
  source_.close();
  source_.close();
}

}  // namespace intaglio::cuda
