// See sized_tiles.h.

#include "codegen/cuda/sized_tiles.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "codegen/kernel_plan.h"
#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
/// Each pick is a kernel to compile.
constexpr std::size_t kMostPicks = 6;
/// How much longer than the best one a pick may take: models of time are not better than that.
constexpr double kTolerance = 0.05;
/// Symbols are sampled at the powers of two, which are batches that people choose, and halfway between, up to what numbers of tokens may be.
constexpr std::int64_t kLargestSymbol = 1 << 16;
/// Multiplications beyond which nothing is sampled.
constexpr std::int64_t kLargestSize = std::int64_t{1} << 50;

/// A candidate for consecutive samples.
struct Stretch {
  std::size_t candidate = 0;
  double cost = kNever;   ///< the squared excesses over the best, added up
  double worst = kNever;  ///< excess
};

/// The best candidate for the samples from `begin` up to each later one.
std::vector<Stretch> stretches_from(const std::vector<TileSample>& samples, const std::vector<double>& least, std::size_t begin) {
  const std::size_t candidates = samples.front().times.size();
  std::vector<double> costs(candidates, 0.0), worst(candidates, 0.0);
  std::vector<Stretch> stretches;
  for (std::size_t end = begin; end < samples.size(); ++end) {
    Stretch best;
    for (std::size_t i = 0; i < candidates; ++i) {
      const double excess = samples[end].times[i] / least[end] - 1;
      costs[i] += excess * excess;
      worst[i] = std::max(worst[i], excess);
      if (costs[i] < best.cost) best = {i, costs[i], worst[i]};
    }
    stretches.push_back(best);
  }
  return stretches;
}

}  // namespace

std::vector<TilePick> pick_tiles(const std::vector<TileSample>& samples) {
  const std::size_t count = samples.size();
  std::vector<double> least;
  for (const TileSample& sample : samples) least.push_back(*std::ranges::min_element(sample.times));
  std::vector<std::vector<Stretch>> stretches;
  for (std::size_t begin = 0; begin < count; ++begin) stretches.push_back(stretches_from(samples, least, begin));

  // Of the samples before `end`: the least cost with so many picks, the excess it comes with, and where its last pick begins.
  struct Cut {
    double cost = kNever, worst = kNever;
    std::size_t begin = 0;
  };
  std::vector<std::vector<Cut>> cuts(1, std::vector<Cut>(count + 1));
  cuts[0][0] = {0, 0, 0};
  while (cuts.size() <= kMostPicks && cuts.back()[count].worst > kTolerance) {
    const std::vector<Cut>& before = cuts.back();
    std::vector<Cut> now(count + 1);
    for (std::size_t end = 1; end <= count; ++end) {
      for (std::size_t begin = 0; begin < end; ++begin) {
        const Stretch& last = stretches[begin][end - 1 - begin];
        const double cost = before[begin].cost + last.cost;
        if (cost < now[end].cost) now[end] = {cost, std::max(before[begin].worst, last.worst), begin};
      }
    }
    cuts.push_back(std::move(now));
  }
  internal_check(cuts.back()[count].cost < kNever, "no tile is possible at all sizes");

  std::vector<TilePick> picks;
  for (std::size_t end = count, used = cuts.size() - 1; used > 0; --used) {
    const std::size_t begin = cuts[used][end].begin;
    picks.push_back({stretches[begin][end - 1 - begin].candidate, end == count ? kAnySize : samples[end - 1].size});
    end = begin;
  }
  std::ranges::reverse(picks);
  return picks;
}

std::vector<ExtentSample> sample_extents(const Dim& size) {
  const auto with_symbols = [](std::int64_t value) {
    return [value](const Dim& dim) { return dim.evaluate([&](const std::string&) { return value; }); };
  };
  std::vector<ExtentSample> samples;
  const auto next = [](std::int64_t value) { return std::has_single_bit(static_cast<std::uint64_t>(value)) ? value + std::max<std::int64_t>(value / 2, 1) : value / 3 * 4; };
  for (std::int64_t value = 1; value <= kLargestSymbol; value = next(value)) {
    const ExtentOf extent = with_symbols(value);
    const std::int64_t at = extent(size);
    if (at > kLargestSize) break;
    // Windows larger than an image leave nothing of it.
    if (at > (samples.empty() ? 0 : samples.back().size)) samples.push_back({at, extent});
  }
  if (samples.empty()) samples.push_back({0, with_symbols(1)});
  return samples;
}

}  // namespace intaglio::cuda
