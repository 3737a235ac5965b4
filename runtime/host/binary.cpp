// Reference kernels of two operands that broadcast to each other.
#include <cmath>

#include "runtime/host/host.h"
#include "runtime/host/walk.h"
#include "runtime/host/widened.h"

namespace intaglio::host {
namespace {

/// `f` of all broadcast pairs, of any widened type; the results in order.
template <typename T, typename F>
auto pairs(const Extents& shape, const Tensor& a, const std::vector<T>& a_values, const Tensor& b, const std::vector<T>& b_values, F f) {
  std::vector<decltype(f(T{}, T{}))> result;
  result.reserve(static_cast<std::size_t>(element_count(shape)));
  walk<2>(shape, {broadcast_strides(a.shape(), shape), broadcast_strides(b.shape(), shape)},
          [&](const auto& at) { result.push_back(f(a_values[at[0]], b_values[at[1]])); });
  return result;
}

template <typename F>
Tensor arithmetic(const Tensor& a, const Tensor& b, F f) {
  const Extents shape = broadcast_shape(a.shape(), b.shape());
  return with_widened([&](const auto& x, const auto& y) { return narrowed(a.dtype(), shape, pairs(shape, a, x, b, y, f)); }, a, b);
}

template <typename F>
Tensor predicate(const Tensor& a, const Tensor& b, F f) {
  const Extents shape = broadcast_shape(a.shape(), b.shape());
  const auto number = [f](auto x, auto y) { return std::int64_t{f(x, y)}; };
  return with_widened([&](const auto& x, const auto& y) { return narrowed(DType::boolean, shape, pairs(shape, a, x, b, y, number)); }, a,
                      b);
}

template <typename T>
constexpr bool is_real = std::is_floating_point_v<T>;

/// Integers wrap, which only unsigned arithmetic may.
template <typename T>
std::uint64_t bits(T value) {
  return static_cast<std::uint64_t>(value);
}

/// x / -1 is -x, also where the quotient of a signed division would overflow.
template <typename T>
bool is_minus_one(T value) {
  return std::is_signed_v<T> && value == static_cast<T>(-1);
}

/// The remainder with the dividend's sign.
template <typename T>
T truncated_remainder(T a, T b) {
  if constexpr (is_real<T>)
    return std::fmod(a, b);
  else
    return b == 0 || is_minus_one(b) ? 0 : a % b;
}

template <typename T>
T quotient(T a, T b) {
  if constexpr (is_real<T>)
    return a / b;
  else if (b == 0)
    return 0;
  else
    return is_minus_one(b) ? static_cast<T>(0 - bits(a)) : a / b;
}

template <typename T>
T power(T base, T exponent) {
  if constexpr (is_real<T>) {
    return std::pow(base, exponent);
  } else {
    if (exponent < 0) {
      if (base == 1) return 1;
      if (base == static_cast<T>(-1)) return exponent % 2 == 0 ? 1 : static_cast<T>(-1);
      return 0;
    }
    std::uint64_t result = 1;
    std::uint64_t square = bits(base);
    for (std::uint64_t rest = bits(exponent); rest != 0; rest >>= 1) {
      if (rest & 1) result *= square;
      square *= square;
    }
    return static_cast<T>(result);
  }
}

/// True for NaN alone.
template <typename T>
bool is_unordered(T value) {
  return value != value;
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  return arithmetic(a, b, []<typename T>(T x, T y) {
    if constexpr (is_real<T>)
      return x + y;
    else
      return static_cast<T>(bits(x) + bits(y));
  });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return arithmetic(a, b, []<typename T>(T x, T y) {
    if constexpr (is_real<T>)
      return x - y;
    else
      return static_cast<T>(bits(x) - bits(y));
  });
}

Tensor mul(const Tensor& a, const Tensor& b) {
  return arithmetic(a, b, []<typename T>(T x, T y) {
    if constexpr (is_real<T>)
      return x * y;
    else
      return static_cast<T>(bits(x) * bits(y));
  });
}

Tensor div(const Tensor& a, const Tensor& b) {
  return arithmetic(a, b, []<typename T>(T x, T y) { return quotient(x, y); });
}

Tensor mod(const Tensor& a, const Tensor& b) {
  return arithmetic(a, b, []<typename T>(T x, T y) {
    const T r = truncated_remainder(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
  });
}

Tensor fmod(const Tensor& a, const Tensor& b) {
  return arithmetic(a, b, []<typename T>(T x, T y) { return truncated_remainder(x, y); });
}

Tensor pow(const Tensor& a, const Tensor& b) {
  return arithmetic(a, b, []<typename T>(T x, T y) { return power(x, y); });
}

Tensor min(const Tensor& a, const Tensor& b) {
  return arithmetic(a, b, []<typename T>(T x, T y) { return is_unordered(x) || x < y ? x : y; });
}

Tensor max(const Tensor& a, const Tensor& b) {
  return arithmetic(a, b, []<typename T>(T x, T y) { return is_unordered(x) || x > y ? x : y; });
}

Tensor equal(const Tensor& a, const Tensor& b) {
  return predicate(a, b, [](auto x, auto y) { return x == y; });
}
Tensor less(const Tensor& a, const Tensor& b) {
  return predicate(a, b, [](auto x, auto y) { return x < y; });
}
Tensor less_equal(const Tensor& a, const Tensor& b) {
  return predicate(a, b, [](auto x, auto y) { return x <= y; });
}
Tensor greater(const Tensor& a, const Tensor& b) {
  return predicate(a, b, [](auto x, auto y) { return x > y; });
}
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return predicate(a, b, [](auto x, auto y) { return x >= y; });
}

Tensor logical_and(const Tensor& a, const Tensor& b) {
  return predicate(a, b, [](auto x, auto y) { return x != 0 && y != 0; });
}
Tensor logical_or(const Tensor& a, const Tensor& b) {
  return predicate(a, b, [](auto x, auto y) { return x != 0 || y != 0; });
}
Tensor logical_xor(const Tensor& a, const Tensor& b) {
  return predicate(a, b, [](auto x, auto y) { return (x != 0) != (y != 0); });
}

}  // namespace intaglio::host
