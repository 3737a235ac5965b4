// Reference kernels that normalize: softmax, layer_norm, batch_norm.
#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/host/host.h"
#include "runtime/host/walk.h"
#include "runtime/host/widened.h"

namespace intaglio::host {

Tensor softmax(const Tensor& x, int axis) {
  const std::int64_t extent = x.shape()[axis];
  const std::int64_t inner = count_between(x.shape(), axis + 1, x.shape().size());
  const std::int64_t outer = count_between(x.shape(), 0, axis);
  std::vector<double> values = reals(x);
  for (std::int64_t row = 0; row < outer * inner; ++row) {
    double* const first = values.data() + row / inner * extent * inner + row % inner;
    double largest = -std::numeric_limits<double>::infinity();
    for (std::int64_t i = 0; i < extent; ++i) largest = std::max(largest, first[i * inner]);
    double total = 0;
    for (std::int64_t i = 0; i < extent; ++i) total += first[i * inner] = std::exp(first[i * inner] - largest);
    for (std::int64_t i = 0; i < extent; ++i) first[i * inner] /= total;
  }
  return narrowed(x.dtype(), x.shape(), values);
}

Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& bias, int axis, double epsilon) {
  const std::int64_t size = count_between(x.shape(), axis, x.shape().size());
  std::vector<double> values = reals(x);
  const std::vector<double> factors = reals(expand(scale, x.shape()));
  const std::vector<double> offsets = bias.defined() ? reals(expand(bias, x.shape())) : std::vector<double>(values.size(), 0.0);
  for (std::int64_t row = 0; row < count_between(x.shape(), 0, axis); ++row) {
    const std::int64_t begin = row * size;
    double mean = 0;
    for (std::int64_t i = begin; i < begin + size; ++i) mean += values[i];
    mean /= static_cast<double>(size);
    double variance = 0;
    for (std::int64_t i = begin; i < begin + size; ++i) variance += (values[i] - mean) * (values[i] - mean);
    variance /= static_cast<double>(size);
    const double deviation = std::sqrt(variance + epsilon);
    for (std::int64_t i = begin; i < begin + size; ++i) values[i] = (values[i] - mean) / deviation * factors[i] + offsets[i];
  }
  return narrowed(x.dtype(), x.shape(), values);
}

Tensor batch_norm(const Tensor& x, const Tensor& scale, const Tensor& bias, const Tensor& mean, const Tensor& var, double epsilon) {
  const std::int64_t channels = x.shape()[1];
  const std::int64_t inner = count_between(x.shape(), 2, x.shape().size());
  const std::vector<double> scales = reals(scale), biases = reals(bias), means = reals(mean), variances = reals(var);
  std::vector<double> values = reals(x);
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    const std::int64_t c = i / inner % channels;
    values[i] = (values[i] - means[c]) / std::sqrt(variances[c] + epsilon) * scales[c] + biases[c];
  }
  return narrowed(x.dtype(), x.shape(), values);
}

}  // namespace intaglio::host
