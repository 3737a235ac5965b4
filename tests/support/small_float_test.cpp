// Small floats: every pattern survives, halves go to even, what is too large saturates or not as asked.
#include "support/small_float.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "support/elements.h"

namespace intaglio::testing {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(SmallFloat, EveryPatternOfEightBitsSurvives) {
  for (DType dtype : {DType::f8e4m3fn, DType::f8e4m3fnuz, DType::f8e5m2, DType::f8e5m2fnuz}) {
    for (std::uint32_t bits = 0; bits < 256; ++bits) {
      const double value = decode_small_float(dtype, bits);
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(decode_small_float(dtype, encode_small_float(dtype, value))));
      } else {
        EXPECT_EQ(encode_small_float(dtype, value), bits) << dtype_name(dtype) << ' ' << value;
      }
    }
  }
}

TEST(SmallFloat, HalvesGoToEven) {
  for (DType dtype : {DType::f8e4m3fn, DType::f8e5m2, DType::f16}) {
    const std::uint32_t count = dtype == DType::f8e4m3fn ? 0x7e : dtype == DType::f8e5m2 ? 0x7b : 0x7bff;
    for (std::uint32_t bits = 0; bits < count; ++bits) {
      const double low = decode_small_float(dtype, bits), high = decode_small_float(dtype, bits + 1), middle = (low + high) / 2;
      EXPECT_EQ(encode_small_float(dtype, middle), bits % 2 == 0 ? bits : bits + 1);
      EXPECT_EQ(encode_small_float(dtype, std::nextafter(middle, kInfinity)), bits + 1);
      EXPECT_EQ(encode_small_float(dtype, std::nextafter(middle, 0.0)), bits);
    }
  }
}

TEST(SmallFloat, LargestValuesAreOnnxs) {
  EXPECT_EQ(decode_small_float(DType::f8e4m3fn, encode_small_float(DType::f8e4m3fn, 1e9, true)), 448);
  EXPECT_EQ(decode_small_float(DType::f8e5m2, encode_small_float(DType::f8e5m2, -kInfinity, true)), -57344);
  EXPECT_TRUE(std::isnan(decode_small_float(DType::f8e4m3fn, encode_small_float(DType::f8e4m3fn, 1e9))));
  EXPECT_EQ(decode_small_float(DType::f8e5m2, encode_small_float(DType::f8e5m2, 1e9)), kInfinity);
  EXPECT_EQ(decode_small_float(DType::f8e4m3fn, 1), 0x1p-9);
  EXPECT_EQ(decode_small_float(DType::f8e5m2, 1), 0x1p-16);
}

TEST(Elements, EightBitFloatsSaturateAndSixteenBitOnesDoNot) {
  Tensor small(DType::f8e4m3fn, {1}), half(DType::f16, {1});
  set_real(small, 0, 1e6);
  set_real(half, 0, 1e6);
  EXPECT_EQ(get_real(small, 0), 448);
  EXPECT_EQ(get_real(half, 0), kInfinity);
}

TEST(Elements, FourBitIntegersLieTwoToAByteTheLowerHalfFirst) {
  Tensor tensor(DType::i4, {3});
  for (std::int64_t i = 0; i < 3; ++i) set_integer(tensor, i, i == 1 ? -8 : 7);
  EXPECT_EQ(tensor.bytes(), 2u);
  EXPECT_EQ(tensor.span<std::uint8_t>()[0], 0x87);
  EXPECT_EQ(get_integer(tensor, 1), -8);
  EXPECT_EQ(get_integer(tensor, 2), 7);
}

}  // namespace
}  // namespace intaglio::testing
