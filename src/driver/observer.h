// What an activation holds over the calibration samples, and the range that a method of calibration makes of it.
#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "intaglio/tensor.h"
#include "passes/pass.h"

namespace intaglio {

enum class CalibrationMethod {
  minmax,      ///< everything that was seen
  percentile,  ///< all but the outermost 0.01 %
  mse,         ///< the least squared error of quantized values
  entropy,     ///< the least Kullback-Leibler divergence of the quantized distribution from the one that was seen
};

/// Gathers smallest, largest and a histogram of 4096 bins that widens as larger values come. Infinities and NaN are left out.
class Observer {
 public:
  static constexpr std::int64_t kBins = 4096;

  void add(std::span<const float> values);
  /// For activations in `storage`: i8 stands for u8 with a zero point. Zero is always in the range. {0, 0} if nothing was seen.
  ValueRange range(CalibrationMethod method, DType storage) const;

  /// False if there was no finite number among the values.
  bool has_seen() const { return !bins_.empty(); }
  /// True if infinities or NaN were left out.
  bool has_left_out() const { return has_left_out_; }
  double low() const { return low_; }
  double high() const { return high_; }
  /// Bin i holds what is in [(i - kBins/2) * width, (i + 1 - kBins/2) * width).
  double bin_width() const { return width_; }
  const std::vector<std::uint64_t>& bins() const { return bins_; }

 private:
  void widen(double largest);
  double middle(std::int64_t bin) const { return (static_cast<double>(bin - kBins / 2) + 0.5) * width_; }
  ValueRange percentile_range() const;
  ValueRange mse_range(DType storage) const;
  ValueRange entropy_range() const;

  double low_ = std::numeric_limits<double>::infinity();
  double high_ = -std::numeric_limits<double>::infinity();
  double width_ = 0;
  bool has_left_out_ = false;
  std::vector<std::uint64_t> bins_;
};

}  // namespace intaglio
