// The reference attention.
#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/host/host.h"
#include "runtime/host/walk.h"
#include "runtime/host/widened.h"

namespace intaglio::host {

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double scale) {
  const std::size_t rank = q.shape().size();
  const std::int64_t rows = q.shape()[rank - 2], depth = q.shape()[rank - 1], keys = k.shape()[rank - 2], columns = v.shape()[rank - 1];
  Extents shape = q.shape(), scores_shape = q.shape();
  shape.back() = columns;
  scores_shape.back() = keys;
  const std::vector<double> queries = reals(q), key_rows = reals(k), values = reals(v);
  const std::vector<double> added = mask.defined() ? reals(expand(mask, scores_shape)) : std::vector<double>(static_cast<std::size_t>(element_count(scores_shape)));
  std::vector<double> result(static_cast<std::size_t>(element_count(shape))), weights(static_cast<std::size_t>(keys));
  for (std::int64_t row = 0; row < count_between(q.shape(), 0, rank - 1); ++row) {
    const std::int64_t head = row / rows;
    double largest = -std::numeric_limits<double>::infinity(), total = 0;
    for (std::int64_t t = 0; t < keys; ++t) {
      double product = 0;
      for (std::int64_t d = 0; d < depth; ++d) product += queries[row * depth + d] * key_rows[(head * keys + t) * depth + d];
      weights[t] = product * scale + added[row * keys + t];
      largest = std::max(largest, weights[t]);
    }
    for (std::int64_t t = 0; t < keys; ++t) total += weights[t] = std::exp(weights[t] - largest);
    for (std::int64_t t = 0; t < keys; ++t) {
      for (std::int64_t e = 0; e < columns; ++e) result[row * columns + e] += weights[t] / total * values[(head * keys + t) * columns + e];
    }
  }
  return narrowed(q.dtype(), shape, result);
}

}  // namespace intaglio::host
