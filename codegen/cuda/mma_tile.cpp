// Which tile a contraction is cut into: a model of how long the multiprocessors take.

#include <algorithm>
#include <array>
#include <limits>

#include "codegen/cuda/mma.h"
#include "codegen/cuda/tile_rows.h"

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
/// What an extent known only at run time is taken for.
constexpr std::int64_t kUnknownExtent = 1024;

// Clocks: products of a multiprocessor in one, what a step takes beyond its products, a block before and after its sum, and a cluster to add up its parts.
constexpr double kProductsPerClock = 1024, kStepClocks = 60, kBlockClocks = 1500, kJoinClocks = 1500;
/// A part of a sum has at least so many steps.
constexpr std::int64_t kLeastSteps = 3;

}  // namespace

MmaTile choose_mma_tile(const Contraction& spec, const MmaType& type, const MmaOptions& options) {
  const TileRows rows(spec);
  const auto extent = [](const Dim& dim) { return dim.constant().value_or(kUnknownExtent); };
  const auto ceil_div = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  const std::int64_t m = extent(rows.row_count()), n = extent(spec.n.extent), products = extent(rows.product_count()), k = extent(spec.reduction_extent());
  MmaTile best;
  double least = std::numeric_limits<double>::infinity();
  for (const RatedTile& rated : kTiles) {
    MmaTile tile = rated.tile;
    const std::int64_t step = tile.step_bytes / type.element_bytes();
    for (tile.parts = 1; tile.parts <= (options.hopper ? 8 : 1); tile.parts *= 2) {
      const std::int64_t steps = ceil_div(ceil_div(k, step), tile.parts);
      if (tile.parts > 1 && steps < kLeastSteps) break;
      const std::int64_t blocks = ceil_div(m, tile.rows) * ceil_div(n, tile.columns) * products * tile.parts;
      const double step_clocks = kStepClocks + static_cast<double>(tile.rows * tile.columns * step) / (kProductsPerClock * rated.share);
      const double block_clocks = static_cast<double>(steps) * step_clocks + kBlockClocks + (tile.parts > 1 ? kJoinClocks : 0);
      const double time = static_cast<double>(ceil_div(blocks, kProcessors)) * block_clocks;
      if (time < least) least = time, best = tile;
    }
  }
  return best;
}

}  // namespace intaglio::cuda
