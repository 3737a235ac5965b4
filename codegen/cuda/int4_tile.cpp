// Which tile a product with weights of 4 bits is cut into: a model of how long the multiprocessors take.

#include <array>
#include <limits>

#include "codegen/cuda/int4_mma.h"
#include "codegen/cuda/tile_rows.h"

namespace intaglio::cuda {
namespace {

constexpr std::array kTiles{
    Int4Tile{8, 1, 1, 8, 4, 1}, Int4Tile{16, 2, 1, 8, 4, 1}, Int4Tile{32, 2, 1, 8, 3, 1}, Int4Tile{64, 2, 2, 4, 3, 1},
};

constexpr std::int64_t kProcessors = 132;
constexpr int kSharedBytes = 227 << 10;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

std::vector<SizedTile<Int4Tile>> choose_int4_tiles(const Contraction& spec, const Int4Weights& weights, const MmaOptions& options) {
  const TileRows rows(spec);
  std::vector<Int4Tile> candidates;
  for (Int4Tile tile : kTiles) {
    tile.dtype = weights.dtype;
    if (tile.shared_bytes() > kSharedBytes) continue;
    for (tile.parts = 1; tile.parts <= (options.hopper ? std::min(8, tile.rows) : 1); tile.parts *= 2) candidates.push_back(tile);
  }
  const std::int64_t n = spec.n.extent.value(), k = spec.reduction_extent().value();
  return choose_tiles(spec, candidates, [&](const ExtentOf& extent) {
    const std::int64_t m = extent(rows.row_count());
    return [=](const Int4Tile& tile) {
      const std::int64_t steps = ceil_div(ceil_div(k, tile.step()), tile.parts);
      if (tile.parts > 1 && steps < 2) return std::numeric_limits<double>::infinity();
      const std::int64_t blocks = ceil_div(m, tile.rows) * ceil_div(n, tile.columns()) * tile.parts;
      const double step_clocks = 60 + static_cast<double>(tile.weight_bytes() + tile.rows * tile.row_bytes()) / 40;
      return static_cast<double>(ceil_div(blocks, kProcessors)) * (static_cast<double>(steps) * step_clocks) + 1500 + (tile.parts > 1 ? 1500 : 0);
    };
  });
}

}  // namespace intaglio::cuda
