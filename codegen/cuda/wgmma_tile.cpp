// Which tile a contraction is cut into, by a model of how long the multiprocessors take.

#include <algorithm>
#include <array>
#include <limits>

#include "codegen/cuda/wgmma.h"

namespace intaglio::cuda {
namespace {

constexpr std::int64_t kProcessors = 132;
constexpr int kSharedBytes = 227 << 10, kRegisters = 65536, kThreads = 2048;
/// What a symbol is taken for.
constexpr std::int64_t kUnknownExtent = 8;

// Cycles and bytes a cycle of one multiprocessor.
constexpr double kCyclesOfStep = 1.0 / 2048 * 64;  ///< to multiply one line of `a` with one of `b`
constexpr double kCacheBytes = 40;                 ///< from the second-level cache
constexpr double kMemoryBytes = 14;                ///< to memory
constexpr double kBlockCycles = 1800;              ///< until the first tile is there, and from the last one to the end
constexpr double kClusterCycles = 900;             ///< to add up the parts of a sum

constexpr std::array kTiles{
    WgmmaTile{128, 256, 4}, WgmmaTile{128, 192, 4}, WgmmaTile{128, 128, 3}, WgmmaTile{128, 96, 4}, WgmmaTile{128, 64, 4}, WgmmaTile{128, 32, 4},
    WgmmaTile{64, 256, 4},  WgmmaTile{64, 128, 4},  WgmmaTile{64, 64, 4},   WgmmaTile{64, 32, 6},
};
constexpr std::array kSplits{1, 2, 4, 8};

std::int64_t ceildiv(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

}  // namespace

int WgmmaTile::blocks() const {
  // Sums, and about 48 registers for everything else, in units of 8.
  const int registers = columns / 2 + 48;
  return std::max(1, std::min({kSharedBytes / (shared_bytes() + 1024), kRegisters / (registers * threads()), kThreads / threads()}));
}

WgmmaTile choose_wgmma_tile(const Contraction& spec, const TileRows& rows, const WgmmaOperands& operands) {
  const auto extent = [](const Dim& dim) { return dim.evaluate([](const std::string&) { return kUnknownExtent; }); };
  const std::int64_t m = extent(rows.row_count()), n = extent(spec.n.extent), products = extent(rows.product_count());
  const std::int64_t steps = extent(spec.r.extent * spec.s.extent) * ceildiv(extent(spec.c.extent), operands.line_elements());
  const std::int64_t result_bytes = dtype_bits(spec.result_dtype) / 8;
  WgmmaTile best;
  double least = std::numeric_limits<double>::infinity();
  for (const WgmmaTile& candidate : kTiles) {
    // Lines of columns are copied 64 columns at a time.
    if (!operands.b.along_sum && candidate.columns % 64 != 0) continue;
    for (int split : kSplits) {
      WgmmaTile tile = candidate;
      tile.split = split;
      // Each block has a part of the sum, and there is room for the sums of all in the stages.
      if (split > 1 && (steps < 2 * split || tile.rows * tile.columns * 4 > tile.stages * tile.stage_bytes())) continue;
      const std::int64_t blocks = ceildiv(m, tile.rows) * ceildiv(n, tile.columns) * products * split;
      const double step = std::max(tile.rows * tile.columns * kCyclesOfStep, tile.stage_bytes() / kCacheBytes);
      const double store = static_cast<double>(tile.rows * std::min<std::int64_t>(tile.columns, n) * result_bytes) / kMemoryBytes / split;
      const double busy = static_cast<double>(ceildiv(blocks, kProcessors)) * (static_cast<double>(ceildiv(steps, split)) * step + store);
      const double idle = static_cast<double>(ceildiv(blocks, kProcessors * tile.blocks())) * (kBlockCycles + (split > 1 ? kClusterCycles : 0));
      if (busy + idle < least) least = busy + idle, best = tile;
    }
  }
  return best;
}

}  // namespace intaglio::cuda
