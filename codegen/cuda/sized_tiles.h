// Which tiles a contraction of symbolic extents is compiled for: few, each for the sizes where it is about as fast as the best one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "codegen/schedule/contraction.h"

namespace intaglio::cuda {

/// What a model says of one size: how long each candidate takes there, infinity for one that cannot be.
struct TileSample {
  std::int64_t size = 0;
  std::vector<double> times;
};

/// A candidate, by its index, and the largest size for which it is taken.
struct TilePick {
  std::size_t candidate = 0;
  std::int64_t up_to = 0;
};

/// The fewest picks that come close to the best candidate at every sample, or as close as some picks can; the last one goes up to any size. The samples
/// ascend; there is a candidate that is possible at all of them.
std::vector<TilePick> pick_tiles(const std::vector<TileSample>& samples);

/// Extents of a contraction, with some value for its symbols.
using ExtentOf = std::function<std::int64_t(const Dim&)>;
/// The extents at which `size` is sampled: all symbols have one value, and the sizes ascend. One for a constant size.
struct ExtentSample {
  std::int64_t size = 0;
  ExtentOf extent;
};
std::vector<ExtentSample> sample_extents(const Dim& size);

/// A tile of those that a contraction is compiled for, and the largest number of multiplications that it is taken for.
template <typename Tile>
struct SizedTile {
  Tile tile;
  std::int64_t up_to = 0;
};

/// `model_at` makes of extents what tells how long a tile takes there, infinity for one that cannot be.
template <typename Tile, typename ModelAt>
std::vector<SizedTile<Tile>> choose_tiles(const Contraction& spec, const std::vector<Tile>& candidates, const ModelAt& model_at) {
  std::vector<TileSample> samples;
  for (const auto& [size, extent] : sample_extents(spec.multiplications())) {
    TileSample& sample = samples.emplace_back(TileSample{size, {}});
    const auto time = model_at(extent);
    for (const Tile& tile : candidates) sample.times.push_back(time(tile));
  }
  std::vector<SizedTile<Tile>> tiles;
  for (const TilePick& pick : pick_tiles(samples)) tiles.push_back({candidates[pick.candidate], pick.up_to});
  return tiles;
}

}  // namespace intaglio::cuda
