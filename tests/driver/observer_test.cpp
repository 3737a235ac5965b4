// Ranges that the methods of calibration make of known distributions.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "driver/observer.h"

namespace intaglio::test {
namespace {

constexpr DType kInt8 = DType::i8;

std::vector<float> repeated(float value, std::size_t count) { return std::vector<float>(count, value); }

Observer observer_of(const std::vector<std::vector<float>>& parts) {
  Observer observer;
  for (const auto& part : parts) observer.add(part);
  return observer;
}

TEST(Observer, SeesNothingInNothing) {
  const Observer observer = observer_of({{}, {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}});
  for (const auto method : {CalibrationMethod::minmax, CalibrationMethod::percentile, CalibrationMethod::mse, CalibrationMethod::entropy}) {
    EXPECT_EQ(observer.range(method, kInt8).low, 0);
    EXPECT_EQ(observer.range(method, kInt8).high, 0);
  }
}

TEST(Observer, CountsEveryValueWhileBinsWiden) {
  Observer observer;
  observer.add(std::vector<float>{0.25F, -0.5F, 0.75F});
  EXPECT_EQ(observer.bin_width(), 0x1p-11);  // 2048 bins of each sign hold up to 1
  observer.add(std::vector<float>{3.0F});
  EXPECT_EQ(observer.bin_width(), 0x1p-9);  // up to 4
  EXPECT_EQ(std::accumulate(observer.bins().begin(), observer.bins().end(), std::uint64_t{0}), 4U);
  const auto bin_of = [](double value) { return static_cast<std::size_t>(2048 + std::floor(value * 512)); };
  for (double value : {0.25, -0.5, 0.75, 3.0}) EXPECT_EQ(observer.bins()[bin_of(value)], 1U) << value;
}

TEST(Observer, MinmaxKeepsAllAndHoldsZero) {
  const auto range = observer_of({{1.5F, 2.0F}, {7.0F, 3.0F}}).range(CalibrationMethod::minmax, kInt8);
  EXPECT_EQ(range.low, 0);
  EXPECT_EQ(range.high, 7);
}

TEST(Observer, PercentileLeavesOutOneInTenThousand) {
  // 100,000 values up to 1, nine of 100, one of 200: ten may be left out.
  const Observer observer = observer_of({repeated(1, 99990), repeated(100, 9), repeated(200, 1)});
  const auto range = observer.range(CalibrationMethod::percentile, kInt8);
  EXPECT_EQ(range.low, 0);
  EXPECT_GE(range.high, 1);
  EXPECT_LE(range.high, 1 + observer.bin_width());
}

TEST(Observer, PercentileSharesTheAllowanceBetweenBothEnds) {
  // Five at each end may be left out: not the six of -50.
  const auto range = observer_of({repeated(1, 49995), repeated(-1, 49994), repeated(-50, 6), repeated(80, 5)}).range(CalibrationMethod::percentile, kInt8);
  EXPECT_EQ(range.low, -50);
  EXPECT_LE(range.high, 1.1);
}

TEST(Observer, MseClipsWhatCostsLess) {
  // 1e6 values uniform on [0, 1] and one of 1.2. Unclipped: steps of s = 1.2/255, 1e6 s^2/12 = 1.85. Clipped at c >= 1: the step shrinks, the outlier costs (1.2 - c)^2;
  // the derivative of 1e6 (c/255)^2/12 + (1.2 - c)^2 is positive on [1, 1.2]: clip to 1. Below 1, ever more values are clipped.
  std::vector<float> uniform(1000000);
  for (std::size_t i = 0; i < uniform.size(); ++i) uniform[i] = (static_cast<float>(i) + 0.5F) / 1e6F;
  const auto range = observer_of({uniform, {1.2F}}).range(CalibrationMethod::mse, kInt8);
  EXPECT_EQ(range.low, 0);
  EXPECT_NEAR(range.high, 1.0, 0.025);
}

TEST(Observer, MseKeepsAllOfAUniformDistribution) {
  std::vector<float> uniform(4096);
  for (std::size_t i = 0; i < uniform.size(); ++i) uniform[i] = static_cast<float>(i) / 4095 * 2 - 1;
  const auto range = observer_of({uniform}).range(CalibrationMethod::mse, kInt8);
  EXPECT_NEAR(range.low, -1, 0.02);
  EXPECT_NEAR(range.high, 1, 0.02);
}

// e4m3's steps grow with the value: a wide range costs nothing until small values become denormal.
TEST(Observer, MseOfFloatsClipsLater) {
  std::vector<float> normal;
  for (int i = 1; i < 2000; ++i) normal.push_back(static_cast<float>(std::log(i / 1000.0)));  // most of it near zero, a tail to -6.9
  const Observer observer = observer_of({normal});
  EXPECT_LE(observer.range(CalibrationMethod::mse, DType::f8e4m3fn).low, observer.range(CalibrationMethod::mse, kInt8).low);
}

TEST(Observer, EntropyKeepsAUniformDistribution) {
  std::vector<float> uniform(204800);
  for (std::size_t i = 0; i < uniform.size(); ++i) uniform[i] = static_cast<float>(i) / 204800;
  EXPECT_NEAR(observer_of({uniform}).range(CalibrationMethod::entropy, kInt8).high, 1, 0.01);
}

TEST(Observer, EntropyClipsALongTail) {
  // Sixteen bins of falling height below 1, and twenty values far out: with the tail in the range, levels of 12 bins level the slope.
  std::vector<std::vector<float>> parts{repeated(100, 20)};
  for (int bin = 0; bin < 16; ++bin) parts.push_back(repeated((static_cast<float>(bin) + 0.5F) / 16, static_cast<std::size_t>(100000 * std::exp(-bin / 3.0))));
  const auto range = observer_of(parts).range(CalibrationMethod::entropy, kInt8);
  EXPECT_LT(range.high, 50);
  EXPECT_GE(range.high, 0.9);
}

}  // namespace
}  // namespace intaglio::test
