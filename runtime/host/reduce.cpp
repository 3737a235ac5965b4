// Reference kernels that fold axes.
#include <algorithm>
#include <limits>

#include "runtime/host/host.h"
#include "runtime/host/walk.h"
#include "runtime/host/widened.h"

namespace intaglio::host {
namespace {

/// Where the elements of `x` go when `axes` are folded.
struct Folding {
  Extents shape;           ///< of the result
  Extents strides;         ///< into the result, for walking x
  std::int64_t group = 1;  ///< how many elements fold into one
};

Folding folding_of(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims) {
  Extents kept = x.shape();
  Folding folding;
  for (std::int64_t axis : axes) {
    folding.group *= kept[axis];
    kept[axis] = 1;
  }
  folding.strides = broadcast_strides(kept, x.shape());
  // An axis that is not folded may have extent 1; its stride 0 is as good as any.
  for (std::size_t d = 0; d < kept.size(); ++d) {
    const bool is_folded = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(d)) != axes.end();
    if (!is_folded || keepdims) folding.shape.push_back(kept[d]);
  }
  return folding;
}

/// Folds with `f`, from `neutral` on, in the widened type T.
template <typename T, typename F>
std::vector<T> folded(const Tensor& x, const Folding& folding, const std::vector<T>& values, T neutral, F f) {
  std::vector<T> totals(static_cast<std::size_t>(element_count(folding.shape)), neutral);
  auto value = values.begin();
  walk<1>(x.shape(), {folding.strides}, [&](const auto& at) {
    T& total = totals[at[0]];
    total = f(total, *value++);
  });
  return totals;
}

template <typename F>
Tensor sum_or_product(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims, int neutral, F f) {
  const Folding folding = folding_of(x, axes, keepdims);
  // Integers wrap, which only unsigned arithmetic may.
  if (is_float(x.dtype())) return narrowed(x.dtype(), folding.shape, folded(x, folding, reals(x), static_cast<double>(neutral), f));
  const auto values = integers(x);
  const std::vector<std::uint64_t> bits(values.begin(), values.end());
  return narrowed(x.dtype(), folding.shape, folded(x, folding, bits, static_cast<std::uint64_t>(neutral), f));
}

/// What comes before (or after) every value of the dtype, in the widened type T.
template <typename T>
T bound_of(DType dtype, bool highest) {
  if constexpr (std::is_floating_point_v<T>)
    return highest ? std::numeric_limits<T>::infinity() : -std::numeric_limits<T>::infinity();
  else
    return static_cast<T>(highest ? highest_integer(dtype) : lowest_integer(dtype));
}

template <typename F>
Tensor extreme(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims, bool starts_highest, F is_better) {
  const Folding folding = folding_of(x, axes, keepdims);
  return with_widened(
      [&]<typename T>(const std::vector<T>& values) {
        // A total that is NaN stays, and a NaN element takes over.
        const auto better = [&](T total, T value) {
          return total != total || !(value != value || is_better(value, total)) ? total : value;
        };
        return narrowed(x.dtype(), folding.shape, folded(x, folding, values, bound_of<T>(x.dtype(), starts_highest), better));
      },
      x);
}

}  // namespace

Tensor reduce_sum(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims) {
  return sum_or_product(x, axes, keepdims, 0, [](auto a, auto b) { return a + b; });
}

Tensor reduce_prod(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims) {
  return sum_or_product(x, axes, keepdims, 1, [](auto a, auto b) { return a * b; });
}

Tensor reduce_mean(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims) {
  const Folding folding = folding_of(x, axes, keepdims);
  if (!is_float(x.dtype())) return div(reduce_sum(x, axes, keepdims), narrowed(x.dtype(), {}, std::vector{folding.group}));
  auto totals = folded(x, folding, reals(x), 0.0, [](double a, double b) { return a + b; });
  for (double& total : totals) total /= static_cast<double>(folding.group);
  return narrowed(x.dtype(), folding.shape, totals);
}

Tensor reduce_max(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims) {
  return extreme(x, axes, keepdims, false, [](auto value, auto total) { return value > total; });
}

Tensor reduce_min(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims) {
  return extreme(x, axes, keepdims, true, [](auto value, auto total) { return value < total; });
}

}  // namespace intaglio::host
