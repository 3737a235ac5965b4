// Which tile a product with weights of 4 bits is cut into: a model of how long the multiprocessors take.

#include <algorithm>
#include <array>
#include <limits>

#include "codegen/cuda/int4_mma.h"
#include "codegen/cuda/tile_rows.h"
#include "support/ceil_div.h"

namespace intaglio::cuda {
namespace {

// Of 98 on an H100, with 1 to 64 rows by 4096 x 4096 and 4096 x 11008, those that are the fastest somewhere.
constexpr std::array kTiles{
    Int4Tile{8, 1, 1, 16, 4, 1},  Int4Tile{8, 1, 1, 8, 4, 1},  Int4Tile{8, 2, 1, 8, 4, 1},  Int4Tile{16, 1, 1, 8, 4, 1}, Int4Tile{16, 2, 1, 16, 2, 1}, Int4Tile{16, 2, 1, 8, 3, 1},
    Int4Tile{32, 2, 1, 8, 3, 1}, Int4Tile{32, 2, 2, 4, 3, 1}, Int4Tile{64, 2, 1, 8, 2, 1}, Int4Tile{64, 2, 2, 4, 3, 1},  Int4Tile{64, 2, 4, 2, 4, 1},
};

constexpr std::int64_t kProcessors = 132;
constexpr int kSharedBytes = 227 << 10, kRegisters = 65536, kThreads = 2048;

// Cycles, and bytes a cycle, of one multiprocessor: constants that fit the times of those 98.
constexpr double kLatency = 3300;      ///< from the request of a stage to its arrival
constexpr double kStepCycles = 360;    ///< of a step of its own, with the barrier
constexpr double kMemoryBytes = 40;    ///< that arrive, of weights and rows
constexpr double kUnpackCycles = 5.3;  ///< for a unit of a warp
constexpr double kRowCycles = 1.6;     ///< to multiply it with a row
constexpr double kStartCycles = 3400;
constexpr double kClusterCycles = 7200;

/// Blocks that a multiprocessor holds at once.
int blocks_at_once(const Int4Tile& tile) {
  const int registers = 40 + tile.rows * 3 / 2 + (tile.units - 1) * 12;
  return std::max(1, std::min({kThreads / tile.threads(), kSharedBytes / (tile.shared_bytes() + 1024), kRegisters / (registers * tile.threads())}));
}

/// Cycles from the first block to the last.
double cycles(std::int64_t m, std::int64_t n, std::int64_t k, const Int4Tile& tile) {
  const std::int64_t blocks = ceil_div(m, tile.rows) * ceil_div(n, tile.columns()) * tile.parts, on_one = ceil_div(blocks, kProcessors);
  const std::int64_t at_once = std::min<std::int64_t>(on_one, blocks_at_once(tile)), steps = ceil_div(ceil_div(k, tile.step()), tile.parts);
  const double bytes = tile.weight_bytes() + tile.rows * tile.row_bytes(), multiply = tile.warps() * tile.units * (kUnpackCycles + tile.rows * kRowCycles);
  const double step = std::max(kLatency / tile.stages + kStepCycles, static_cast<double>(at_once) * std::max(bytes / kMemoryBytes, multiply));
  return static_cast<double>(ceil_div(on_one, at_once) * steps) * step + kStartCycles + (tile.parts > 1 ? kClusterCycles : 0);
}

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
      const bool fills_parts = tile.parts == 1 || k >= 2 * tile.step();
      return fills_parts ? cycles(m, n, k, tile) : std::numeric_limits<double>::infinity();
    };
  });
}

}  // namespace intaglio::cuda
