// Reference kernels of one operand.
#include <cmath>

#include "runtime/host/host.h"
#include "runtime/host/widened.h"

namespace intaglio::host {
namespace {

template <typename F>
Tensor map_reals(const Tensor& x, F f) {
  std::vector<double> values = reals(x);
  for (double& value : values) value = f(value);
  return narrowed(x.dtype(), x.shape(), values);
}

/// `f` for values of any widened type.
template <typename F>
Tensor map(const Tensor& x, F f) {
  return with_widened(
      [&](auto values) {
        for (auto& value : values) value = f(value);
        return narrowed(x.dtype(), x.shape(), values);
      },
      x);
}

template <typename T>
T negative(T value) {
  // Unsigned, because -INT64_MIN must wrap.
  if constexpr (std::is_floating_point_v<T>)
    return -value;
  else
    return static_cast<T>(0 - static_cast<std::uint64_t>(value));
}

Tensor booleans(const Extents& shape, const std::vector<std::int64_t>& values) { return narrowed(DType::boolean, shape, values); }

Tensor integer_to_float(const Tensor& x, DType to) {
  // 64 bits do not fit a double, and rounding to it first would round twice.
  const auto real_of = [&](auto value) {
    return to == DType::f64 ? static_cast<double>(value) : static_cast<double>(static_cast<float>(value));
  };
  std::vector<double> values;
  for (std::int64_t value : integers(x))
    values.push_back(x.dtype() == DType::u64 ? real_of(static_cast<std::uint64_t>(value)) : real_of(value));
  return narrowed(to, x.shape(), values);
}

}  // namespace

Tensor sqrt(const Tensor& x) {
  return map_reals(x, [](double v) { return std::sqrt(v); });
}
Tensor exp(const Tensor& x) {
  return map_reals(x, [](double v) { return std::exp(v); });
}
Tensor log(const Tensor& x) {
  return map_reals(x, [](double v) { return std::log(v); });
}
Tensor tanh(const Tensor& x) {
  return map_reals(x, [](double v) { return std::tanh(v); });
}
Tensor sin(const Tensor& x) {
  return map_reals(x, [](double v) { return std::sin(v); });
}
Tensor cos(const Tensor& x) {
  return map_reals(x, [](double v) { return std::cos(v); });
}
Tensor erf(const Tensor& x) {
  return map_reals(x, [](double v) { return std::erf(v); });
}
Tensor sigmoid(const Tensor& x) {
  return map_reals(x, [](double v) { return 1 / (1 + std::exp(-v)); });
}
Tensor floor(const Tensor& x) {
  return map_reals(x, [](double v) { return std::floor(v); });
}
Tensor ceil(const Tensor& x) {
  return map_reals(x, [](double v) { return std::ceil(v); });
}
Tensor round(const Tensor& x) {
  return map_reals(x, [](double v) { return std::nearbyint(v); });
}

Tensor neg(const Tensor& x) {
  return map(x, [](auto v) { return negative(v); });
}
Tensor abs(const Tensor& x) {
  return map(x, [](auto v) {
    if constexpr (std::is_floating_point_v<decltype(v)>)
      return std::fabs(v);
    else
      return v < 0 ? negative(v) : v;
  });
}
Tensor relu(const Tensor& x) {
  // NaN is not below 0 and stays.
  return map(x, [](auto v) { return v < 0 ? decltype(v){0} : v; });
}

Tensor logical_not(const Tensor& x) {
  std::vector<std::int64_t> values = integers(x);
  for (std::int64_t& value : values) value = value == 0;
  return booleans(x.shape(), values);
}

Tensor is_nan(const Tensor& x) {
  std::vector<std::int64_t> values;
  for (double value : reals(x)) values.push_back(std::isnan(value));
  return booleans(x.shape(), values);
}

Tensor cast(const Tensor& x, DType to) {
  if (is_float(x.dtype())) return narrowed(to, x.shape(), reals(x));
  if (is_float(to)) return integer_to_float(x, to);
  return narrowed(to, x.shape(), integers(x));
}

}  // namespace intaglio::host
