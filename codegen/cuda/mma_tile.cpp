// Which tile a contraction is cut into: a model of how long the multiprocessors take.

#include <algorithm>
#include <array>
#include <limits>

#include "codegen/cuda/mma.h"
#include "codegen/cuda/tile_rows.h"
#include "support/ceil_div.h"

namespace intaglio::cuda {
namespace {

/// A tile and the share of the tensor cores' speed that it reaches on a long sum.
struct RatedTile {
  MmaTile tile;
  double share;
};

constexpr std::array kTiles{
    RatedTile{{128, 128, 64, 64, 64, 4}, 1.00},
    RatedTile{{128, 64, 64, 32, 64, 4}, 0.85},
    RatedTile{{64, 128, 32, 64, 64, 4}, 0.85},
    RatedTile{{64, 64, 32, 32, 128, 3}, 0.65},
    RatedTile{{128, 32, 32, 32, 64, 4}, 0.55},
    RatedTile{{32, 128, 32, 32, 64, 4}, 0.55},
    RatedTile{{64, 32, 16, 32, 128, 4}, 0.40},
    RatedTile{{32, 64, 16, 32, 128, 4}, 0.40},
    RatedTile{{16, 128, 16, 32, 128, 4}, 0.35},
};

/// Blocks that run at once; a large GPU has about this many multiprocessors.
constexpr std::int64_t kProcessors = 132;

// Clocks: products of a multiprocessor in one, what a step takes beyond its products, a block before and after its sum, and a cluster to add up its parts.
constexpr double kProductsPerClock = 1024, kStepClocks = 60, kBlockClocks = 1500, kJoinClocks = 1500;
/// A part of a sum has at least so many steps.
constexpr std::int64_t kLeastSteps = 3;

}  // namespace

std::vector<SizedTile<MmaTile>> choose_mma_tiles(const Contraction& spec, const MmaType& type, const MmaOptions& options) {
  const TileRows rows(spec);
  std::vector<RatedTile> candidates;
  for (RatedTile rated : kTiles) {
    for (rated.tile.parts = 1; rated.tile.parts <= (options.hopper ? 8 : 1); rated.tile.parts *= 2) candidates.push_back(rated);
  }
  const auto model_at = [&](const ExtentOf& extent) {
    const std::int64_t m = extent(rows.row_count()), n = extent(spec.n.extent), products = extent(rows.product_count()), k = extent(spec.reduction_extent());
    return [=, element_bytes = type.element_bytes()](const RatedTile& rated) {
      const auto& [tile, share] = rated;
      const std::int64_t step = tile.step_bytes / element_bytes;
      const std::int64_t steps = ceil_div(ceil_div(k, step), tile.parts);
      if (tile.parts > 1 && steps < kLeastSteps) return std::numeric_limits<double>::infinity();
      const std::int64_t blocks = ceil_div(m, tile.rows) * ceil_div(n, tile.columns) * products * tile.parts;
      const double step_clocks = kStepClocks + static_cast<double>(tile.rows * tile.columns * step) / (kProductsPerClock * share);
      const double block_clocks = static_cast<double>(steps) * step_clocks + kBlockClocks + (tile.parts > 1 ? kJoinClocks : 0);
      return static_cast<double>(ceil_div(blocks, kProcessors)) * block_clocks;
    };
  };
  std::vector<SizedTile<MmaTile>> tiles;
  for (const auto& [rated, up_to] : choose_tiles(spec, candidates, model_at)) tiles.push_back({rated.tile, up_to});
  return tiles;
}

}  // namespace intaglio::cuda
