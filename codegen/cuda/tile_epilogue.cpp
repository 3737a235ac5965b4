// See tile_epilogue.h.

#include "codegen/cuda/tile_epilogue.h"

#include <fmt/format.h>

#include <algorithm>

namespace intaglio::cuda {

namespace {

/// Pieces of 8 results that a lane loads operands for before it finishes the first.
constexpr int kPiecesAhead = 8;

/// Lines that walk over the tiles j0, j0 + 4 .. of a warp, `groups` of them; `body` in their middle knows row m and columns n .. n + 7 and its numbers i, g, half.
void for_lane_places(Source& source, const WarpTile& tile, int groups, const std::string& row, const std::string& column, const std::function<void()>& before_halves,
                     const std::function<void()>& body) {
  source.line("#pragma unroll");
  source.open(fmt::format("for (int g = 0; g < {}; ++g) {{", groups));
  source.line(fmt::format("const int j = j0 + g * 4, n = {} + j * 8 + threadIdx.x % 4 * {};", column, kLaneColumns));
  source.line("#pragma unroll");
  source.open(fmt::format("for (int i = 0; i < {}; ++i) {{", tile.row_tiles));
  before_halves();
  source.line("#pragma unroll");
  source.open("for (int half = 0; half < 2; ++half) {");
  source.line(fmt::format("const int m = {} + i * 16 + half * 8 + threadIdx.x % 32 / 4;", row));
  body();
  for (int loop = 0; loop < 3; ++loop) source.close();
}

void for_lane_sums_of(Source& source, DType dtype, const WarpTile& tile, int groups, const std::string& row, const std::string& column, const std::function<void()>& body) {
  const auto gather = [&] {
    if (tile.gather) source.line(fmt::format("op::gather_columns(&{}[i][j]);", tile.sums));
  };
  for_lane_places(source, tile, groups, row, column, gather, [&] {
    source.line(fmt::format("{} lane_sums[{}];", type_name(dtype), kLaneColumns));
    source.line("#pragma unroll");
    source.line(fmt::format("for (int l = 0; l < {}; ++l) lane_sums[l] = {}[i][j + l / 2][half * 2 + l % 2];", kLaneColumns, tile.sums));
    body();
  });
}

}  // namespace

void for_lane_sums(Source& source, DType dtype, const WarpTile& tile, const std::string& row, const std::string& column, const std::function<void()>& body) {
  source.line("constexpr int j0 = 0;");
  for_lane_sums_of(source, dtype, tile, tile.column_tiles / 4, row, column, body);
}

TileEpilogue::TileEpilogue(const Contraction& spec, const TileRows& rows, Source& source) : spec_(spec), rows_(rows), source_(source), late_result_(spec.result) {
  source_.set_multiple(spec_.n.var, kLaneColumns);
  if (columns_are_whole()) find_early_loads();
}

bool TileEpilogue::columns_are_whole() const { return known_divisor(kernel::from_dim(spec_.n.extent), source_.multiples()) % kLaneColumns == 0; }

void TileEpilogue::find_early_loads() {
  const Lanes lanes = lanes_of("");
  LaneStrides strides(lanes, source_.multiples());
  const auto is_early = [&](const kernel::Expr& e) {
    if (e->kind != kernel::ExprKind::load || strides.of(e->args[0]) != 1) return false;
    return std::ranges::any_of(rows_.rows, [&](const Axis& axis) { return kernel::depends_on(e, axis.var); });
  };
  while (const kernel::Expr load = kernel::find_subexpression(late_result_, is_early)) {
    const int number = static_cast<int>(early_.size());
    early_.push_back({load, spec_.variables + number, fmt::format("early{}", number)});
    late_result_ = kernel::replace(late_result_, load, kernel::local(early_.back().local, load->dtype));
  }
}

void TileEpilogue::store_warp_tile(const WarpTile& tile, const std::string& row, const std::string& column) {
  if (early_.empty()) return for_lane_sums(source_, spec_.compute, tile, row, column, [&] { store_columns("lane_sums", "m", "n"); });
  int groups = std::clamp(kPiecesAhead / (2 * tile.row_tiles), 1, tile.column_tiles / 4);
  while (tile.column_tiles / 4 % groups != 0) --groups;
  source_.line("#pragma unroll");
  source_.open(fmt::format("for (int j0 = 0; j0 < {}; j0 += {}) {{", tile.column_tiles, 4 * groups));
  for (const EarlyLoad& load : early_) {
    source_.line(fmt::format("{} {}[{}][{}][2][{}];", type_name(load.load->dtype), load.array, groups, tile.row_tiles, kLaneColumns));
  }
  for_lane_places(source_, tile, groups, row, column, [] {}, [&] {
    define_inside("m", "n");
    for (const EarlyLoad& load : early_) load_early(load, load.array + "[g][i][half]");
  });
  Lanes lanes = lanes_of("lane_sums");
  for (const EarlyLoad& load : early_) lanes.locals[load.local] = load.array + "[g][i][half]";
  for_lane_sums_of(source_, spec_.compute, tile, groups, row, column, [&] { store_columns(late_result_, lanes, "m", "n"); });
  source_.close();
}

void TileEpilogue::load_early(const EarlyLoad& load, const std::string& to) {
  const std::string elements = source_.values(load.load, lanes_of(""));
  source_.line("#pragma unroll");
  source_.line(fmt::format("for (int l = 0; l < {}; ++l) {}[l] = {}[l];", kLaneColumns, to, elements));
}

/// The variables of a place; those of one outside of the result are the last one's inside, so that its loads need no branch.
void TileEpilogue::define_inside(const std::string& row, const std::string& column) {
  split_number(source_, rows_.rows, fmt::format("min({}, {} - 1)", row, extent(rows_.row_count())));
  source_.line(fmt::format("const {} {} = min({}, {} - {});", source_.index_type(), Source::var_name(spec_.n.var), column, extent(spec_.n.extent), kLaneColumns));
}

void TileEpilogue::store_columns(const kernel::Expr& result, const Lanes& lanes, const std::string& row, const std::string& column) {
  const std::string columns = extent(spec_.n.extent);
  const std::string inside = fmt::format("{} < {} && {} < {}", row, extent(rows_.row_count()), column, columns);
  const int output = static_cast<int>(spec_.buffers.size()) - 1;
  if (columns_are_whole()) {
    source_.open("{");
    define_inside(row, column);
    const std::string results = source_.values(result, lanes);
    source_.open(fmt::format("if ({}) {{", inside));
    source_.store_values(output, spec_.offset, results, lanes);
    source_.close();
    source_.close();
    return;
  }
  source_.open(fmt::format("if ({}) {{", inside));
  split_number(source_, rows_.rows, row);
  source_.open(fmt::format("if ({} + {} <= {}) {{", column, kLaneColumns, columns));
  source_.line(fmt::format("const {} {} = {};", source_.index_type(), Source::var_name(spec_.n.var), column));
  const std::string results = source_.values(result, lanes);
  source_.store_values(output, spec_.offset, results, lanes);
  source_.close();
  store_one_by_one(lanes.locals.at(spec_.accumulator), column);
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
