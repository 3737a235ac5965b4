// Where values lie in memory: ir/view.h.
#include "ir/view.h"

#include <gtest/gtest.h>

namespace intaglio {
namespace {

const Dim N = Dim::symbol("N");
const Dim S = Dim::symbol("S");

Value* argument(Graph& graph, Shape shape, Layout layout = {}) {
  return graph.add_argument(Type{DType::f32, std::move(shape), std::move(layout)}, "");
}

TEST(View, LayoutOfRowMajorStridesIsEmpty) {
  const Shape shape{N, S, 4};
  EXPECT_EQ(layout_of(shape, strides(Type{DType::f32, shape})), Layout{});
}

TEST(View, LayoutOfPermutedStrides) {
  const Shape shape{N, 8, S, 4};
  EXPECT_EQ(layout_of(shape, strides(Type{DType::f32, shape, {0, 2, 3, 1}})), (Layout{0, 2, 3, 1}));
}

TEST(View, BroadcastOrPaddedStridesHaveNoLayout) {
  EXPECT_EQ(layout_of({N, 4}, {Dim(0), Dim(1)}), std::nullopt);
  EXPECT_EQ(layout_of({N, 4}, {Dim(5), Dim(1)}), std::nullopt);
}

TEST(View, ExtentsOfOneLieInAnyOrder) {
  EXPECT_TRUE(same_order({N, 8, 1, 1}, {}, {0, 2, 3, 1}));
  EXPECT_FALSE(same_order({N, 8, 2, 1}, {}, {0, 2, 3, 1}));
}

TEST(View, ReshapeSplitsAndMergesInPlace) {
  // Channels innermost: the spatial axes follow each other.
  const Shape image{N, 8, 2, 3};
  const auto lying = strides(Type{DType::f32, image, {0, 2, 3, 1}});
  const auto merged = reshape_strides(image, lying, {N, 8, 6});
  ASSERT_TRUE(merged);
  EXPECT_EQ(*merged, (std::vector<Dim>{Dim(48), Dim(1), Dim(8)}));
  const auto split = reshape_strides(image, lying, {N, 2, 4, 2, 3});
  ASSERT_TRUE(split);
  EXPECT_EQ(*split, (std::vector<Dim>{Dim(48), Dim(4), Dim(1), Dim(24), Dim(8)}));
  EXPECT_EQ(reshape_strides(image, lying, {N, 48}), std::nullopt);
}

TEST(View, RowMajorReshapesToAnything) {
  const Shape from{N, 12};
  const Shape to{Dim::floordiv(N, 2), 24};
  EXPECT_EQ(reshape_strides(from, strides(Type{DType::f32, from}), to), strides(Type{DType::f32, to}));
}

TEST(View, TransposeIsAViewInTheRightLayoutOnly) {
  Graph graph;
  Builder b(graph);
  Value* transposed = b.transpose(argument(graph, {N, 4, S}), {0, 2, 1});
  EXPECT_FALSE(is_view(*transposed->producer()));
  EXPECT_EQ(layout_as_view(*transposed->producer()), (Layout{0, 2, 1}));
  transposed->type.layout = {0, 2, 1};
  EXPECT_TRUE(is_view(*transposed->producer()));
}

TEST(View, SliceAndExpandAreReadWithStrides) {
  Graph graph;
  Builder b(graph);
  Value* x = argument(graph, {N, 12});
  Value* slice = b.op("slice", {x}, {{"starts", Shape{0, 8}}, {"sizes", Shape{N, 4}}, {"steps", std::vector<std::int64_t>{1, 1}}});
  Value* heads = b.reshape(slice, {N, 1, 2, 2});
  Value* wide = b.op("expand", {heads}, {{"shape", Shape{N, 5, 2, 2}}});
  EXPECT_FALSE(is_view(*slice->producer()));
  const StridedView view = strided_view(*wide);
  EXPECT_EQ(view.base, x);
  EXPECT_EQ(view.offset, Dim(8));
  EXPECT_EQ(view.strides, (std::vector<Dim>{Dim(12), Dim(0), Dim(2), Dim(1)}));
}

TEST(View, AChainThatBreaksStartsAnew) {
  Graph graph;
  Builder b(graph);
  Value* x = argument(graph, {4, 6});
  Value* flat = b.reshape(b.transpose(x, {1, 0}), {24});
  const StridedView view = strided_view(*flat);
  EXPECT_EQ(view.base, flat);
  EXPECT_EQ(view.strides, (std::vector<Dim>{Dim(1)}));
}

}  // namespace
}  // namespace intaglio
