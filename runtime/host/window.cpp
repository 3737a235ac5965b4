// Reference kernels with windows: pooling and convolution.
#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "runtime/host/host.h"
#include "runtime/host/walk.h"
#include "runtime/host/widened.h"

namespace intaglio::host {
namespace {

/// One spatial axis. Windows over one or two axes are windows over three, the first ones of extent 1.
struct Axis {
  std::int64_t taps = 1, stride = 1, begin = 0, end = 0, dilation = 1;
  std::int64_t inputs = 1, outputs = 1;

  /// The input position of tap `t` of output `o`; outside of [0, inputs) it is padding.
  std::int64_t position(std::int64_t o, std::int64_t t) const { return o * stride - begin + t * dilation; }
  bool is_inside(std::int64_t p) const { return p >= 0 && p < inputs; }
};
using Axes = std::array<Axis, 3>;

Axes axes_of(const Window& window, const Extents& input, const Extents& result) {
  Axes axes;
  const std::size_t spatial = window.kernel_shape.size();
  for (std::size_t i = 0; i < spatial; ++i) {
    axes[3 - spatial + i] = {window.kernel_shape[i], window.strides[i], window.pads[i], window.pads[i + spatial],
                             window.dilations[i],    input[i + 2],      result[i + 2]};
  }
  return axes;
}

std::int64_t inputs_of(const Axes& axes) { return axes[0].inputs * axes[1].inputs * axes[2].inputs; }
std::int64_t outputs_of(const Axes& axes) { return axes[0].outputs * axes[1].outputs * axes[2].outputs; }

/// Calls `f` with the position in its plane of each tap of window (d,h,w) that lies in the input.
template <typename F>
void for_each_tap(const Axes& axes, std::int64_t d, std::int64_t h, std::int64_t w, F f) {
  const auto& [deep, high, wide] = axes;
  for (std::int64_t i = 0; i < deep.taps; ++i) {
    for (std::int64_t j = 0; j < high.taps; ++j) {
      for (std::int64_t k = 0; k < wide.taps; ++k) {
        const std::int64_t z = deep.position(d, i), y = high.position(h, j), x = wide.position(w, k);
        if (deep.is_inside(z) && high.is_inside(y) && wide.is_inside(x)) f((z * high.inputs + y) * wide.inputs + x);
      }
    }
  }
}

/// How many taps of window `o` lie in the input and its padding; a window of ceil_mode may reach beyond both.
std::int64_t taps_in_padded(const Axis& axis, std::int64_t o) {
  std::int64_t count = 0;
  for (std::int64_t t = 0; t < axis.taps; ++t) count += axis.position(o, t) < axis.inputs + axis.end;
  return count;
}

/// `f(plane, d, h, w)` for each window of each of `planes` planes, in the order of the result's elements.
template <typename F>
void for_each_window(const Axes& axes, std::int64_t planes, F f) {
  for (std::int64_t p = 0; p < planes; ++p) {
    for (std::int64_t d = 0; d < axes[0].outputs; ++d) {
      for (std::int64_t h = 0; h < axes[1].outputs; ++h) {
        for (std::int64_t w = 0; w < axes[2].outputs; ++w) f(p, d, h, w);
      }
    }
  }
}

template <typename T>
T smallest(DType dtype) {
  if constexpr (std::is_floating_point_v<T>)
    return -std::numeric_limits<T>::infinity();
  else
    return static_cast<T>(lowest_integer(dtype));
}

/// output += weight * input for one tap of a kernel: all windows of one pair of planes.
void accumulate_tap(const Axes& axes, std::int64_t i, std::int64_t j, std::int64_t k, double weight, const double* input, double* output) {
  const auto& [deep, high, wide] = axes;
  for (std::int64_t d = 0; d < deep.outputs; ++d) {
    const std::int64_t z = deep.position(d, i);
    if (!deep.is_inside(z)) continue;
    for (std::int64_t h = 0; h < high.outputs; ++h) {
      const std::int64_t y = high.position(h, j);
      if (!high.is_inside(y)) continue;
      const double* const row = input + (z * high.inputs + y) * wide.inputs;
      double* const out = output + (d * high.outputs + h) * wide.outputs;
      for (std::int64_t w = 0; w < wide.outputs; ++w) {
        const std::int64_t x = wide.position(w, k);
        if (wide.is_inside(x)) out[w] += weight * row[x];
      }
    }
  }
}

}  // namespace

Tensor max_pool(const Tensor& x, const Window& window, const Extents& result_shape) {
  const Axes axes = axes_of(window, x.shape(), result_shape);
  return with_widened(
      [&]<typename T>(const std::vector<T>& values) {
        std::vector<T> result;
        for_each_window(axes, x.shape()[0] * x.shape()[1], [&](std::int64_t p, std::int64_t d, std::int64_t h, std::int64_t w) {
          T largest = smallest<T>(x.dtype());
          for_each_tap(axes, d, h, w, [&](std::int64_t at) {
            const T value = values[p * inputs_of(axes) + at];
            // NaN takes over and stays.
            if (largest == largest && !(value <= largest)) largest = value;
          });
          result.push_back(largest);
        });
        return narrowed(x.dtype(), result_shape, result);
      },
      x);
}

Tensor average_pool(const Tensor& x, const Window& window, bool count_include_pad, const Extents& result_shape) {
  const Axes axes = axes_of(window, x.shape(), result_shape);
  const std::vector<double> values = reals(x);
  std::vector<double> result;
  for_each_window(axes, x.shape()[0] * x.shape()[1], [&](std::int64_t p, std::int64_t d, std::int64_t h, std::int64_t w) {
    double total = 0;
    std::int64_t count = 0;
    for_each_tap(axes, d, h, w, [&](std::int64_t at) {
      total += values[p * inputs_of(axes) + at];
      ++count;
    });
    if (count_include_pad) count = taps_in_padded(axes[0], d) * taps_in_padded(axes[1], h) * taps_in_padded(axes[2], w);
    result.push_back(total / static_cast<double>(count));
  });
  return narrowed(x.dtype(), result_shape, result);
}

Tensor conv(const Tensor& x, const Tensor& w, const Tensor& b, const Window& window, std::int64_t group, std::int64_t pad_value,
            const Extents& result_shape) {
  const Axes axes = axes_of(window, x.shape(), result_shape);
  const std::int64_t outputs = w.shape()[0], channels = w.shape()[1];
  const std::int64_t taps = axes[0].taps * axes[1].taps * axes[2].taps;
  std::vector<double> inputs = reals(x);
  const std::vector<double> weights = reals(w);
  std::vector<double> bias = b.defined() ? reals(b) : std::vector<double>(static_cast<std::size_t>(outputs), 0.0);
  if (pad_value != 0) {
    // Padding adds nothing where x is counted from it; what that takes away is the same for all windows.
    for (double& value : inputs) value -= static_cast<double>(pad_value);
    for (std::int64_t m = 0; m < outputs; ++m) {
      const auto first = weights.begin() + m * channels * taps;
      bias[m] += static_cast<double>(pad_value) * std::accumulate(first, first + channels * taps, 0.0);
    }
  }
  std::vector<double> result(static_cast<std::size_t>(element_count(result_shape)));
  for (std::int64_t n = 0; n < x.shape()[0]; ++n) {
    for (std::int64_t m = 0; m < outputs; ++m) {
      double* const plane = result.data() + (n * outputs + m) * outputs_of(axes);
      std::fill_n(plane, outputs_of(axes), bias[m]);
      const std::int64_t first_channel = m / (outputs / group) * channels;
      for (std::int64_t c = 0; c < channels; ++c) {
        const double* const input = inputs.data() + (n * x.shape()[1] + first_channel + c) * inputs_of(axes);
        for (std::int64_t t = 0; t < taps; ++t) {
          const std::int64_t i = t / (axes[1].taps * axes[2].taps), j = t / axes[2].taps % axes[1].taps, k = t % axes[2].taps;
          accumulate_tap(axes, i, j, k, weights[(m * channels + c) * taps + t], input, plane);
        }
      }
    }
  }
  if (is_float(x.dtype())) return narrowed(x.dtype() == DType::f8e4m3fn ? DType::f32 : x.dtype(), result_shape, result);
  return narrowed(DType::i32, result_shape, std::vector<std::int64_t>(result.begin(), result.end()));
}

}  // namespace intaglio::host
