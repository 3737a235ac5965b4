// Dimensions: equal expressions are equal objects with one text, which is read back; every identity holds for the numbers too.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "ir/dim.h"

namespace intaglio::test {
namespace {

const Dim n = Dim::symbol("N"), h = Dim::symbol("H");

TEST(Dims, HaveOneTextForEqualExpressions) {
  EXPECT_EQ((n + h).text(), (h + n).text());
  EXPECT_EQ((2 * n + 1 - n).text(), (n + 1).text());
  EXPECT_EQ(((n + h) * (n - h)).text(), (n * n - h * h).text());
  EXPECT_EQ((n - n), Dim(0));
  EXPECT_EQ(Dim::floordiv(4 * n, 2), 2 * n);
  EXPECT_EQ(Dim::mod(6 * n, 3), Dim(0));
  EXPECT_EQ(Dim::min(n, n), n);
  EXPECT_EQ(Dim::bcast(n, 1), n);
  EXPECT_EQ(Dim::bcast(1, n), n);
  EXPECT_NE(Dim::floordiv(n, 2) * 2, n);
}

TEST(Dims, RoundTowardsMinusInfinity) {
  EXPECT_EQ(Dim::floordiv(-7, 2).value(), -4);
  EXPECT_EQ(Dim::mod(-7, 2).value(), 1);
  EXPECT_EQ(Dim::ceildiv(7, 2).value(), 4);
  EXPECT_EQ(Dim::ceildiv(-7, 2).value(), -3);
}

TEST(Dims, KnowWhenTheyAreOneSymbol) {
  EXPECT_EQ(n.as_symbol(), "N");
  EXPECT_FALSE((n + 1).as_symbol());
  EXPECT_FALSE((2 * n).as_symbol());
  EXPECT_FALSE(Dim(3).as_symbol());
  EXPECT_EQ(Dim(3).constant(), 3);
  EXPECT_FALSE(n.constant());
}

/// An expression over N and H and its value at N = 5, H = 3, built side by side.
struct Pair {
  Dim dim;
  std::int64_t value;
};

Pair random_expression(std::mt19937& random, int depth) {
  const auto pick = [&](int count) { return std::uniform_int_distribution<int>(0, count - 1)(random); };
  if (depth == 0) {
    const int constant = pick(7) - 3;
    const std::array<Pair, 3> leaves{Pair{n, 5}, Pair{h, 3}, Pair{constant, constant}};
    return leaves[static_cast<std::size_t>(pick(3))];
  }
  const Pair a = random_expression(random, depth - 1), b = random_expression(random, depth - 1);
  const auto floor_division = [](std::int64_t x, std::int64_t y) { return x / y - ((x % y != 0) && ((x < 0) != (y < 0)) ? 1 : 0); };
  switch (pick(6)) {
    case 0: return {a.dim + b.dim, a.value + b.value};
    case 1: return {a.dim - b.dim, a.value - b.value};
    case 2: return {a.dim * b.dim, a.value * b.value};
    case 3: return {Dim::min(a.dim, b.dim), std::min(a.value, b.value)};
    case 4: {
      const std::int64_t divisor = pick(4) + 1;
      return {Dim::floordiv(a.dim, divisor), floor_division(a.value, divisor)};
    }
    default: {
      const std::int64_t divisor = pick(4) + 1;
      return {Dim::mod(a.dim, divisor), a.value - floor_division(a.value, divisor) * divisor};
    }
  }
}

TEST(Dims, KeepTheirValueThroughSimplificationTextAndSubstitution) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    const Pair pair = random_expression(random, 1 + i % 4);
    const auto values = [](const std::string& name) -> std::int64_t { return name == "N" ? 5 : 3; };
    ASSERT_EQ(pair.dim.evaluate(values), pair.value) << pair.dim.text();
    ASSERT_EQ(parse_dim(pair.dim.text()), pair.dim) << pair.dim.text();
    ASSERT_EQ(pair.dim.substitute({{"N", 5}, {"H", 3}}).value(), pair.value) << pair.dim.text();
  }
}

}  // namespace
}  // namespace intaglio::test
