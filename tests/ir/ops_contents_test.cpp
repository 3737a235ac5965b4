// Symbolic contents: shape arithmetic whose result is known before the shapes are.
#include <gtest/gtest.h>

#include "tests/ir/ops_node.h"

namespace intaglio::testing {
namespace {

class Contents : public ::testing::Test {
 protected:
  Graph graph;
  Builder b{graph};

  Value* dims_of(std::string_view text) { return b.op("dims", {}, {{"values", dims(text)}}); }
  Value* numbers(std::vector<std::int64_t> values) {
    const Extents shape{static_cast<std::int64_t>(values.size())};
    return b.constant(Tensor::of<std::int64_t>(DType::i64, shape, values));
  }
  Value* booleans(std::vector<std::uint8_t> values) {
    const Extents shape{static_cast<std::int64_t>(values.size())};
    return b.constant(Tensor::of<std::uint8_t>(DType::boolean, shape, values));
  }
  /// "[N,2]", or "unknown".
  static std::string known(const Value* value) {
    const auto contents = symbolic_contents(*value);
    return contents ? to_text(Shape(*contents)) : "unknown";
  }
};

TEST_F(Contents, Sources) {
  EXPECT_EQ(known(dims_of("[N,2*H]")), to_text(shape_of("[N,2*H]")));
  EXPECT_EQ(known(numbers({3, -1})), "[3,-1]");
  EXPECT_EQ(known(booleans({1, 0})), "[1,0]");
  EXPECT_EQ(known(b.op("iota", {}, {{"shape", dims("[2,3]")}, {"axis", integer(1)}})), "[0,1,2,0,1,2]");
  EXPECT_EQ(known(graph.add_argument(type_of("i64[2]"), "x")), "unknown");
  EXPECT_EQ(known(b.constant(Tensor(DType::f32, {2}))), "unknown");
  EXPECT_EQ(known(b.constant(Tensor(DType::i64, {65}))), "unknown");
}

TEST_F(Contents, Arithmetic) {
  Value* x = dims_of("[N,6]");
  EXPECT_EQ(known(b.add(x, numbers({1}))), to_text(shape_of("[N+1,7]")));
  EXPECT_EQ(known(b.sub(x, x)), "[0,0]");
  EXPECT_EQ(known(b.mul(x, dims_of("[H]"))), to_text(shape_of("[N*H,6*H]")));
  EXPECT_EQ(known(b.div(x, numbers({4}))), to_text(Shape{Dim::floordiv(Dim::symbol("N"), 4), 1}));
  EXPECT_EQ(known(b.op("mod", {x, numbers({4})})), to_text(Shape{Dim::mod(Dim::symbol("N"), 4), 2}));
  EXPECT_EQ(known(b.op("min", {x, numbers({4})})), to_text(Shape{Dim::min(Dim::symbol("N"), 4), 4}));
  EXPECT_EQ(known(b.op("max", {x, numbers({8})})), to_text(Shape{Dim::max(Dim::symbol("N"), 8), 8}));
  EXPECT_EQ(known(b.op("neg", {x})), to_text(Shape{Dim(0) - Dim::symbol("N"), -6}));
  EXPECT_EQ(known(b.op("abs", {numbers({-3, 3})})), "[3,3]");
  EXPECT_EQ(known(b.op("abs", {x})), "[N,6]");
  EXPECT_EQ(known(b.cast(x, DType::i32)), "[N,6]");
  EXPECT_EQ(known(b.cast(x, DType::f32)), "unknown");
}

TEST_F(Contents, DivisionTruncatesOnlyWhereTheSignIsKnown) {
  EXPECT_EQ(known(b.div(numbers({-7, 7}), numbers({2}))), "[-3,3]");
  EXPECT_EQ(known(b.div(numbers({7}), numbers({-2}))), "unknown");
  EXPECT_EQ(known(b.div(numbers({7}), numbers({0}))), "unknown");
  // N - 1 is -1 where N is 0: -1 / 2 is 0, and floordiv(-1, 2) is -1.
  EXPECT_EQ(known(b.div(dims_of("[N-1]"), numbers({2}))), "unknown");
  EXPECT_EQ(known(b.op("mod", {numbers({-7}), numbers({4})})), "[1]");
  EXPECT_EQ(known(b.op("mod", {numbers({-7}), numbers({4})}, {{"fmod", integer(1)}})), "unknown");
  EXPECT_EQ(known(b.op("mod", {dims_of("[N-1]"), numbers({4})})), to_text(Shape{Dim::mod(Dim::symbol("N") - Dim(1), 4)}));
}

TEST_F(Contents, ComparisonsAreDecidedForAllExtents) {
  Value* x = dims_of("[N,4]");
  EXPECT_EQ(known(b.op("equal", {x, x})), "[1,1]");
  EXPECT_EQ(known(b.op("equal", {x, numbers({-1})})), "[0,0]");
  // An extent may be 0.
  EXPECT_EQ(known(b.op("equal", {x, numbers({0})})), "unknown");
  EXPECT_EQ(known(b.op("greater_equal", {dims_of("[N+1]"), numbers({0})})), "[1]");
  EXPECT_EQ(known(b.op("less", {dims_of("[N]"), dims_of("[N+2]")})), "[1]");
  EXPECT_EQ(known(b.op("greater", {dims_of("[N]"), dims_of("[N+2]")})), "[0]");
  EXPECT_EQ(known(b.op("less_equal", {dims_of("[N]"), dims_of("[M]")})), "unknown");
}

TEST_F(Contents, Booleans) {
  Value* x = booleans({0, 0, 1, 1});
  Value* y = booleans({0, 1, 0, 1});
  EXPECT_EQ(known(b.op("logical_and", {x, y})), "[0,0,0,1]");
  EXPECT_EQ(known(b.op("logical_or", {x, y})), "[0,1,1,1]");
  EXPECT_EQ(known(b.op("logical_xor", {x, y})), "[0,1,1,0]");
  EXPECT_EQ(known(b.op("logical_not", {x})), "[1,1,0,0]");
  EXPECT_EQ(known(b.cast(dims_of("[N+1,0]"), DType::boolean)), "[1,0]");
  EXPECT_EQ(known(b.cast(dims_of("[N]"), DType::boolean)), "unknown");
}

TEST_F(Contents, Movement) {
  Value* x = dims_of("[N,3,H,W]");
  EXPECT_EQ(known(b.reshape(x, shape_of("[2,2]"))), "[N,3,H,W]");
  EXPECT_EQ(known(b.transpose(b.reshape(x, shape_of("[2,2]")), {1, 0})), "[N,H,3,W]");
  EXPECT_EQ(known(b.op("slice", {x}, {{"starts", dims("[3]")}, {"sizes", dims("[2]")}, {"steps", ints({-2})}})), "[W,3]");
  EXPECT_EQ(known(b.op("concat", {dims_of("[N]"), numbers({-1}), x}, {{"axis", integer(0)}})), "[N,-1,N,3,H,W]");
  EXPECT_EQ(known(b.op("gather", {x, numbers({-1, 0})}, {{"axis", integer(0)}})), "[W,N]");
  EXPECT_EQ(known(b.op("gather_elements", {x, numbers({2})}, {{"axis", integer(0)}})), "[H]");
  EXPECT_EQ(known(b.op("expand", {dims_of("[N]")}, {{"shape", dims("[3]")}})), "[N,N,N]");
  EXPECT_EQ(known(b.op("pad", {dims_of("[N]")}, {{"begins", dims("[1]")}, {"ends", dims("[2]")}})), "[0,N,0,0]");
}

TEST_F(Contents, GatherOutOfRangeIsLeftToTheRun) {
  EXPECT_EQ(known(b.op("gather", {dims_of("[N,3]"), numbers({2})}, {{"axis", integer(0)}})), "unknown");
  EXPECT_EQ(known(b.op("gather", {dims_of("[N,3]"), dims_of("[N]")}, {{"axis", integer(0)}})), "unknown");
}

TEST_F(Contents, Where) {
  Value* x = dims_of("[N,-1]");
  Value* is_free = b.op("equal", {x, numbers({-1})});
  EXPECT_EQ(known(b.op("where", {is_free, numbers({1, 1}), x})), "[N,1]");
  Value* unknown_condition = graph.add_argument(type_of("bool[2]"), "condition");
  EXPECT_EQ(known(b.op("where", {unknown_condition, x, numbers({1, 1})})), "unknown");
}

TEST_F(Contents, Reductions) {
  Value* x = b.reshape(dims_of("[N,3,H,4]"), shape_of("[2,2]"));
  EXPECT_EQ(known(b.op("reduce_prod", {x}, {{"axes", ints({0, 1})}, {"keepdims", integer(0)}})), to_text(shape_of("[12*H*N]")));
  EXPECT_EQ(known(b.op("reduce_sum", {x}, {{"axes", ints({1})}})), to_text(shape_of("[N+3,H+4]")));
  EXPECT_EQ(known(b.op("reduce_max", {numbers({3, 9, 4})}, {{"axes", ints({0})}})), "[9]");
  EXPECT_EQ(known(b.op("reduce_min", {numbers({3, 9, 4})}, {{"axes", ints({0})}})), "[3]");
}

TEST_F(Contents, SharedChainsAreWalkedOnce) {
  Value* x = dims_of("[N]");
  // 2^60 paths, 60 nodes.
  for (int i = 0; i < 60; ++i) x = b.op("min", {x, x});
  EXPECT_EQ(known(x), "[N]");
}

}  // namespace
}  // namespace intaglio::testing
