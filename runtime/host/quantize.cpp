// Reference kernels of linear quantization.
#include <cmath>

#include "runtime/host/host.h"
#include "runtime/host/walk.h"
#include "runtime/host/widened.h"

namespace intaglio::host {
namespace {

/// Which element of the scale belongs to each element of x.
class Parameters {
 public:
  Parameters(const Tensor& x, const Tensor& scale, int axis, std::int64_t block_size)
      : is_one_(scale.elements() == 1), block_size_(block_size) {
    if (is_one_) return;
    extent_ = x.shape()[axis];
    inner_ = count_between(x.shape(), axis + 1, x.shape().size());
    if (block_size > 0) blocks_ = scale.shape()[axis];
  }

  std::int64_t at(std::int64_t element) const {
    if (is_one_) return 0;
    const std::int64_t i = element / inner_ % extent_;
    if (block_size_ == 0) return i;
    const std::int64_t outer = element / inner_ / extent_;
    return (outer * blocks_ + i / block_size_) * inner_ + element % inner_;
  }

 private:
  bool is_one_;
  std::int64_t block_size_;
  std::int64_t extent_ = 1, inner_ = 1, blocks_ = 1;
};

/// One zero point for each scale; 8-bit floats have none but 0.
std::vector<std::int64_t> zero_points(const Tensor& zero_point, const Tensor& scale) {
  return zero_point.defined() && is_integer(zero_point.dtype()) ? integers(zero_point) : std::vector<std::int64_t>(static_cast<std::size_t>(scale.elements()), 0);
}

}  // namespace

Tensor quantize(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int axis, std::int64_t block_size, DType to) {
  const Parameters parameters(x, scale, axis, block_size);
  const auto scales = reals(scale);
  const auto zeros = zero_points(zero_point, scale);
  const auto values = reals(x);
  std::vector<double> result;
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    const std::int64_t p = parameters.at(i);
    // Rounded as it is computed at run time: whether a quotient is a tie depends on it.
    const double quotient = rounded_to_compute(x.dtype(), values[i] / scales[p]);
    result.push_back(is_float(to) ? quotient : std::nearbyint(quotient) + static_cast<double>(zeros[p]));
  }
  return narrowed(to, x.shape(), result);
}

Tensor dequantize(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int axis, std::int64_t block_size) {
  const Parameters parameters(x, scale, axis, block_size);
  const auto scales = reals(scale);
  if (is_float(x.dtype())) {
    const auto values = reals(x);
    std::vector<double> result;
    for (std::int64_t i = 0; i < x.elements(); ++i) result.push_back(values[i] * scales[parameters.at(i)]);
    return narrowed(scale.dtype(), x.shape(), result);
  }
  const auto zeros = zero_points(zero_point, scale);
  const auto values = integers(x);
  std::vector<double> result;
  for (std::int64_t i = 0; i < x.elements(); ++i) {
    const std::int64_t p = parameters.at(i);
    // The difference of two i32 wraps to i32.
    const auto difference = static_cast<std::int32_t>(values[i] - zeros[p]);
    result.push_back(rounded_to_compute(scale.dtype(), difference) * scales[p]);
  }
  return narrowed(scale.dtype(), x.shape(), result);
}

}  // namespace intaglio::host
