// See tile_epilogue.h.

#include "codegen/cuda/tile_epilogue.h"

#include <fmt/format.h>

#include <algorithm>

namespace intaglio::cuda {

namespace {

/// Pieces of 8 results that a lane loads operands for before it finishes the first.
constexpr int kPiecesAhead = 8;

/// Lines that walk over the tiles j0, j0 + 4 .. of a warp, `groups` of them; `body` in their middle knows row m and columns n .. n + 7 and its numbers i, g, half.
void for_lane_places(Source& source, const WarpTile& tile, int groups, const std::string& row, const std::string& column, const std::function<void()>& before_rows,
                     const std::function<void()>& before_halves, const std::function<void()>& body) {
  source.line("#pragma unroll");
  source.open(fmt::format("for (int g = 0; g < {}; ++g) {{", groups));
  source.line(fmt::format("const int j = j0 + g * 4, n = {} + j * 8 + threadIdx.x % 4 * {};", column, kLaneColumns));
  before_rows();
  source.line("#pragma unroll");
  source.open(fmt::format("for (int i = 0; i < {}; ++i) {{", tile.row_tiles));
  before_halves();
  source.line("#pragma unroll");
  source.open("for (int half = 0; half < 2; ++half) {");
  source.line(fmt::format("const int m = {} + i * 16 + half * 8 + threadIdx.x % 32 / 4;", row));
  body();
  for (int loop = 0; loop < 3; ++loop) source.close();
}

void for_lane_sums_of(Source& source, DType dtype, const WarpTile& tile, int groups, const std::string& row, const std::string& column, const std::function<void()>& before_rows,
                      const std::function<void()>& body) {
  const auto gather = [&] {
    if (tile.gather) source.line(fmt::format("op::gather_columns(&{}[i][j]);", tile.sums));
  };
  for_lane_places(source, tile, groups, row, column, before_rows, gather, [&] {
    source.line(fmt::format("{} lane_sums[{}];", type_name(dtype), kLaneColumns));
    source.line("#pragma unroll");
    source.line(fmt::format("for (int l = 0; l < {}; ++l) lane_sums[l] = {}[i][j + l / 2][half * 2 + l % 2];", kLaneColumns, tile.sums));
    body();
  });
}

}  // namespace

void for_lane_sums(Source& source, DType dtype, const WarpTile& tile, const std::string& row, const std::string& column, const std::function<void()>& body) {
  source.line("constexpr int j0 = 0;");
  for_lane_sums_of(source, dtype, tile, tile.column_tiles / 4, row, column, [] {}, body);
}

TileEpilogue::TileEpilogue(const Contraction& spec, const TileRows& rows, Source& source) : spec_(spec), rows_(rows), source_(source), late_result_(spec.result) {
  source_.set_multiple(spec_.n.var, kLaneColumns);
  if (columns_are_whole()) find_early_loads();
}

bool TileEpilogue::columns_are_whole() const { return known_divisor(kernel::from_dim(spec_.n.extent), source_.multiples()) % kLaneColumns == 0; }

void TileEpilogue::find_early_loads() {
  const auto is_of_rows = [&](const kernel::Expr& e) { return std::ranges::any_of(rows_.rows, [&](const Axis& axis) { return kernel::depends_on(e, axis.var); }); };
  // What one access at least brings two elements of.
  early_ = take_loads("early", [&](const kernel::Expr& e) { return is_of_rows(e) && source_.access_bytes(e->buffer, e->args[0], lanes_of("")) > 0; });
  column_ = take_loads("of_columns", [&](const kernel::Expr& e) { return !is_of_rows(e); });
}

/// The loads of `late_result_` whose lanes lie side by side, as far as `is_taken`: locals stand in their place.
std::vector<TileEpilogue::EarlyLoad> TileEpilogue::take_loads(const std::string& name, const std::function<bool(const kernel::Expr&)>& is_taken) {
  const Lanes lanes = lanes_of("");
  LaneStrides strides(lanes, source_.multiples());
  const auto matches = [&](const kernel::Expr& e) { return e->kind == kernel::ExprKind::load && strides.of(e->args[0]) == 1 && is_taken(e); };
  std::vector<EarlyLoad> taken;
  while (const kernel::Expr load = kernel::find_subexpression(late_result_, matches)) {
    taken.push_back({load, spec_.variables + locals_++, fmt::format("{}{}", name, taken.size()), source_.access_bytes(load->buffer, load->args[0], lanes)});
    late_result_ = kernel::replace(late_result_, load, kernel::local(taken.back().local, load->dtype));
  }
  return taken;
}

/// Tiles of 32 columns whose early loads are under way at once; all where there are none.
int TileEpilogue::groups_at_once(const WarpTile& tile) const {
  int groups = tile.column_tiles / 4;
  if (early_.empty()) return groups;
  groups = std::clamp(kPiecesAhead / (2 * tile.row_tiles), 1, groups);
  while (tile.column_tiles / 4 % groups != 0) --groups;
  return groups;
}

void TileEpilogue::declare_early(const WarpTile& tile) {
  for (const EarlyLoad& load : early_) {
    source_.line(fmt::format("op::Fetched<{}, {}, {}> {}[{}][{}][2];", load.bytes, type_name(load.load->dtype), kLaneColumns, load.array, groups_at_once(tile), tile.row_tiles));
  }
}

/// Lines that know j0, the first tile of 8 columns.
void TileEpilogue::fetch_early(const WarpTile& tile, const std::string& row, const std::string& column) {
  for_lane_places(source_, tile, groups_at_once(tile), row, column, [] {}, [] {}, [&] {
    define_row_inside("m");
    define_column_inside("n");
    for (const EarlyLoad& load : early_) source_.fetch_values(load.load, load.array + "[g][i][half]", lanes_of(""));
  });
}

void TileEpilogue::load_ahead(const WarpTile& tile, const std::string& row, const std::string& column) {
  if (early_.empty()) return;
  is_ahead_ = true;
  declare_early(tile);
  source_.open("{");
  source_.line("constexpr int j0 = 0;");
  fetch_early(tile, row, column);
  source_.close();
}

void TileEpilogue::store_warp_tile(const WarpTile& tile, const std::string& row, const std::string& column) {
  const int groups = groups_at_once(tile);
  if (!is_ahead_) declare_early(tile);
  source_.line("#pragma unroll");
  source_.open(fmt::format("for (int j0 = 0; j0 < {}; j0 += {}) {{", tile.column_tiles, 4 * groups));
  if (!early_.empty() && !(is_ahead_ && 4 * groups == tile.column_tiles)) {
    source_.open(is_ahead_ ? "if (j0 > 0) {" : "{");
    fetch_early(tile, row, column);
    source_.close();
  }
  Lanes lanes = lanes_of("lane_sums");
  for (const EarlyLoad& load : early_) lanes.locals[load.local] = load.array + "_lanes";
  for (const EarlyLoad& load : column_) lanes.locals[load.local] = load.array;
  const auto load_columns = [&] {
    for (const EarlyLoad& load : column_) source_.line(fmt::format("{} {}[{}];", type_name(load.load->dtype), load.array, kLaneColumns));
    if (column_.empty()) return;
    source_.open("{");
    define_column_inside("n");
    for (const EarlyLoad& load : column_) load_columns_of(load);
    source_.close();
  };
  for_lane_sums_of(source_, spec_.compute, tile, groups, row, column, load_columns, [&] {
    for (const EarlyLoad& load : early_) {
      source_.line(fmt::format("{} {}_lanes[{}];", type_name(load.load->dtype), load.array, kLaneColumns));
      source_.line(fmt::format("op::unpack_lanes({0}_lanes, {0}[g][i][half]);", load.array));
    }
    store_columns(late_result_, lanes, "m", "n");
  });
  source_.close();
}

void TileEpilogue::load_columns_of(const EarlyLoad& load) {
  const std::string elements = source_.values(load.load, lanes_of(""));
  source_.line("#pragma unroll");
  source_.line(fmt::format("for (int l = 0; l < {}; ++l) {}[l] = {}[l];", kLaneColumns, load.array, elements));
}

/// The variables of a place; those of one outside of the result are the last one's inside, so that its loads need no branch.
void TileEpilogue::define_row_inside(const std::string& row) {
  split_number(source_, rows_.rows, fmt::format("min({}, {} - 1)", row, extent(rows_.row_count())));
}
void TileEpilogue::define_column_inside(const std::string& column) {
  source_.line(fmt::format("const {} {} = min({}, {} - {});", source_.index_type(), Source::var_name(spec_.n.var), column, extent(spec_.n.extent), kLaneColumns));
}

void TileEpilogue::store_columns(const kernel::Expr& result, const Lanes& lanes, const std::string& row, const std::string& column) {
  const std::string columns = extent(spec_.n.extent);
  const std::string inside = fmt::format("{} < {} && {} < {}", row, extent(rows_.row_count()), column, columns);
  const int output = static_cast<int>(spec_.buffers.size()) - 1;
  if (columns_are_whole()) {
    source_.open("{");
    define_row_inside(row);
    define_column_inside(column);
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
