// The least time that a GPU's arithmetic or its memory needs for a step: the ruler that kernels are held against there.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "intaglio/runtime.h"

namespace intaglio {

/// Of a GPU as its driver describes it: at its highest clock, with every multiplier busy and dense operands. Under load the clock is lower, so that no
/// kernel reaches all of it.
class GpuRoofline {
 public:
  explicit GpuRoofline(const intaglio_device& device) : device_(device) {}

  /// Billions of operations a second on operands of a kind ("f16", "tf32", "i8" ..: `multiplies` of layers.json); 0 where that is not known.
  double gflops(std::string_view multiplies) const;
  double gbytes_per_s() const { return device_.memory_gbytes_per_s; }

  struct Bound {
    double us = 0;
    bool by_memory = false;
  };
  /// What a step takes at least; nothing if the peak of its arithmetic is not known.
  std::optional<Bound> bound(double flops, std::string_view multiplies, double bytes) const;

  /// "132 multiprocessors at 1.98 GHz: 1070.5 TFLOP/s f16 .., memory 3352 GB/s; computed, not measured".
  std::string text() const;

 private:
  intaglio_device device_;
};

}  // namespace intaglio
