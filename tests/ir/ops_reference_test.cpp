// The reference kernels on values worked out by hand.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "runtime/host/host.h"
#include "support/diagnostics.h"
#include "support/elements.h"

namespace intaglio::testing {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
const double kNan = std::nan("");

/// A tensor of any number type from doubles.
Tensor make(DType dtype, Extents shape, const std::vector<double>& values) {
  Tensor tensor(dtype, std::move(shape));
  for (std::int64_t i = 0; i < tensor.elements(); ++i) set_real(tensor, i, values.at(i));
  return tensor;
}
Tensor vector(DType dtype, const std::vector<double>& values) { return make(dtype, {static_cast<std::int64_t>(values.size())}, values); }
Tensor floats(Extents shape, const std::vector<double>& values) { return make(DType::f32, std::move(shape), values); }
/// 0, 1, 2 ..
Tensor counted(DType dtype, Extents shape) {
  std::vector<double> values;
  for (std::int64_t i = 0; i < element_count(shape); ++i) values.push_back(static_cast<double>(i));
  return make(dtype, std::move(shape), values);
}

void expect_values(const Tensor& actual, DType dtype, const Extents& shape, const std::vector<double>& values, double tolerance = 0) {
  ASSERT_EQ(actual.dtype(), dtype);
  ASSERT_EQ(actual.shape(), shape);
  for (std::int64_t i = 0; i < actual.elements(); ++i) {
    const double a = get_real(actual, i), e = values.at(i);
    const bool same = std::isnan(e) ? std::isnan(a) : a == e || std::fabs(a - e) <= tolerance;
    EXPECT_TRUE(same) << "element " << i << ": " << a << " instead of " << e;
  }
}
void expect_vector(const Tensor& actual, DType dtype, const std::vector<double>& values, double tolerance = 0) {
  expect_values(actual, dtype, {static_cast<std::int64_t>(values.size())}, values, tolerance);
}

const std::vector<DType> kFloats{DType::f32, DType::f64, DType::f16, DType::bf16};
const std::vector<DType> kIntegers{DType::i8, DType::i16, DType::i32, DType::i64, DType::u8, DType::u16, DType::u32, DType::u64};

TEST(Reference, UnaryFunctions) {
  for (DType dtype : kFloats) {
    SCOPED_TRACE(dtype_name(dtype));
    const double tolerance = dtype == DType::bf16 ? 1e-2 : dtype == DType::f16 ? 1e-3 : 1e-6;
    expect_vector(host::exp(vector(dtype, {0, 1, -kInf, kNan})), dtype, {1, M_E, 0, kNan}, tolerance);
    expect_vector(host::log(vector(dtype, {1, 2, 0, -1})), dtype, {0, M_LN2, -kInf, kNan}, tolerance);
    expect_vector(host::tanh(vector(dtype, {0, 1, kInf})), dtype, {0, 0.761594, 1}, tolerance);
    expect_vector(host::sin(vector(dtype, {0, 1})), dtype, {0, 0.841471}, tolerance);
    expect_vector(host::cos(vector(dtype, {0, 1})), dtype, {1, 0.540302}, tolerance);
    expect_vector(host::erf(vector(dtype, {0, 0.5, -kInf})), dtype, {0, 0.5205, -1}, tolerance);
    expect_vector(host::sigmoid(vector(dtype, {0, -kInf, 1})), dtype, {0.5, 0, 0.731059}, tolerance);
    expect_vector(host::sqrt(vector(dtype, {4, -1, 0})), dtype, {2, kNan, 0});
    expect_vector(host::floor(vector(dtype, {1.5, -1.5, 2})), dtype, {1, -2, 2});
    expect_vector(host::ceil(vector(dtype, {1.5, -1.5, 2})), dtype, {2, -1, 2});
    expect_vector(host::round(vector(dtype, {0.5, 1.5, -2.5, 2.25})), dtype, {0, 2, -2, 2});
    expect_vector(host::relu(vector(dtype, {-1, 2, kNan, -kInf})), dtype, {0, 2, kNan, 0});
    expect_vector(host::abs(vector(dtype, {-1.5, 2, -kInf})), dtype, {1.5, 2, kInf});
    expect_vector(host::is_nan(vector(dtype, {1, kNan, kInf})), DType::boolean, {0, 1, 0});
  }
}

TEST(Reference, IntegersWrap) {
  expect_vector(host::neg(vector(DType::i8, {-128, 5})), DType::i8, {-128, -5});
  expect_vector(host::abs(vector(DType::i8, {-128, -5})), DType::i8, {-128, 5});
  expect_vector(host::abs(vector(DType::u8, {200})), DType::u8, {200});
  expect_vector(host::add(vector(DType::u8, {250}), vector(DType::u8, {10})), DType::u8, {4});
  expect_vector(host::sub(vector(DType::u32, {0}), vector(DType::u32, {1})), DType::u32, {4294967295.0});
  expect_vector(host::mul(vector(DType::i16, {300}), vector(DType::i16, {300})), DType::i16, {24464});
  const Tensor lowest = Tensor::of<std::int64_t>(DType::i64, {1}, {std::numeric_limits<std::int64_t>::min()});
  const Tensor minus_one = vector(DType::i64, {-1});
  EXPECT_EQ(get_integer(host::neg(lowest), 0), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(get_integer(host::div(lowest, minus_one), 0), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(get_integer(host::mod(lowest, minus_one), 0), 0);
}

TEST(Reference, IntegerDivision) {
  const Tensor a = vector(DType::i32, {7, -7, 7, -7, 5});
  const Tensor b = vector(DType::i32, {2, 2, -2, -2, 0});
  expect_vector(host::div(a, b), DType::i32, {3, -3, -3, 3, 0});
  expect_vector(host::mod(a, b), DType::i32, {1, 1, -1, -1, 0});
  expect_vector(host::fmod(a, b), DType::i32, {1, -1, 1, -1, 0});
  expect_vector(host::fmod(vector(DType::f32, {7.5, -7.5}), vector(DType::f32, {2, 2})), DType::f32, {1.5, -1.5});
}

TEST(Reference, LargeUnsignedNumbers) {
  const Tensor big = Tensor::of<std::uint64_t>(DType::u64, {1}, {~std::uint64_t{0}});
  const Tensor two = vector(DType::u64, {2});
  EXPECT_EQ(static_cast<std::uint64_t>(get_integer(host::div(big, two), 0)), ~std::uint64_t{0} / 2);
  EXPECT_EQ(get_integer(host::mod(big, two), 0), 1);
  expect_vector(host::greater(big, two), DType::boolean, {1});
  EXPECT_EQ(get_integer(host::min(big, two), 0), 2);
  expect_vector(host::cast(big, DType::f32), DType::f32, {0x1p64});
  expect_vector(host::reduce_max(host::concat({two, big}, 0), {0}, true), DType::u64, {0x1p64});
}

TEST(Reference, ArithmeticInEveryDType) {
  std::vector<DType> dtypes = kFloats;
  dtypes.insert(dtypes.end(), kIntegers.begin(), kIntegers.end());
  for (DType dtype : dtypes) {
    SCOPED_TRACE(dtype_name(dtype));
    const Tensor a = vector(dtype, {6, 2, 9}), b = vector(dtype, {2, 2, 3});
    expect_vector(host::add(a, b), dtype, {8, 4, 12});
    expect_vector(host::sub(a, b), dtype, {4, 0, 6});
    expect_vector(host::mul(a, b), dtype, {12, 4, 27});
    expect_vector(host::div(a, b), dtype, {3, 1, 3});
    expect_vector(host::pow(b, vector(dtype, {3, 1, 4})), dtype, {8, 2, 81});
    expect_vector(host::min(a, b), dtype, {2, 2, 3});
    expect_vector(host::max(a, b), dtype, {6, 2, 9});
    expect_vector(host::equal(a, b), DType::boolean, {0, 1, 0});
    expect_vector(host::less(b, a), DType::boolean, {1, 0, 1});
    expect_vector(host::less_equal(a, b), DType::boolean, {0, 1, 0});
    expect_vector(host::greater(a, b), DType::boolean, {1, 0, 1});
    expect_vector(host::greater_equal(a, b), DType::boolean, {1, 1, 1});
    expect_values(host::reduce_sum(a, {0}, true), dtype, {1}, {17});
    const bool bytes = dtype == DType::u8 || dtype == DType::i8;
    expect_values(host::matmul(make(dtype, {1, 2}, {2, 3}), make(dtype, {2, 1}, {4, 5})), bytes ? DType::i32 : dtype, {1, 1}, {23});
  }
}

TEST(Reference, NanIsKeptByMinAndMax) {
  const Tensor a = vector(DType::f32, {kNan, 1, kNan}), b = vector(DType::f32, {1, kNan, kNan});
  expect_vector(host::min(a, b), DType::f32, {kNan, kNan, kNan});
  expect_vector(host::max(a, b), DType::f32, {kNan, kNan, kNan});
  expect_vector(host::less(a, b), DType::boolean, {0, 0, 0});
  expect_vector(host::equal(a, a), DType::boolean, {0, 1, 0});
}

TEST(Reference, IntegerPowers) {
  expect_vector(host::pow(vector(DType::i32, {2, -1, -1, 1, 3, 0, -2}), vector(DType::i32, {-1, -3, -2, -5, -1, -1, 3})), DType::i32,
                {0, -1, 1, 1, 0, 0, -8});
  expect_vector(host::pow(vector(DType::u8, {3}), vector(DType::u8, {6})), DType::u8, {729 % 256});
}

TEST(Reference, Broadcasting) {
  const Tensor column = make(DType::i32, {2, 1}, {10, 20}), row = make(DType::i32, {3}, {1, 2, 3});
  expect_values(host::add(column, row), DType::i32, {2, 3}, {11, 12, 13, 21, 22, 23});
  expect_values(host::add(make(DType::i32, {}, {5}), row), DType::i32, {3}, {6, 7, 8});
  expect_values(host::add(column, Tensor(DType::i32, {0})), DType::i32, {2, 0}, {});
}

TEST(Reference, Logic) {
  const Tensor a = vector(DType::boolean, {0, 0, 1, 1}), b = vector(DType::boolean, {0, 1, 0, 1});
  expect_vector(host::logical_and(a, b), DType::boolean, {0, 0, 0, 1});
  expect_vector(host::logical_or(a, b), DType::boolean, {0, 1, 1, 1});
  expect_vector(host::logical_xor(a, b), DType::boolean, {0, 1, 1, 0});
  expect_vector(host::logical_not(a), DType::boolean, {1, 1, 0, 0});
  expect_values(host::where(make(DType::boolean, {2, 1}, {1, 0}), make(DType::i8, {3}, {1, 2, 3}), make(DType::i8, {}, {-1})), DType::i8,
                {2, 3}, {1, 2, 3, -1, -1, -1});
}

TEST(Reference, Cast) {
  expect_vector(host::cast(vector(DType::f32, {1.9, -1.9, 300, -300, kNan, kInf}), DType::i8), DType::i8, {1, -1, 127, -128, 0, 127});
  expect_vector(host::cast(vector(DType::f32, {-1, 256}), DType::u8), DType::u8, {0, 255});
  expect_vector(host::cast(vector(DType::i32, {300, -1}), DType::u8), DType::u8, {44, 255});
  expect_vector(host::cast(vector(DType::f32, {0, 0.5, kNan}), DType::boolean), DType::boolean, {0, 1, 1});
  expect_vector(host::cast(vector(DType::i32, {0, 256}), DType::boolean), DType::boolean, {0, 1});
  expect_vector(host::cast(vector(DType::boolean, {1, 0}), DType::f16), DType::f16, {1, 0});
  // Halves go to the even neighbour.
  expect_vector(host::cast(vector(DType::f32, {2049, 2051, 65520}), DType::f16), DType::f16, {2048, 2052, kInf});
  expect_vector(host::cast(vector(DType::f32, {257, 259}), DType::bf16), DType::bf16, {256, 260});
  // Beside a tie in f32: the lowest bit decides it, and rounding to f64 on the way would lose it.
  const Tensor beside_tie = Tensor::of<std::int64_t>(DType::i64, {1}, {(std::int64_t{1} << 60) + (std::int64_t{1} << 36) + 1});
  expect_vector(host::cast(beside_tie, DType::f32), DType::f32, {0x1p60 + 0x1p37});
}

TEST(Reference, SmallFloatsRoundOnce) {
  const Tensor a = vector(DType::f16, {2048}), b = vector(DType::f16, {1});
  expect_vector(host::add(a, b), DType::f16, {2048});
  // The sum is exact in double, so the small terms are not lost one by one.
  expect_values(host::reduce_sum(vector(DType::f16, {2048, 1, 1, 1, 1}), {0}, false), DType::f16, {}, {2052});
}

TEST(Reference, Quantize) {
  const Tensor x = floats({6}, {0, 0.25, 0.75, -1, 100, kNan});
  const Tensor scale = floats({}, {0.5});
  expect_vector(host::quantize(x, scale, Tensor(), 1, 0, DType::i8), DType::i8, {0, 0, 2, -2, 127, 0});
  expect_vector(host::quantize(x, scale, make(DType::u8, {}, {128}), 1, 0, DType::u8), DType::u8, {128, 128, 130, 126, 255, 0});
  expect_vector(host::quantize(x, scale, Tensor(), 1, 0, DType::i4), DType::i4, {0, 0, 2, -2, 7, 0});
  expect_vector(host::dequantize(vector(DType::u8, {0, 128, 255}), scale, make(DType::u8, {}, {128}), 1, 0), DType::f32, {-64, 0, 63.5});

  const Tensor per_axis = floats({3}, {1, 2, 4});
  expect_values(host::quantize(floats({2, 3}, {4, 4, 4, 8, 8, 8}), per_axis, Tensor(), 1, 0, DType::i8), DType::i8, {2, 3},
                {4, 2, 1, 8, 4, 2});
  const Tensor quantized = make(DType::i8, {5, 2}, {1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  const Tensor blocks = floats({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_values(host::dequantize(quantized, blocks, Tensor(), 0, 2), DType::f32, {5, 2}, {1, 2, 1, 2, 3, 4, 3, 4, 5, 6});
}

TEST(Reference, MovementOfEveryWidth) {
  for (DType dtype : {DType::i4, DType::u8, DType::boolean, DType::f16, DType::i32, DType::f64}) {
    SCOPED_TRACE(dtype_name(dtype));
    const Tensor x = make(dtype, {2, 3}, {0, 1, 0, 1, 1, 0});
    expect_values(host::transpose(x, {1, 0}), dtype, {3, 2}, {0, 1, 1, 1, 0, 0});
    expect_values(host::concat({x, x}, 1), dtype, {2, 6}, {0, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 0});
    expect_values(host::gather(x, vector(DType::i64, {-1}), 1), dtype, {2, 1}, {0, 0});
    expect_values(host::pad(x, make(dtype, {}, {1}), {0, 1}, {0, 0}, "constant"), dtype, {2, 4}, {1, 0, 1, 0, 1, 1, 1, 0});
  }
}

TEST(Reference, Transpose) {
  expect_values(host::transpose(counted(DType::i32, {2, 3, 2}), {2, 0, 1}), DType::i32, {2, 2, 3}, {0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11});
}

TEST(Reference, Expand) {
  expect_values(host::expand(make(DType::i32, {2, 1}, {1, 2}), {2, 2, 3}), DType::i32, {2, 2, 3}, {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2});
}

TEST(Reference, Slice) {
  const Tensor x = counted(DType::i32, {3, 4});
  expect_values(host::slice(x, {1, 3}, {2, 2}, {1, -2}), DType::i32, {2, 2}, {7, 5, 11, 9});
  expect_values(host::slice(x, {0, 4}, {3, 0}, {1, 1}), DType::i32, {3, 0}, {});
}

TEST(Reference, Gather) {
  const Tensor x = counted(DType::f32, {3, 2});
  expect_values(host::gather(x, make(DType::i64, {2, 2}, {0, 2, -1, 1}), 0), DType::f32, {2, 2, 2}, {0, 1, 4, 5, 4, 5, 2, 3});
  expect_values(host::gather(x, make(DType::i32, {}, {1}), 1), DType::f32, {3}, {1, 3, 5});
  expect_values(host::gather_elements(x, make(DType::i64, {2, 2}, {2, 0, -1, 1}), 0), DType::f32, {2, 2}, {4, 1, 4, 3});
  EXPECT_THROW(host::gather(x, vector(DType::i64, {3}), 0), CompileError);
  EXPECT_THROW(host::gather(x, vector(DType::i64, {-4}), 0), CompileError);
}

TEST(Reference, Pad) {
  const Tensor x = vector(DType::i32, {1, 2, 3});
  expect_vector(host::pad(x, Tensor(), {2}, {1}, "constant"), DType::i32, {0, 0, 1, 2, 3, 0});
  expect_vector(host::pad(x, Tensor(), {2}, {1}, "edge"), DType::i32, {1, 1, 1, 2, 3, 3});
  expect_vector(host::pad(x, Tensor(), {2}, {1}, "reflect"), DType::i32, {3, 2, 1, 2, 3, 2});
  expect_vector(host::pad(x, Tensor(), {-1}, {1}, "constant"), DType::i32, {2, 3, 0});
  expect_values(host::pad(make(DType::i32, {1, 2}, {1, 2}), make(DType::i32, {}, {9}), {1, 0}, {0, 1}, "constant"), DType::i32, {2, 3},
                {9, 9, 9, 1, 2, 9});
}

TEST(Reference, Iota) {
  expect_values(host::iota({2, 3}, 0, DType::i64), DType::i64, {2, 3}, {0, 0, 0, 1, 1, 1});
  expect_values(host::iota({2, 3}, 1, DType::f16), DType::f16, {2, 3}, {0, 1, 2, 0, 1, 2});
}

TEST(Reference, Reductions) {
  const Tensor x = floats({2, 1, 3}, {1, 2, 3, 4, 5, 6});
  expect_values(host::reduce_sum(x, {2}, true), DType::f32, {2, 1, 1}, {6, 15});
  expect_values(host::reduce_sum(x, {0, 1}, false), DType::f32, {3}, {5, 7, 9});
  expect_values(host::reduce_sum(x, {}, true), DType::f32, {2, 1, 3}, {1, 2, 3, 4, 5, 6});
  expect_values(host::reduce_mean(x, {0, 2}, false), DType::f32, {1}, {3.5});
  expect_values(host::reduce_max(x, {0, 1, 2}, false), DType::f32, {}, {6});
  expect_values(host::reduce_min(x, {2}, false), DType::f32, {2, 1}, {1, 4});
  expect_values(host::reduce_prod(x, {2}, false), DType::f32, {2, 1}, {6, 120});
  expect_values(host::reduce_mean(vector(DType::i32, {-3, -4}), {0}, false), DType::i32, {}, {-3});
  expect_values(host::reduce_sum(vector(DType::u8, {200, 100}), {0}, false), DType::u8, {}, {44});
  expect_values(host::reduce_max(vector(DType::boolean, {0, 1}), {0}, false), DType::boolean, {}, {1});
  expect_values(host::reduce_min(vector(DType::boolean, {0, 1}), {0}, false), DType::boolean, {}, {0});
}

TEST(Reference, ReductionsOfNothingAndOfNan) {
  const Tensor nothing(DType::f32, {2, 0});
  expect_values(host::reduce_sum(nothing, {1}, false), DType::f32, {2}, {0, 0});
  expect_values(host::reduce_prod(nothing, {1}, false), DType::f32, {2}, {1, 1});
  expect_values(host::reduce_mean(nothing, {1}, false), DType::f32, {2}, {kNan, kNan});
  expect_values(host::reduce_max(nothing, {1}, false), DType::f32, {2}, {-kInf, -kInf});
  expect_values(host::reduce_min(Tensor(DType::i8, {0}), {0}, false), DType::i8, {}, {127});
  expect_values(host::reduce_max(Tensor(DType::i8, {0}), {0}, false), DType::i8, {}, {-128});
  for (const auto& values : {std::vector<double>{kNan, 1}, {1, kNan}}) {
    expect_values(host::reduce_max(vector(DType::f32, values), {0}, false), DType::f32, {}, {kNan});
    expect_values(host::reduce_min(vector(DType::f32, values), {0}, false), DType::f32, {}, {kNan});
  }
}

TEST(Reference, Softmax) {
  const double e = M_E;
  expect_values(host::softmax(floats({2, 2}, {0, 1, 1000, 1000}), 1), DType::f32, {2, 2}, {1 / (1 + e), e / (1 + e), 0.5, 0.5}, 1e-7);
  expect_values(host::softmax(floats({2, 2}, {0, 5, 1, 5}), 0), DType::f32, {2, 2}, {1 / (1 + e), 0.5, e / (1 + e), 0.5}, 1e-7);
}

TEST(Reference, LayerNorm) {
  const Tensor x = floats({2, 2}, {1, 3, -2, 2});
  const Tensor scale = floats({2}, {1, 2}), bias = floats({2}, {0, 10});
  expect_values(host::layer_norm(x, scale, bias, 1, 0), DType::f32, {2, 2}, {-1, 12, -1, 12}, 1e-6);
  expect_values(host::layer_norm(x, scale, Tensor(), 1, 3), DType::f32, {2, 2}, {-0.5, 1, -2 / std::sqrt(7), 4 / std::sqrt(7)}, 1e-6);
  // Over both axes: mean 1, variance 14 / 4.
  expect_values(host::layer_norm(x, floats({}, {1}), Tensor(), 0, 0.5), DType::f32, {2, 2}, {0, 1, -1.5, 0.5}, 1e-6);
}

TEST(Reference, BatchNorm) {
  const Tensor x = floats({1, 2, 2}, {1, 2, 3, 4});
  const auto per_channel = [](double a, double b) { return floats({2}, {a, b}); };
  expect_values(host::batch_norm(x, per_channel(2, 1), per_channel(0, 1), per_channel(1, 3), per_channel(3, 0), 1), DType::f32, {1, 2, 2},
                {0, 1, 1, 2}, 1e-6);
}

TEST(Reference, MaxPool) {
  const Tensor x = counted(DType::f32, {1, 1, 3, 3});
  expect_values(host::max_pool(x, {{2, 2}, {1, 1}, {0, 0, 0, 0}, {1, 1}}, {1, 1, 2, 2}), DType::f32, {1, 1, 2, 2}, {4, 5, 7, 8});
  expect_values(host::max_pool(x, {{2, 2}, {2, 2}, {1, 1, 0, 0}, {1, 1}}, {1, 1, 2, 2}), DType::f32, {1, 1, 2, 2}, {0, 2, 6, 8});
  expect_values(host::max_pool(x, {{2, 2}, {1, 1}, {0, 0, 0, 0}, {2, 2}}, {1, 1, 1, 1}), DType::f32, {1, 1, 1, 1}, {8});
  expect_values(host::max_pool(make(DType::i8, {1, 1, 3}, {-5, -3, -4}), {{2}, {1}, {1, 0}, {1}}, {1, 1, 3}), DType::i8, {1, 1, 3},
                {-5, -3, -3});
  expect_values(host::max_pool(floats({1, 1, 3}, {1, kNan, 2}), {{2}, {1}, {0, 0}, {1}}, {1, 1, 2}), DType::f32, {1, 1, 2}, {kNan, kNan});
}

TEST(Reference, AveragePool) {
  const Tensor x = floats({1, 1, 4}, {1, 2, 3, 4});
  const host::Window window{{3}, {2}, {1, 1}, {1}};
  expect_values(host::average_pool(x, window, false, {1, 1, 2}), DType::f32, {1, 1, 2}, {1.5, 3});
  expect_values(host::average_pool(x, window, true, {1, 1, 2}), DType::f32, {1, 1, 2}, {1, 3});
  // A last window of ceil_mode: what lies beyond the padding counts for nothing.
  expect_values(host::average_pool(x, {{3}, {3}, {0, 1}, {1}}, true, {1, 1, 2}), DType::f32, {1, 1, 2}, {2, 2});
  expect_values(host::average_pool(counted(DType::f32, {1, 1, 2, 2, 2}), {{2, 2, 2}, {1, 1, 1}, {0, 0, 0, 0, 0, 0}, {1, 1, 1}}, false,
                                   {1, 1, 1, 1, 1}),
                DType::f32, {1, 1, 1, 1, 1}, {3.5});
}

TEST(Reference, Conv) {
  const Tensor x = counted(DType::f32, {1, 1, 3, 3});
  const Tensor w = floats({1, 1, 2, 2}, {1, 2, 3, 4});
  const host::Window plain{{2, 2}, {1, 1}, {0, 0, 0, 0}, {1, 1}};
  expect_values(host::conv(x, w, Tensor(), plain, 1, 0, {1, 1, 2, 2}), DType::f32, {1, 1, 2, 2}, {27, 37, 57, 67});
  expect_values(host::conv(x, w, floats({1}, {100}), plain, 1, 0, {1, 1, 2, 2}), DType::f32, {1, 1, 2, 2}, {127, 137, 157, 167});
  const host::Window padded{{2, 2}, {2, 2}, {1, 1, 0, 0}, {1, 1}};
  expect_values(host::conv(x, w, Tensor(), padded, 1, 0, {1, 1, 2, 2}), DType::f32, {1, 1, 2, 2}, {0, 11, 30, 67});
  const host::Window dilated{{2, 2}, {1, 1}, {0, 0, 0, 0}, {2, 2}};
  expect_values(host::conv(x, w, Tensor(), dilated, 1, 0, {1, 1, 1, 1}), DType::f32, {1, 1, 1, 1}, {0 + 2 * 2 + 3 * 6 + 4 * 8});
}

TEST(Reference, ConvolutionOfBytesIsExact) {
  const Tensor x = make(DType::u8, {1, 1, 3}, {250, 3, 255}), w = make(DType::i8, {1, 1, 2}, {-128, 127});
  const host::Window padded{{2}, {1}, {1, 1}, {1}};
  const Tensor bias = make(DType::i32, {1}, {1000000});
  // The padding counts as 3.
  expect_values(host::conv(x, w, bias, padded, 1, 3, {1, 1, 4}), DType::i32, {1, 1, 4},
                {1000000 - 128 * 3 + 127 * 250, 1000000 - 128 * 250 + 127 * 3, 1000000 - 128 * 3 + 127 * 255, 1000000 - 128 * 255 + 127 * 3});
}

TEST(Reference, GroupedConv) {
  // Two groups of two input channels and one output channel; one tap.
  const Tensor x = make(DType::f16, {1, 4, 2}, {1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor w = make(DType::f16, {2, 2, 1}, {1, 10, 100, 1000});
  expect_values(host::conv(x, w, Tensor(), {{1}, {1}, {0, 0}, {1}}, 2, 0, {1, 2, 2}), DType::f16, {1, 2, 2}, {31, 42, 7500, 8600});
}

TEST(Reference, Matmul) {
  const Tensor a = floats({2, 3}, {1, 2, 3, 4, 5, 6}), b = floats({3, 2}, {1, 2, 3, 4, 5, 6});
  expect_values(host::matmul(a, b), DType::f32, {2, 2}, {22, 28, 49, 64});
  // Stacks of matrices broadcast.
  const Tensor stack = floats({2, 1, 1, 2}, {1, 2, 3, 4}), other = floats({3, 2, 1}, {1, 0, 0, 1, 1, 1});
  expect_values(host::matmul(stack, other), DType::f32, {2, 3, 1, 1}, {1, 2, 3, 3, 4, 7});
  expect_values(host::matmul(Tensor(DType::f32, {2, 0}), Tensor(DType::f32, {0, 1})), DType::f32, {2, 1}, {0, 0});
}

TEST(Reference, Attention) {
  // Scores 0 and 2 * 0.5 = 1 in the first row, 0 and 0 in the second.
  const double e = M_E;
  const Tensor q = floats({2, 1}, {2, 0}), k = floats({2, 1}, {0, 1}), v = floats({2, 3}, {1, 0, 4, 0, 1, 4});
  expect_values(host::attention(q, k, v, Tensor(), 0.5), DType::f32, {2, 3}, {1 / (1 + e), e / (1 + e), 4, 0.5, 0.5, 4}, 1e-6);
  // A mask of one row for all hides the second key; a row with nothing left is NaN, as its softmax is.
  expect_values(host::attention(q, k, v, floats({2}, {0, -kInf}), 0.5), DType::f32, {2, 3}, {1, 0, 4, 1, 0, 4});
  expect_values(host::attention(q, k, v, floats({2, 1}, {-kInf, 0}), 0.5), DType::f32, {2, 3}, {kNan, kNan, kNan, 0.5, 0.5, 4});
  // Two heads, each with its own keys.
  const Tensor heads = floats({2, 1, 1}, {1, 1}), values = floats({2, 1, 1}, {3, 4});
  expect_values(host::attention(heads, heads, values, Tensor(), 1), DType::f32, {2, 1, 1}, {3, 4});
}

}  // namespace
}  // namespace intaglio::testing
