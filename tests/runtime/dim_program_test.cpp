// The expressions of plans: what is well formed, and what they yield.
#include <gtest/gtest.h>

#include <limits>
#include <vector>

#include "runtime/dim_program.h"

namespace intaglio::runtime {
namespace {

using Code = std::vector<std::int64_t>;

enum : std::int64_t { kConstant, kSymbol, kAdd, kMultiply, kFloordiv, kMod, kMin, kMax, kBroadcast };

/// a, b, then the operation.
std::int64_t binary(std::int64_t opcode, std::int64_t a, std::int64_t b) { return evaluate_dim(Code{kConstant, a, kConstant, b, opcode, 0}, {}); }

TEST(DimProgram, Computes) {
  EXPECT_EQ(binary(kAdd, 3, -5), -2);
  EXPECT_EQ(binary(kMultiply, -3, 5), -15);
  EXPECT_EQ(binary(kFloordiv, 7, 2), 3);
  EXPECT_EQ(binary(kFloordiv, -7, 2), -4);
  EXPECT_EQ(binary(kFloordiv, 7, -2), -4);
  EXPECT_EQ(binary(kMod, -7, 3), 2);
  EXPECT_EQ(binary(kMod, 7, 3), 1);
  EXPECT_EQ(binary(kMin, 2, 9), 2);
  EXPECT_EQ(binary(kMax, 2, 9), 9);
  EXPECT_EQ(binary(kBroadcast, 1, 6), 6);
  EXPECT_EQ(binary(kBroadcast, 6, 1), 6);
  const std::vector<std::int64_t> symbols{4, 10};
  EXPECT_EQ(evaluate_dim(Code{kSymbol, 1, kSymbol, 0, kConstant, 3, kMultiply, 0, kAdd, 0}, symbols), 22);
}

TEST(DimProgram, TrapsNowhere) {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(binary(kFloordiv, 5, 0), 0);
  EXPECT_EQ(binary(kMod, 5, 0), 5);
  EXPECT_LT(binary(kFloordiv, kLeast, -1), 0);
  EXPECT_LT(binary(kMod, kLeast, -1), 1);
}

// A size that wraps around would pass for a small one.
TEST(DimProgram, AnOverflowMakesTheResultNegative) {
  constexpr std::int64_t kHalf = std::int64_t{1} << 62;
  EXPECT_LT(binary(kMultiply, kHalf, 4), 0);
  EXPECT_LT(binary(kMultiply, std::int64_t{1} << 32, std::int64_t{1} << 32), 0);
  EXPECT_LT(binary(kAdd, kHalf, kHalf), 0);
  EXPECT_LT(evaluate_dim(Code{kConstant, kHalf, kConstant, 4, kMultiply, 0, kConstant, 0, kMultiply, 0}, {}), 0);
  EXPECT_LT(evaluate_dim(Code{kConstant, kHalf, kConstant, 4, kMultiply, 0, kConstant, 7, kMax, 0}, {}), 0);
}

TEST(DimProgram, RefusesWhatIsMalformed) {
  EXPECT_TRUE(is_valid_dim_program(Code{kConstant, 5}, 0));
  EXPECT_TRUE(is_valid_dim_program(Code{kSymbol, 1}, 2));
  EXPECT_FALSE(is_valid_dim_program({}, 0)) << "no result";
  EXPECT_FALSE(is_valid_dim_program(Code{kConstant}, 0)) << "half a pair";
  EXPECT_FALSE(is_valid_dim_program(Code{kSymbol, 2}, 2)) << "no such symbol";
  EXPECT_FALSE(is_valid_dim_program(Code{kSymbol, -1}, 2)) << "no such symbol";
  EXPECT_FALSE(is_valid_dim_program(Code{9, 0}, 0)) << "no such operation";
  EXPECT_FALSE(is_valid_dim_program(Code{-1, 0}, 0)) << "no such operation";
  EXPECT_FALSE(is_valid_dim_program(Code{kConstant, 1, kAdd, 0}, 0)) << "one operand";
  EXPECT_FALSE(is_valid_dim_program(Code{kConstant, 1, kConstant, 1}, 0)) << "two results";
  Code deep;
  for (std::size_t i = 0; i <= kDimStack; ++i) deep.insert(deep.end(), {kConstant, 1});
  for (std::size_t i = 0; i < kDimStack; ++i) deep.insert(deep.end(), {kAdd, 0});
  EXPECT_FALSE(is_valid_dim_program(deep, 0)) << "too deep a stack";
}

}  // namespace
}  // namespace intaglio::runtime
