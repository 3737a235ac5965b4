// Which tiles a contraction of symbolic extents is compiled for.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include <limits>

#include "codegen/cuda/backend.h"
#include "codegen/cuda/sized_tiles.h"
#include "tests/codegen/lowering.h"

namespace intaglio::testing {
namespace {

using cuda::TilePick;
using cuda::TileSample;

std::string to_text(const std::vector<TilePick>& picks) {
  std::string text;
  for (const TilePick& pick : picks) text += pick.up_to == kAnySize ? fmt::format("{}", pick.candidate) : fmt::format("{} up to {}, ", pick.candidate, pick.up_to);
  return text;
}

TEST(SizedTiles, OneSizeTakesTheFirstOfTheBest) { EXPECT_EQ(to_text(cuda::pick_tiles({{7, {3, 2, 2}}})), "1"); }

TEST(SizedTiles, SizesAreSharedAmongTheBest) {
  EXPECT_EQ(to_text(cuda::pick_tiles({{1, {1, 2}}, {2, {2, 3}}, {4, {5, 4}}, {8, {9, 6}}})), "0 up to 2, 1");
}

TEST(SizedTiles, WhatIsNearlyTheBestEverywhereIsEnough) {
  EXPECT_EQ(to_text(cuda::pick_tiles({{1, {100, 102, 150}}, {2, {150, 102, 100}}})), "1");
}

TEST(SizedTiles, WhatIsImpossibleSomewhereIsNotTakenThere) {
  const double never = std::numeric_limits<double>::infinity();
  EXPECT_EQ(to_text(cuda::pick_tiles({{1, {never, 50}}, {2, {1, 50}}})), "1 up to 1, 0");
}

TEST(SizedTiles, AreFew) {
  std::vector<TileSample> samples;
  for (int i = 0; i < 40; ++i) {
    TileSample& sample = samples.emplace_back(TileSample{i + 1, std::vector<double>(40, 2.0)});
    sample.times[static_cast<std::size_t>(i)] = 1;
  }
  EXPECT_EQ(cuda::pick_tiles(samples).size(), 6U);
}

TEST(SizedTiles, AConstantSizeIsSampledOnce) {
  EXPECT_EQ(cuda::sample_extents(Dim(12)).size(), 1U);
  const auto samples = cuda::sample_extents(Dim::symbol("N") * Dim::symbol("S") * 3);
  ASSERT_GT(samples.size(), 20U);
  EXPECT_EQ(samples[1].size, 12);
  EXPECT_EQ(samples[1].extent(Dim::symbol("S") + 1), 3);
}

/// What computes a matmul of so many rows.
KernelChoice matmul_choice(const std::string& rows) {
  const std::string text = fmt::format("graph @g(%x: f16[{0},256], %w: f16[256,256]) -> f16[{0},256] {{\n %0 = matmul(%x, %w) : f16[{0},256]\n return %0 }}", rows);
  return cuda::CudaBackend({}, "sm_90a").plan_kernel(*wrap_group(text).node);
}

std::string tile_of(const Alternative& alternative) { return alternative.kernel.name.substr(0, alternative.kernel.name.rfind('_')); }

TEST(SizedTiles, ASymbolicContractionHasTheTilesOfStaticOnes) {
  const KernelChoice choice = matmul_choice("N"), few = matmul_choice("8"), many = matmul_choice("100000");
  ASSERT_GT(choice.alternatives.size(), 1U);
  EXPECT_EQ(choice.size.text(), "65536*N");
  EXPECT_EQ(choice.alternatives.back().up_to, kAnySize);
  EXPECT_EQ(few.alternatives.size(), 1U);
  EXPECT_EQ(tile_of(choice.alternatives.front()), tile_of(few.alternatives.front()));
  EXPECT_NE(tile_of(choice.alternatives.front()), tile_of(many.alternatives.front()));
}

}  // namespace
}  // namespace intaglio::testing
