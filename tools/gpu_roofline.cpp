// See gpu_roofline.h.

#include "tools/gpu_roofline.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace intaglio {
namespace {

/// Multiplications and additions of a multiprocessor in a clock (CUDA C++ Programming Guide, "Arithmetic Instructions"; the architectures' white papers for
/// tensor cores: dense operands, f32 or i32 sums).
struct Rate {
  int compute_capability;
  std::string_view multiplies;
  double flops_per_clock;
};
constexpr std::array kRates{
    Rate{80, "f32", 128},  Rate{80, "tf32", 1024}, Rate{80, "f16", 2048}, Rate{80, "bf16", 2048}, Rate{80, "i8", 4096}, Rate{80, "u8", 4096},
    Rate{90, "f32", 256},  Rate{90, "tf32", 2048}, Rate{90, "f16", 4096}, Rate{90, "bf16", 4096}, Rate{90, "i8", 8192}, Rate{90, "u8", 8192},
    Rate{90, "f8e4m3fn", 8192},
};

}  // namespace

double GpuRoofline::gflops(std::string_view multiplies) const {
  for (const Rate& rate : kRates) {
    if (rate.compute_capability == device_.compute_capability && rate.multiplies == multiplies) return rate.flops_per_clock * device_.multiprocessors * device_.clock_ghz;
  }
  return 0;
}

std::optional<GpuRoofline::Bound> GpuRoofline::bound(double flops, std::string_view multiplies, double bytes) const {
  if (gbytes_per_s() <= 0) return std::nullopt;
  const double memory_us = bytes / gbytes_per_s() / 1e3;
  if (flops == 0) return Bound{memory_us, true};
  const double peak = gflops(multiplies);
  if (peak <= 0) return std::nullopt;
  const double arithmetic_us = flops / peak / 1e3;
  return Bound{std::max(memory_us, arithmetic_us), memory_us > arithmetic_us};
}

std::string GpuRoofline::text() const {
  std::string text = fmt::format("{} multiprocessors at {:.3g} GHz:", device_.multiprocessors, device_.clock_ghz);
  for (const Rate& rate : kRates) {
    if (rate.compute_capability == device_.compute_capability) text += fmt::format(" {:.4g} TFLOP/s {},", gflops(rate.multiplies) / 1e3, rate.multiplies);
  }
  return text + fmt::format(" memory {:.4g} GB/s; computed from clocks and widths, not measured", gbytes_per_s());
}

}  // namespace intaglio
