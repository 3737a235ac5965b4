// Kernel IR expressions: canonical forms, what simplification must find, and that it never changes a value.
#include "ir/kernel/expr.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/codegen/interpreter.h"

namespace intaglio::kernel {
namespace {

Expr c(std::int64_t value) { return index_constant(value); }
Expr add(const Expr& a, const Expr& b) { return binary(Op::add, a, b); }
Expr sub(const Expr& a, const Expr& b) { return binary(Op::sub, a, b); }
Expr mul(const Expr& a, const Expr& b) { return binary(Op::mul, a, b); }
Expr div(const Expr& a, const Expr& b) { return binary(Op::index_div, a, b); }
Expr mod(const Expr& a, const Expr& b) { return binary(Op::index_mod, a, b); }

TEST(Expr, EqualSumsAreOneObject) {
  const Expr i = var(1), j = var(2), n = symbol("N");
  EXPECT_EQ(add(mul(i, n), j), add(j, mul(n, i)));
  EXPECT_EQ(mul(add(i, c(1)), c(4)), add(c(4), mul(c(4), i)));
  EXPECT_EQ(sub(add(i, j), i), j);
  EXPECT_EQ(mul(mul(i, c(3)), c(5)), mul(i, c(15)));
  EXPECT_NE(add(i, c(1)), add(i, c(2)));
  EXPECT_EQ(to_text(add(c(7), sub(mul(i, c(12)), j))), "(((v1 * 12) - v2) + 7)");
}

TEST(Expr, FloatsKeepTheirOrderAndSignedZeros) {
  const Expr x = load(0, DType::f32, c(0)), y = load(1, DType::f32, c(0));
  EXPECT_NE(binary(Op::add, x, y), binary(Op::add, y, x));
  // -0 + 0 is 0, so x + 0 is not x
  EXPECT_NE(binary(Op::add, x, constant(DType::f32, 0)), x);
  EXPECT_EQ(binary(Op::sub, x, constant(DType::f32, 0)), x);
  EXPECT_NE(binary(Op::sub, x, constant(DType::f32, -0.0)), x);
  EXPECT_EQ(binary(Op::mul, x, constant(DType::f32, 1)), x);
  EXPECT_NE(binary(Op::mul, x, constant(DType::f32, 0)), constant(DType::f32, 0));
}

TEST(Expr, KnownRangesRemoveDivisions) {
  const Expr i = var(1), j = var(2, c(32)), s = symbol("S");
  const Expr e = add(mul(i, c(32)), j);
  EXPECT_EQ(div(e, c(32)), i);
  EXPECT_EQ(mod(e, c(32)), j);
  EXPECT_EQ(to_text(div(e, c(64))), "(v1 // 2)");
  EXPECT_EQ(mod(e, c(64)), add(mul(mod(i, c(2)), c(32)), j));
  EXPECT_EQ(mod(var(3, s), s), var(3, s));
  // Rounding differs below a multiple.
  EXPECT_EQ(div(sub(mul(i, c(4)), c(1)), c(4))->op, Op::index_div);
  // Without a range nothing is known.
  EXPECT_NE(div(add(mul(i, c(32)), var(4)), c(32)), i);
}

TEST(Expr, ReshapeOfAWholeIndexIsTheIndex) {
  const Expr s = symbol("S");
  const Expr linear = add(mul(add(mul(add(mul(var(1), s), var(2, s)), c(12)), var(3, c(12))), c(64)), var(4, c(64)));
  const Expr row = mod(div(linear, c(768)), s), column = mod(linear, c(768));
  EXPECT_EQ(div(linear, mul(s, c(768))), var(1));
  EXPECT_EQ(row, var(2, s));
  EXPECT_EQ(column, add(mul(var(3, c(12)), c(64)), var(4, c(64))));
  // The parts of an index of unknown range add up again as well.
  const Expr x = var(9);
  EXPECT_EQ(add(add(mul(div(x, c(98304)), c(98304)), mul(mod(div(x, c(768)), c(128)), c(768))), mod(x, c(768))), x);
}

TEST(Expr, ComparisonsWithinRangesAreDecided) {
  const Expr i = var(1, c(10));
  EXPECT_EQ(compare(Op::lt, i, c(10)), integer_constant(DType::boolean, 1));
  EXPECT_EQ(compare(Op::ge, i, c(10)), integer_constant(DType::boolean, 0));
  EXPECT_EQ(compare(Op::le, c(0), i), integer_constant(DType::boolean, 1));
  EXPECT_EQ(compare(Op::lt, i, c(9))->kind, ExprKind::compare);
  EXPECT_EQ(binary(Op::min, i, c(9)), i);
  EXPECT_EQ(binary(Op::max, i, c(1))->kind, ExprKind::binary);
  EXPECT_EQ(compare(Op::lt, add(var(2, symbol("N")), c(4)), add(symbol("N"), c(4))), integer_constant(DType::boolean, 1));
}

TEST(Expr, LinearInALoopVariable) {
  const Expr i = var(1), j = var(2), n = symbol("N");
  const auto linear = linear_in(add(mul(add(mul(i, n), j), c(4)), c(3)), 1);
  ASSERT_TRUE(linear);
  EXPECT_EQ(linear->stride, mul(n, c(4)));
  EXPECT_EQ(linear->rest, add(mul(j, c(4)), c(3)));
  const auto invariant = linear_in(div(j, c(3)), 1);
  ASSERT_TRUE(invariant);
  EXPECT_TRUE(is_zero(invariant->stride));
  EXPECT_FALSE(linear_in(div(i, c(3)), 1));
  EXPECT_FALSE(linear_in(mul(i, i), 1));
  EXPECT_FALSE(linear_in(binary(Op::max, i, c(5)), 1));
  EXPECT_FALSE(linear_in(select(compare(Op::lt, i, c(5)), i, j), 1));
  EXPECT_FALSE(linear_in(load(0, DType::i64, i), 1));
}

TEST(Expr, SharedSubexpressionsPrintOnce) {
  Expr x = load(0, DType::f32, var(1));
  for (int i = 0; i < 40; ++i) x = binary(Op::mul, x, x);
  EXPECT_LT(to_text(x).size(), 2000u);
  int visited = 0;
  visit(x, [&](const ExprNode&) { ++visited; });
  EXPECT_EQ(visited, 42);
}

TEST(Expr, IntegerDataIsNotMultipliedOut) {
  Expr x = load(0, DType::i64, var(1)), chosen = x;
  for (int i = 0; i < 64; ++i) {
    chosen = select(compare(Op::lt, x, chosen), mul(chosen, x), chosen);
    x = mul(x, x);
  }
  EXPECT_FALSE(known_non_negative(chosen));
  int visited = 0;
  visit(chosen, [&](const ExprNode&) { ++visited; });
  EXPECT_LT(visited, 1000);
}

TEST(Expr, ConstantsFoldAsGeneratedCodeComputes) {
  EXPECT_EQ(binary(Op::add, constant(DType::f32, 0.1), constant(DType::f32, 0.2))->real, static_cast<double>(0.1f + 0.2f));
  EXPECT_EQ(cast(constant(DType::f32, 300), DType::u8)->integer, 255);
  EXPECT_EQ(cast(constant(DType::f32, std::nan("")), DType::i32)->integer, 0);
  EXPECT_EQ(cast(constant(DType::f32, -1e30), DType::i64)->integer, INT64_MIN);
  EXPECT_EQ(cast(constant(DType::f32, 1e30), DType::i64)->integer, INT64_MAX);
  EXPECT_EQ(cast(c(257), DType::i8)->integer, 1);
  EXPECT_EQ(binary(Op::add, integer_constant(DType::i8, 127), integer_constant(DType::i8, 1))->integer, -128);
}

/// An index expression built with the factories, together with its value computed on the side.
struct Checked {
  Expr e;
  std::int64_t value;
};

class RandomIndex {
 public:
  explicit RandomIndex(unsigned seed) : random_(seed) {
    symbols_["S"] = pick(1, 6);
    for (int id = 0; id < 4; ++id) {
      extents_[id] = pick(1, 9);
      variables_[id] = pick(0, extents_[id] - 1);
    }
    variables_[4] = pick(0, symbols_["S"] - 1);
  }

  Checked make(int depth) {
    if (depth == 0) return leaf();
    const Checked a = make(depth - 1), b = make(pick(0, depth - 1));
    switch (pick(0, 6)) {
      case 0:
        return {add(a.e, b.e), a.value + b.value};
      case 1:
        return {mul(a.e, b.e), a.value * b.value};
      case 2:
        return {div(a.e, add(b.e, c(1))), a.value / (b.value + 1)};
      case 3:
        return {mod(a.e, add(b.e, c(1))), a.value % (b.value + 1)};
      case 4:
        return {binary(Op::min, a.e, b.e), std::min(a.value, b.value)};
      case 5: {
        const std::int64_t by = pick(1, 12);
        if (pick(0, 1) != 0) return {div(a.e, c(by)), a.value / by};
        return {add(mul(div(a.e, c(by)), c(by)), mod(a.e, c(by))), a.value};
      }
      default:
        return {select(compare(Op::lt, a.e, b.e), b.e, a.e), std::max(a.value, b.value)};
    }
  }

  std::int64_t evaluated(const Expr& e) { return static_cast<std::int64_t>(testing::interpret_scalar(e, variables_, symbols_)); }
  std::int64_t pick(std::int64_t low, std::int64_t high) { return std::uniform_int_distribution<std::int64_t>(low, high)(random_); }

  Checked leaf() {
    switch (pick(0, 3)) {
      case 0: {
        const std::int64_t value = pick(0, 70);
        return {c(value), value};
      }
      case 1:
        return {symbol("S"), symbols_["S"]};
      case 2:
        return {var(4, symbol("S")), variables_[4]};
      default: {
        const int id = static_cast<int>(pick(0, 3));
        return {var(id, c(extents_[id])), variables_[id]};
      }
    }
  }

 private:
  std::mt19937 random_;
  std::map<int, std::int64_t> variables_, extents_;
  testing::SymbolValues symbols_;
};

TEST(Expr, SimplificationKeepsValues) {
  for (unsigned seed = 0; seed < 4000; ++seed) {
    RandomIndex random(seed);
    const Checked a = random.make(3), b = random.make(3);
    const std::int64_t x = random.evaluated(a.e), y = random.evaluated(b.e);
    ASSERT_EQ(x, a.value) << seed;
    ASSERT_EQ(y, b.value) << seed;
    const std::int64_t by = random.pick(1, 64);
    ASSERT_EQ(random.evaluated(add(a.e, b.e)), x + y) << seed;
    ASSERT_EQ(random.evaluated(sub(a.e, b.e)), x - y) << seed;
    ASSERT_EQ(random.evaluated(mul(a.e, b.e)), x * y) << seed;
    ASSERT_EQ(random.evaluated(div(a.e, c(by))), x / by) << seed << " " << to_text(a.e) << " by " << by;
    ASSERT_EQ(random.evaluated(mod(a.e, c(by))), x % by) << seed << " " << to_text(a.e) << " by " << by;
    ASSERT_EQ(random.evaluated(div(a.e, add(b.e, c(1)))), x / (y + 1)) << seed;
    // Differences that are not negative, although nothing proves it.
    if (x >= y) {
      ASSERT_EQ(random.evaluated(div(sub(a.e, b.e), c(by))), (x - y) / by) << seed;
      ASSERT_EQ(random.evaluated(mod(sub(a.e, b.e), c(by))), (x - y) % by) << seed;
    }
    ASSERT_EQ(random.evaluated(mod(a.e, add(b.e, c(1)))), x % (y + 1)) << seed;
    ASSERT_EQ(random.evaluated(cast(compare(Op::lt, a.e, b.e), DType::i64)), x < y) << seed;
    ASSERT_EQ(random.evaluated(cast(compare(Op::le, a.e, b.e), DType::i64)), x <= y) << seed;
    ASSERT_EQ(random.evaluated(binary(Op::min, a.e, b.e)), std::min(x, y)) << seed;
    ASSERT_EQ(random.evaluated(binary(Op::max, a.e, b.e)), std::max(x, y)) << seed;
    ASSERT_TRUE(!known_less(a.e, b.e) || x < y) << seed << " " << to_text(a.e) << " < " << to_text(b.e);
  }
}

TEST(Expr, DimensionsRoundTowardsMinusInfinity) {
  const Dim n = Dim::symbol("N");
  for (std::int64_t value : {0, 1, 2, 5, 17}) {
    const testing::SymbolValues symbols = {{"N", value}};
    const auto symbol_value = [&](const std::string&) { return value; };
    for (const Dim& dim : {n * 3 - 2, Dim::floordiv(n - 3, 2), Dim::ceildiv(n, 4), Dim::mod(n - 3, 4), Dim::min(n, 5), Dim::max(n - 4, 1),
                           Dim::bcast(n, Dim::symbol("N") * 2 - n)}) {
      EXPECT_EQ(static_cast<std::int64_t>(testing::interpret_scalar(from_dim(dim), {}, symbols)), dim.evaluate(symbol_value))
          << dim.text() << " at " << value;
    }
  }
}

}  // namespace
}  // namespace intaglio::kernel
