// See int4_weights.h. The scale of a block is the one of a few candidates that leaves the smallest squared error: rounding the largest weight down costs
// less than coarser steps for all others.
#include "passes/int4_weights.h"

#include <algorithm>
#include <array>
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

/// `weight` is [.., channels]: blocks run along the channels.
Packed pack(const Tensor& weight) {
  const std::int64_t channels = weight.shape().back(), lines = channels ? weight.elements() / channels : 0;
  Extents scale_shape = weight.shape();
  scale_shape.back() = (channels + kBlock - 1) / kBlock;
  Packed packed{Tensor(DType::i4, weight.shape()), Tensor(DType::f32, scale_shape)};
  const auto values = weight.span<float>();
  const auto scales = packed.scales.mutable_span<float>();
  std::vector<double> block;
  for (std::int64_t line = 0; line < lines; ++line) {
    for (std::int64_t first = 0; first < channels; first += kBlock) {
      const std::int64_t last = std::min(first + kBlock, channels), at = line * channels;
      block.assign(values.begin() + at + first, values.begin() + at + last);
      const float scale = best_scale(block);
      scales[static_cast<std::size_t>(line * scale_shape.back() + first / kBlock)] = scale;
      for (std::int64_t c = first; c < last; ++c) {
        set_integer(packed.stored, at + c, static_cast<std::int64_t>(rounded(block[static_cast<std::size_t>(c - first)], static_cast<double>(scale))));
      }
    }
  }
  return packed;
}

/// The dimension `from` of three moves to the end.
Tensor moved_to_end(const Tensor& weight, const std::array<std::int64_t, 3>& shape, int from) {
  Tensor turned(DType::f32, {weight.elements()});
  const auto values = weight.span<float>();
  const auto to = turned.mutable_span<float>();
  std::size_t next = 0;
  std::array<std::int64_t, 3> strides{shape[1] * shape[2], shape[2], 1};
  std::array<int, 3> order{0, 1, 2};
  std::rotate(order.begin() + from, order.begin() + from + 1, order.end());
  for (std::int64_t i = 0; i < shape[order[0]]; ++i) {
    for (std::int64_t j = 0; j < shape[order[1]]; ++j) {
      for (std::int64_t k = 0; k < shape[order[2]]; ++k) to[next++] = values[static_cast<std::size_t>(i * strides[order[0]] + j * strides[order[1]] + k * strides[order[2]])];
    }
  }
  return turned;
}

}  // namespace

void pack_int4_weights(Node& contraction) {
  const Tensor& weight = contraction.operand(1)->constant();
  internal_check(weight.dtype() == DType::f32, "weights of {} are not packed in four bits", dtype_name(weight.dtype()));
  // conv: [outputs, channels, taps..] as [outputs, taps.., channels]; matmul: [channels, outputs] as [outputs, channels].
  const Extents& shape = weight.shape();
  const bool is_conv = contraction.is("conv");
  const std::int64_t taps = is_conv ? element_count(Extents(shape.begin() + 2, shape.end())) : 1;
  Extents turned = shape;
  std::rotate(turned.begin() + is_conv, turned.begin() + is_conv + 1, turned.end());
  const std::array<std::int64_t, 3> parts = is_conv ? std::array{shape[0], shape[1], taps} : std::array{std::int64_t{1}, shape[0], shape[1]};
  Packed packed = pack(moved_to_end(weight, parts, 1).reshaped(turned));
  Builder b(*contraction.graph(), contraction.origins, &contraction);
  const auto axis = static_cast<std::int64_t>(shape.size()) - 1;
  Value* value = b.op("dequantize", {b.constant(std::move(packed.stored)), b.constant(std::move(packed.scales))}, {{"axis", axis}, {"block_size", kBlock}});
  std::vector<std::int64_t> perm(shape.size());
  std::iota(perm.begin(), perm.end(), std::int64_t{0});
  std::rotate(perm.begin() + is_conv, perm.end() - 1, perm.end());
  contraction.set_operand(1, b.transpose(value, perm));
}

}  // namespace intaglio
