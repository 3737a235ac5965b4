// Which tile a contraction is cut into, by a model of how long the multiprocessors take.

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include "codegen/cuda/wgmma.h"
#include "support/ceil_div.h"

namespace intaglio::cuda {
namespace {

constexpr std::int64_t kProcessors = 132;
/// That clusters of four and more find room on: a cluster stays within a processing cluster of the chip, of 16 or 18 multiprocessors, not all of which are there.
constexpr std::int64_t kClusterProcessors = 120;
constexpr int kSharedBytes = 227 << 10, kRegisters = 65536, kThreads = 2048;
/// Of a thread, about, beside its sums.
constexpr int kOtherRegisters = 48;

// Cycles, and bytes a cycle, of one multiprocessor: constants with which the model picks what is on average 2 % slower than the fastest of up to 81 tiles, for
// 77 products of ResNet-50, BERT and ViT-B/16 at several batches on an H100. A step is timed as it runs in a model, with what the caches hold.
constexpr double kCyclesOfByte = 1.0 / 4280;  ///< to multiply a byte of a line of `a` with one of `b`
constexpr double kCacheBytes = 55;            ///< from the second-level cache
constexpr double kMemoryBytes = 28;           ///< of the epilogue
constexpr double kCacheLatency = 1600;        ///< from the request of a stage to its arrival
constexpr double kBlockCycles = 2400;         ///< until the first tile is there, and from the last one to the end
constexpr double kClusterCycles = 7000;       ///< to start a cluster together and to add up the parts of a sum

struct Shape {
  int rows, columns;
};
constexpr std::array kShapes{Shape{128, 256}, Shape{128, 192}, Shape{128, 128}, Shape{128, 96}, Shape{128, 64}, Shape{128, 32},
                             Shape{64, 256},  Shape{64, 128},  Shape{64, 64},  Shape{64, 32}};
constexpr std::array kStages{1, 2, 3, 4, 6, 8};
constexpr std::array kSplits{1, 2, 4, 8};

/// Bytes that the epilogue moves for one result: the result, and what it reads that has as many elements.
std::int64_t epilogue_bytes(const Contraction& spec) {
  std::int64_t bytes = dtype_bits(spec.result_dtype) / 8;
  std::set<int> read;
  kernel::visit(spec.result, [&](const kernel::ExprNode& node) {
    if (node.kind != kernel::ExprKind::load || !read.insert(node.buffer).second) return;
    const kernel::Buffer& buffer = spec.buffers[static_cast<std::size_t>(node.buffer)];
    if (buffer.elements == spec.output().elements) bytes += dtype_bits(buffer.dtype) / 8;
  });
  return bytes;
}

/// What is cut, as numbers.
struct Problem {
  std::int64_t rows, columns, products, steps, epilogue_bytes;
};

/// Cycles from the first block to the last.
double cycles(const Problem& problem, const WgmmaTile& tile) {
  const std::int64_t blocks = ceil_div(problem.rows, tile.rows) * ceil_div(problem.columns, tile.columns) * problem.products * tile.split;
  const std::int64_t on_one = ceil_div(blocks, tile.split > 2 ? kClusterProcessors : kProcessors), at_once = std::min<std::int64_t>(on_one, tile.blocks());
  const std::int64_t steps = ceil_div(problem.steps, tile.split);
  // One stage is multiplied while the others are filled.
  const double under_way = static_cast<double>(at_once * (steps > tile.stages ? std::max(tile.stages * 2 - 2, 1) : tile.stages * 2)) / 2;
  const double step = std::max({tile.rows * tile.columns * tile.line_bytes * kCyclesOfByte, tile.stage_bytes() / kCacheBytes, kCacheLatency / under_way});
  const double multiply = static_cast<double>(steps) * step;
  const double finish = static_cast<double>(tile.rows * std::min<std::int64_t>(tile.columns, problem.columns) * problem.epilogue_bytes) / kMemoryBytes / tile.split;
  // One block's multiplications hide another's epilogue.
  const double busy = at_once > 1 ? std::max(multiply, finish) + std::min(multiply, finish) / static_cast<double>(at_once) : multiply + finish;
  const double idle = kBlockCycles + finish + (tile.split > 1 ? kClusterCycles : 0);
  return static_cast<double>(on_one) * busy + static_cast<double>(ceil_div(on_one, at_once)) * idle;
}

}  // namespace

int WgmmaTile::blocks() const {
  // A quarter of the registers is for every fourth warp, in units of 8: for the sums, or parts of them, and others.
  const int registers = std::max(columns / 2, split > 1 ? split * 16 : 0) + kOtherRegisters;
  const int of_registers = moves_registers() ? 1 : kRegisters / 4 / 32 / registers * 4 * 32 / threads();
  return std::max(1, std::min({kSharedBytes / (shared_bytes() + 1024), of_registers, kThreads / threads()}));
}

std::vector<SizedTile<WgmmaTile>> choose_wgmma_tiles(const Contraction& spec, const TileRows& rows, const WgmmaOperands& operands) {
  const bool known_steps = spec.reduction_extent().is_constant();
  std::vector<WgmmaTile> candidates;
  for (const Shape& shape : kShapes) {
    // Lines of columns are copied 64 columns at a time.
    if (!operands.b.along_sum && shape.columns % 64 != 0) continue;
    for (int split : kSplits) {
      for (int stages : kStages) {
        const WgmmaTile tile{shape.rows, shape.columns, stages, split, operands.line_bytes};
        if (tile.shared_bytes() > kSharedBytes || (stages == 1 && !known_steps)) continue;
        // Each block has a part of the sum, each warp at most one of the joined ones, and the stages have room for the sums.
        if (split > 1 && (!known_steps || tile.moves_registers() || tile.columns > 32 * split || tile.rows * tile.columns * 4 > stages * tile.stage_bytes())) continue;
        candidates.push_back(tile);
      }
    }
  }
  const std::int64_t moved = epilogue_bytes(spec);
  return choose_tiles(spec, candidates, [&](const ExtentOf& extent) {
    const std::int64_t steps = extent(spec.r.extent * spec.s.extent) * ceil_div(extent(spec.c.extent), operands.line_elements());
    const Problem problem{extent(rows.row_count()), extent(spec.n.extent), extent(rows.product_count()), steps, moved};
    return [problem, known_steps](const WgmmaTile& tile) {
      // A stage is given back when the one after it is multiplied: a single one does only for a single step.
      const bool fills_stages = tile.stages == 1 ? problem.steps <= 1 : tile.stages <= std::max<std::int64_t>(ceil_div(problem.steps, tile.split), known_steps && problem.steps == 1 ? 1 : 2);
      const bool fills_parts = tile.split == 1 || problem.steps >= 2 * tile.split;
      return fills_stages && fills_parts ? cycles(problem, tile) : std::numeric_limits<double>::infinity();
    };
  });
}

}  // namespace intaglio::cuda
