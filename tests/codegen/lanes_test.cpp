// What lanes of a loop variable have in common, and what vector loads become of it.
#include "codegen/schedule/lanes.h"

#include <gtest/gtest.h>

#include "codegen/cuda/source.h"

namespace intaglio::testing {
namespace {

using kernel::Expr;
using kernel::Op;

Expr c(std::int64_t value) { return kernel::index_constant(value); }
Expr add(const Expr& a, const Expr& b) { return kernel::binary(Op::add, a, b); }
Expr mul(const Expr& a, const Expr& b) { return kernel::binary(Op::mul, a, b); }
Expr div(const Expr& a, const Expr& b) { return kernel::binary(Op::index_div, a, b); }
Expr mod(const Expr& a, const Expr& b) { return kernel::binary(Op::index_mod, a, b); }

const Expr x = kernel::var(1), y = kernel::var(2), n = kernel::symbol("N");
const Multiples kMultiples = {{1, 8}};

TEST(Lanes, DivisorsOfIndices) {
  EXPECT_EQ(known_divisor(c(48), {}), 48);
  EXPECT_EQ(known_divisor(y, {}), 1);
  EXPECT_EQ(known_divisor(add(mul(y, c(24)), x), kMultiples), 8);
  EXPECT_EQ(known_divisor(mul(mul(n, c(16)), y), {}), 16);
  EXPECT_EQ(known_divisor(mod(x, c(12)), kMultiples), 4);
  EXPECT_EQ(known_divisor(div(x, c(2)), kMultiples), 4);
  EXPECT_EQ(known_divisor(div(x, c(3)), kMultiples), 1);
  EXPECT_EQ(known_divisor(kernel::binary(Op::min, c(64), kernel::binary(Op::sub, c(3648), mul(y, c(64)))), {}), 64);
}

TEST(Lanes, Strides) {
  const Lanes lanes{1, 8, {{5, "mine"}}};
  LaneStrides strides(lanes, kMultiples);
  EXPECT_EQ(strides.of(add(x, mul(y, n))), 1);
  EXPECT_EQ(strides.of(mul(x, c(3))), 3);
  EXPECT_EQ(strides.of(mul(x, n)), std::nullopt);
  // Eight numbers from a multiple of 8 on stay in a block of 64, not in one of 12.
  EXPECT_EQ(strides.of(mod(x, c(64))), 1);
  EXPECT_EQ(strides.of(div(x, c(64))), 0);
  EXPECT_EQ(strides.of(mod(x, c(12))), std::nullopt);
  EXPECT_EQ(strides.of(mod(add(x, c(4)), c(64))), std::nullopt);
  EXPECT_TRUE(strides.is_uniform(kernel::load(0, DType::f32, y)));
  EXPECT_FALSE(strides.is_uniform(kernel::load(0, DType::f32, x)));
  EXPECT_FALSE(strides.is_uniform(kernel::local(5, DType::f32)));
  EXPECT_TRUE(strides.is_uniform(kernel::local(6, DType::f32)));
}

TEST(Lanes, AccessesAsWideAsTheirAlignmentAllows) {
  const std::vector<kernel::Buffer> buffers = {{"a", DType::f16, 4096}, {"b", DType::f32, Dim::symbol("N")}};
  cuda::Source source(buffers, {"N"}, true, false);
  const Lanes lanes{1, 8, {}};
  source.set_multiple(1, 8);
  EXPECT_EQ(source.access_bytes(0, add(x, mul(y, c(64))), lanes), 16);
  EXPECT_EQ(source.access_bytes(0, add(x, mul(y, c(4))), lanes), 8);
  EXPECT_EQ(source.access_bytes(1, add(x, mul(y, c(4))), lanes), 16);
  EXPECT_EQ(source.access_bytes(0, add(x, y), lanes), 0);
  EXPECT_EQ(source.access_bytes(0, mul(x, c(2)), lanes), 0);
}

}  // namespace
}  // namespace intaglio::testing
