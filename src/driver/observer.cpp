// See observer.h. The entropy method is the one of S. Migacz, "8-bit inference with TensorRT", GTC 2017.
#include "driver/observer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "support/small_float.h"

namespace intaglio {
namespace {

constexpr double kOutliers = 1e-4;
/// Ranges that mse tries, as fractions of what was seen.
constexpr int kFractions = 80;
/// Levels of one side in the entropy method.
constexpr std::int64_t kEntropyLevels = 128;

double fake_quantized(double value, const ValueRange& range, DType storage) {
  if (storage == DType::f8e4m3fn) {
    const double scale = std::max(-range.low, range.high) / 448;
    return decode_small_float(storage, encode_small_float(storage, value / scale, true)) * scale;
  }
  const double scale = (range.high - range.low) / 255;
  const double zero = std::nearbyint(-range.low / scale);
  return (std::clamp(std::nearbyint(value / scale) + zero, 0.0, 255.0) - zero) * scale;
}

/// KL(p || q) of two histograms over the bins where p is not zero; both are normalized here.
double divergence(const std::vector<double>& p, const std::vector<double>& q) {
  const double p_sum = std::accumulate(p.begin(), p.end(), 0.0), q_sum = std::accumulate(q.begin(), q.end(), 0.0);
  double sum = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    if (p[i] == 0) continue;
    // Outliers in a bin that was empty: far, but not infinitely.
    const double approximated = std::max(q[i] / q_sum, 1e-12);
    sum += p[i] / p_sum * std::log(p[i] / p_sum / approximated);
  }
  return sum;
}

/// The first `count` bins, what is beyond them in the last: what clipping makes of the values.
std::vector<double> clipped(const std::vector<double>& bins, std::size_t count) {
  std::vector<double> p(bins.begin(), bins.begin() + static_cast<std::ptrdiff_t>(count));
  p.back() += std::accumulate(bins.begin() + static_cast<std::ptrdiff_t>(count), bins.end(), 0.0);
  return p;
}

/// The first `count` bins in kEntropyLevels levels; each level spread evenly over its bins that are not empty.
std::vector<double> levelled(const std::vector<double>& bins, std::size_t count) {
  std::vector<double> q(count, 0);
  for (std::int64_t level = 0; level < kEntropyLevels; ++level) {
    const std::size_t begin = static_cast<std::size_t>(level) * count / kEntropyLevels, end = static_cast<std::size_t>(level + 1) * count / kEntropyLevels;
    double sum = 0, filled = 0;
    for (std::size_t i = begin; i < end; ++i) {
      sum += bins[i];
      filled += bins[i] > 0;
    }
    for (std::size_t i = begin; i < end; ++i) {
      if (bins[i] > 0) q[i] = sum / filled;
    }
  }
  return q;
}

}  // namespace

void Observer::add(std::span<const float> values) {
  float low = std::numeric_limits<float>::infinity(), high = -low;
  for (float value : values) {
    if (!std::isfinite(value)) {
      has_left_out_ = true;
      continue;
    }
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (low > high) return;
  low_ = std::min(low_, static_cast<double>(low));
  high_ = std::max(high_, static_cast<double>(high));
  widen(std::max(std::abs(low_), std::abs(high_)));
  const auto per_width = static_cast<float>(1 / width_);
  for (float value : values) {
    if (!std::isfinite(value)) continue;
    const auto bin = static_cast<std::int64_t>(std::floor(value * per_width)) + kBins / 2;
    ++bins_[static_cast<std::size_t>(std::clamp<std::int64_t>(bin, 0, kBins - 1))];
  }
}

/// Powers of two: the reciprocal is exact, and bins join in pairs.
void Observer::widen(double largest) {
  if (bins_.empty()) {
    bins_.assign(kBins, 0);
    int exponent = 0;
    std::frexp(std::max(largest, 1e-30) / (kBins / 2), &exponent);
    width_ = std::ldexp(1.0, exponent);
  }
  while (largest > width_ * (kBins / 2)) {
    std::vector<std::uint64_t> wider(kBins, 0);
    for (std::int64_t i = 0; i < kBins; ++i) wider[static_cast<std::size_t>(kBins / 4 + i / 2)] += bins_[static_cast<std::size_t>(i)];
    bins_ = std::move(wider);
    width_ *= 2;
  }
}

ValueRange Observer::range(CalibrationMethod method, DType storage) const {
  if (!has_seen()) return {};
  ValueRange range{low_, high_};
  if (method == CalibrationMethod::percentile) range = percentile_range();
  if (method == CalibrationMethod::mse) range = mse_range(storage);
  if (method == CalibrationMethod::entropy) range = entropy_range();
  return {std::min(range.low, 0.0), std::max(range.high, 0.0)};
}

ValueRange Observer::percentile_range() const {
  const auto total = static_cast<double>(std::accumulate(bins_.begin(), bins_.end(), std::uint64_t{0}));
  // Values of one sign have outliers at one end.
  const bool two_sided = low_ < 0 && high_ > 0;
  const double allowed = total * kOutliers / (two_sided ? 2 : 1);
  const auto end_of = [&](auto begin, auto end) {
    double beyond = 0;
    for (auto it = begin; it != end; ++it) {
      beyond += static_cast<double>(*it);
      if (beyond > allowed) return it - begin;
    }
    return end - begin;
  };
  const auto below = end_of(bins_.begin(), bins_.end()), above = end_of(bins_.rbegin(), bins_.rend());
  const double low = static_cast<double>(below - kBins / 2) * width_, high = static_cast<double>(kBins / 2 - above) * width_;
  return {std::max(low, low_), std::min(high, high_)};
}

ValueRange Observer::mse_range(DType storage) const {
  ValueRange best{low_, high_};
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kFractions; ++i) {
    const double fraction = 1 - static_cast<double>(i) / (kFractions + kFractions / 4);
    const ValueRange range{std::min(low_, 0.0) * fraction, std::max(high_, 0.0) * fraction};
    if (range.low == range.high) continue;
    double error = 0;
    for (std::int64_t bin = 0; bin < kBins; ++bin) {
      const auto count = bins_[static_cast<std::size_t>(bin)];
      if (count == 0) continue;
      const double value = std::clamp(middle(bin), low_, high_), difference = value - fake_quantized(value, range, storage);
      error += static_cast<double>(count) * difference * difference;
    }
    if (error < least) {
      least = error;
      best = range;
    }
  }
  return best;
}

ValueRange Observer::entropy_range() const {
  constexpr auto kHalf = static_cast<std::size_t>(kBins / 2);
  std::vector<double> bins(kHalf);
  for (std::size_t i = 0; i < kHalf; ++i) bins[i] = static_cast<double>(bins_[kHalf + i] + bins_[kHalf - 1 - i]);
  // Zeros are exact in any range; the many that a ReLU makes would hide all else.
  bins[0] = bins[1];
  std::size_t filled = kHalf;
  while (filled > kEntropyLevels && bins[filled - 1] == 0) --filled;
  std::size_t best = filled;
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t count = kEntropyLevels; count <= filled; ++count) {
    const double distance = divergence(clipped(bins, count), levelled(bins, count));
    if (distance <= least) {
      least = distance;
      best = count;
    }
  }
  const double threshold = static_cast<double>(best) * width_;
  return {std::max(low_, -threshold), std::min(high_, threshold)};
}

}  // namespace intaglio
