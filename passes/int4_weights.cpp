// See int4_weights.h. The scale of a block is the one of a few candidates that leaves the smallest squared error: rounding the largest weight down costs
// less than coarser steps for all others.
#include "passes/int4_weights.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "support/diagnostics.h"
#include "support/elements.h"

namespace intaglio {
namespace {

constexpr std::int64_t kBlock = 32;
constexpr double kLargest = 7;
/// Scales that are tried, as fractions of the one that holds the largest weight.
constexpr int kCandidates = 24;
constexpr double kSmallestFraction = 0.54;

/// Rounds to a multiple of `scale` within i4.
double rounded(double value, double scale) { return std::clamp(std::nearbyint(value / scale), -kLargest - 1, kLargest); }

double squared_error(const std::vector<double>& block, double scale) {
  double error = 0;
  for (double value : block) {
    const double difference = value - rounded(value, scale) * scale;
    error += difference * difference;
  }
  return error;
}

float best_scale(const std::vector<double>& block) {
  double largest = 0;
  for (double value : block) largest = std::max(largest, std::fabs(value));
  if (largest == 0) return 1;
  float best = 0;
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < kCandidates; ++i) {
    const double fraction = 1 - (1 - kSmallestFraction) * i / (kCandidates - 1);
    const auto scale = static_cast<float>(largest / kLargest * fraction);
    const double error = squared_error(block, static_cast<double>(scale));
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  return best;
}

struct Packed {
  Tensor stored, scales;
};

/// `weight` is [channels, inner]: blocks run along the channels.
Packed pack(const Tensor& weight, std::int64_t channels, const Extents& shape) {
  const std::int64_t inner = channels ? weight.elements() / channels : 0;
  Extents scale_shape = shape;
  scale_shape[0] = (channels + kBlock - 1) / kBlock;
  Packed packed{Tensor(DType::i4, shape), Tensor(DType::f32, scale_shape)};
  const auto values = weight.span<float>();
  const auto scales = packed.scales.mutable_span<float>();
  std::vector<double> block;
  for (std::int64_t first = 0; first < channels; first += kBlock) {
    const std::int64_t last = std::min(first + kBlock, channels);
    for (std::int64_t column = 0; column < inner; ++column) {
      block.clear();
      for (std::int64_t c = first; c < last; ++c) block.push_back(static_cast<double>(values[static_cast<std::size_t>(c * inner + column)]));
      const float scale = best_scale(block);
      scales[static_cast<std::size_t>(first / kBlock * inner + column)] = scale;
      for (std::int64_t c = first; c < last; ++c) {
        set_integer(packed.stored, c * inner + column, static_cast<std::int64_t>(rounded(block[static_cast<std::size_t>(c - first)], static_cast<double>(scale))));
      }
    }
  }
  return packed;
}

/// Output channels, the first dimension, become the last one.
Tensor outputs_last(const Tensor& weight) {
  Extents shape(weight.shape().begin() + 1, weight.shape().end());
  const std::int64_t outputs = weight.shape()[0];
  const std::int64_t rest = element_count(shape);
  shape.push_back(outputs);
  Tensor turned(DType::f32, shape);
  const auto from = weight.span<float>();
  const auto to = turned.mutable_span<float>();
  for (std::int64_t m = 0; m < outputs; ++m) {
    for (std::int64_t i = 0; i < rest; ++i) to[static_cast<std::size_t>(i * outputs + m)] = from[static_cast<std::size_t>(m * rest + i)];
  }
  return turned;
}

}  // namespace

void pack_int4_weights(Node& contraction) {
  const Tensor& weight = contraction.operand(1)->constant();
  internal_check(weight.dtype() == DType::f32, "weights of {} are not packed in four bits", dtype_name(weight.dtype()));
  const bool is_conv = contraction.is("conv");
  const Tensor turned = is_conv ? outputs_last(weight) : weight;
  Packed packed = pack(turned, turned.shape()[0], turned.shape());
  Builder b(*contraction.graph(), contraction.origins, &contraction);
  Value* value = b.op("dequantize", {b.constant(std::move(packed.stored)), b.constant(std::move(packed.scales))}, {{"axis", std::int64_t{0}}, {"block_size", kBlock}});
  if (is_conv) {
    std::vector<std::int64_t> perm(turned.shape().size());
    std::iota(perm.begin() + 1, perm.end(), std::int64_t{0});
    perm[0] = static_cast<std::int64_t>(perm.size()) - 1;
    value = b.transpose(value, perm);
  }
  contraction.set_operand(1, value);
}

}  // namespace intaglio
