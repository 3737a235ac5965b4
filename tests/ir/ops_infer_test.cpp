// Inference: the types of results, on static and symbolic shapes.
#include <gtest/gtest.h>

#include "tests/ir/ops_node.h"

namespace intaglio::testing {
namespace {

struct Accepted {
  std::string_view op;
  std::vector<std::string> operands;
  Attributes attributes;
  std::string result;
};

void expect_types(const std::vector<Accepted>& cases) {
  for (const Accepted& c : cases) {
    SCOPED_TRACE(std::string(c.op) + " -> " + c.result);
    EXPECT_EQ(refusal(c.op, c.operands, c.attributes), "");
    EXPECT_EQ(OneNode(c.op, c.operands, c.attributes).result_type(), c.result);
  }
}

/// The equations that a node adds to its graph, as "left = right".
std::vector<std::string> equations(std::string_view op, const std::vector<std::string>& operands, Attributes attributes = {}) {
  std::vector<std::string> texts;
  for (const auto& equation : OneNode(op, operands, std::move(attributes)).graph.equations) {
    texts.push_back(equation.left.text() + " = " + equation.right.text());
  }
  return texts;
}

/// True if all equations hold for these values of N and M.
bool hold(const Graph& graph, std::int64_t n, std::int64_t m) {
  const auto value = [&](const std::string& name) { return name == "N" ? n : m; };
  for (const auto& equation : graph.equations) {
    if (equation.left.evaluate(value) != equation.right.evaluate(value)) return false;
  }
  return true;
}

TEST(OpInfer, Elementwise) {
  expect_types({
      {"neg", {"i32[2,N]"}, {}, "i32[2,N]"},
      {"exp", {"f16[]"}, {}, "f16[]"},
      {"is_nan", {"bf16[3]"}, {}, "bool[3]"},
      {"logical_not", {"bool[3]"}, {}, "bool[3]"},
      {"cast", {"f32[N]"}, {{"to", DType::i64}}, "i64[N]"},
      {"cast", {"bool[N]"}, {{"to", DType::f16}}, "f16[N]"},
      {"add", {"f32[N,1,4]", "f32[3,1]"}, {}, "f32[N,3,4]"},
      {"mul", {"i64[]", "i64[2,3]"}, {}, "i64[2,3]"},
      {"mod", {"f32[2]", "f32[2]"}, {{"fmod", integer(1)}}, "f32[2]"},
      {"less", {"f32[N]", "f32[N]"}, {}, "bool[N]"},
      {"equal", {"bool[1]", "bool[5]"}, {}, "bool[5]"},
      {"logical_xor", {"bool[2,1]", "bool[3]"}, {}, "bool[2,3]"},
      {"where", {"bool[2,1,1]", "f32[3,1]", "f32[4]"}, {}, "f32[2,3,4]"},
      {"batch_norm", {"f32[N,3,8,8]", "f32[3]", "f32[3]", "f32[3]", "f32[3]"}, {}, "f32[N,3,8,8]"},
      {"quantize", {"f32[N,4]", "f32[]", "u8[]"}, {{"to", DType::u8}}, "u8[N,4]"},
      {"quantize", {"f32[N,4]", "f32[4]"}, {{"to", DType::i8}}, "i8[N,4]"},
      {"dequantize", {"i8[6,5]", "f16[2,5]", "i8[2,5]"}, {{"axis", integer(0)}, {"block_size", integer(3)}}, "f16[6,5]"},
  });
}

TEST(OpInfer, Movement) {
  expect_types({
      {"reshape", {"f32[N,3,4]"}, {{"shape", dims("[N,12]")}}, "f32[N,12]"},
      {"transpose", {"f32[N,3,H]"}, {{"perm", ints({2, 0, 1})}}, "f32[H,N,3]"},
      {"expand", {"f32[3,1]"}, {{"shape", dims("[N,3,5]")}}, "f32[N,3,5]"},
      {"slice", {"f32[N,8]"}, {{"starts", dims("[0,7]")}, {"sizes", dims("[N,4]")}, {"steps", ints({1, -2})}}, "f32[N,4]"},
      {"concat", {"f32[N,3]", "f32[M,3]", "f32[2,3]"}, {{"axis", integer(0)}}, "f32[M+N+2,3]"},
      {"gather", {"f32[30,8]", "i64[N,S]"}, {}, "f32[N,S,8]"},
      {"gather", {"f32[N,8]", "i32[]"}, {{"axis", integer(1)}}, "f32[N]"},
      {"gather_elements", {"f32[4,8]", "i64[3,2]"}, {{"axis", integer(1)}}, "f32[3,2]"},
      {"pad", {"f32[N,8]"}, {{"begins", dims("[0,1]")}, {"ends", dims("[0,-3]")}}, "f32[N,6]"},
      {"convert_layout", {"f32[N,3,4,4]"}, {{"layout", ints({0, 2, 3, 1})}}, "f32[N,3,4,4]{0,2,3,1}"},
      {"convert_layout", {"f32[N,3]"}, {{"layout", ints({0, 1})}}, "f32[N,3]"},
      {"iota", {}, {{"shape", dims("[N,3]")}, {"axis", integer(1)}, {"dtype", DType::i32}}, "i32[N,3]"},
      {"dims", {}, {{"values", dims("[N,2*H,7]")}}, "i64[3]"},
      {"const", {}, {{"value", Tensor(DType::f16, {2, 3})}}, "f16[2,3]"},
  });
}

TEST(OpInfer, ReductionsAndRows) {
  expect_types({
      {"reduce_sum", {"f32[N,3,4]"}, {{"axes", ints({1})}}, "f32[N,1,4]"},
      {"reduce_mean", {"f32[N,3,4]"}, {{"axes", ints({2, 1})}, {"keepdims", integer(0)}}, "f32[N]"},
      {"reduce_max", {"bool[N,3]"}, {{"axes", ints({0, 1})}, {"keepdims", integer(0)}}, "bool[]"},
      {"reduce_prod", {"i64[3]"}, {{"axes", ints({})}}, "i64[3]"},
      {"softmax", {"f16[N,S]"}, {{"axis", integer(1)}}, "f16[N,S]"},
      {"layer_norm", {"f32[N,S,8]", "f32[8]", "f32[8]"}, {{"axis", integer(2)}}, "f32[N,S,8]"},
      {"layer_norm", {"f32[N,S,8]", "f32[S,1]", "_"}, {{"axis", integer(1)}}, "f32[N,S,8]"},
  });
}

TEST(OpInfer, Windows) {
  const auto kernel = ints({3, 3});
  const auto stride = ints({2, 2});
  expect_types({
      {"max_pool", {"f32[N,64,112,112]"}, {{"kernel_shape", kernel}, {"strides", stride}, {"pads", ints({1, 1, 1, 1})}}, "f32[N,64,56,56]"},
      // A window that would start in the padding at the end is no window.
      {"max_pool", {"u8[1,1,5]"}, {{"kernel_shape", ints({2})}, {"strides", ints({2})}, {"ceil_mode", integer(1)}}, "u8[1,1,3]"},
      {"average_pool",
       {"f32[1,1,2]"},
       {{"kernel_shape", ints({2})}, {"strides", ints({3})}, {"pads", ints({0, 1})}, {"ceil_mode", integer(1)}},
       "f32[1,1,1]"},
      {"average_pool", {"f32[1,1,7]"}, {{"kernel_shape", ints({3})}, {"dilations", ints({2})}}, "f32[1,1,3]"},
      {"conv", {"f32[N,3,224,224]", "f32[64,3,7,7]"}, {{"strides", stride}, {"pads", ints({3, 3, 3, 3})}}, "f32[N,64,112,112]"},
      {"conv", {"f16[2,8,9]", "f16[16,2,3]", "f16[16]"}, {{"group", integer(4)}, {"dilations", ints({2})}}, "f16[2,16,5]"},
      {"conv", {"f32[1,1,4,4,4]", "f32[1,1,2,2,2]"}, {}, "f32[1,1,3,3,3]"},
      {"conv", {"u8[2,8,9]", "i8[16,8,3]", "i32[16]"}, {{"pads", ints({1, 1})}, {"pad_value", integer(128)}}, "i32[2,16,9]"},
  });
}

TEST(OpInfer, Attention) {
  expect_types({
      {"attention", {"f16[N,12,S,64]", "f16[N,12,T,64]", "f16[N,12,T,32]"}, {{"scale", 0.125}}, "f16[N,12,S,32]"},
      {"attention", {"f32[S,8]", "f32[S,8]", "f32[S,8]", "f32[S]"}, {}, "f32[S,8]"},
      {"attention", {"f32[N,2,S,8]", "f32[N,2,S,8]", "f32[N,2,S,8]", "f32[N,1,1,S]"}, {}, "f32[N,2,S,8]"},
  });
  EXPECT_EQ(equations("attention", {"f32[3,S,8]", "f32[3,T,8]", "f32[3,R,8]"}), std::vector<std::string>{"T = R"});
}

TEST(OpInfer, WindowsOverSymbolicExtents) {
  expect_types({
      {"conv", {"f32[N,3,H,W]", "f32[8,3,3,3]"}, {{"pads", ints({1, 1, 1, 1})}}, "f32[N,8,H,W]"},
      {"conv", {"f32[N,3,H,W]", "f32[8,3,1,1]"}, {}, "f32[N,8,H,W]"},
      {"conv", {"f32[N,3,4*H,8]", "f32[8,3,2,2]"}, {{"strides", ints({2, 2})}}, "f32[N,8,2*H,4]"},
  });
  const OneNode conv("conv", {"f32[N,3,H,9]", "f32[8,3,3,3]"}, {{"strides", ints({2, 2})}, {"pads", ints({1, 1, 1, 1})}});
  const OneNode pool("max_pool", {"f32[N,3,H,9]"}, {{"kernel_shape", ints({3, 3})}, {"strides", ints({2, 2})}, {"ceil_mode", integer(1)}});
  for (std::int64_t h : {3, 4, 5, 6, 224}) {
    const auto value = [&](const std::string& name) {
      EXPECT_EQ(name, "H");
      return h;
    };
    EXPECT_EQ(conv.node->result()->type.shape[2].evaluate(value), (h + 2 - 3) / 2 + 1);
    EXPECT_EQ(pool.node->result()->type.shape[2].evaluate(value), (h - 3 + 1) / 2 + 1);
  }
  EXPECT_EQ(conv.node->result()->type.shape[0], Dim::symbol("N"));
  EXPECT_EQ(conv.node->result()->type.shape[3], Dim(5));
}

TEST(OpInfer, AWindowMustFitAtRunTime) {
  const OneNode conv("conv", {"f32[N,1,M]", "f32[1,1,5]"});
  EXPECT_TRUE(hold(conv.graph, 1, 5));
  EXPECT_FALSE(hold(conv.graph, 1, 4));
}

TEST(OpInfer, Matmul) {
  expect_types({
      {"matmul", {"f32[2,3]", "f32[3,4]"}, {}, "f32[2,4]"},
      {"matmul", {"f32[N,1,S,64]", "f32[12,64,S]"}, {}, "f32[N,12,S,S]"},
      {"matmul", {"i32[M,K]", "i32[K,N]"}, {}, "i32[M,N]"},
      {"matmul", {"u8[M,K]", "i8[K,N]"}, {}, "i32[M,N]"},
  });
}

TEST(OpInfer, BroadcastOfSymbols) {
  const OneNode same("add", {"f32[N,M]", "f32[N,M]"});
  EXPECT_EQ(same.result_type(), "f32[N,M]");
  EXPECT_TRUE(same.graph.equations.empty());

  const OneNode two("add", {"f32[N]", "f32[M]"});
  EXPECT_EQ(two.node->result()->type.shape[0], Dim::bcast(Dim::symbol("N"), Dim::symbol("M")));
  ASSERT_EQ(two.graph.equations.size(), 1u);
  EXPECT_TRUE(hold(two.graph, 3, 3));
  EXPECT_TRUE(hold(two.graph, 1, 3));
  EXPECT_TRUE(hold(two.graph, 3, 1));
  EXPECT_FALSE(hold(two.graph, 3, 2));

  const OneNode constant("add", {"f32[N]", "f32[4]"});
  EXPECT_EQ(constant.result_type(), "f32[4]");
  EXPECT_TRUE(hold(constant.graph, 1, 0));
  EXPECT_TRUE(hold(constant.graph, 4, 0));
  EXPECT_FALSE(hold(constant.graph, 2, 0));
  EXPECT_FALSE(hold(constant.graph, 0, 0));
}

TEST(OpInfer, ExpandDoesNotWiden) {
  const OneNode expand("expand", {"f32[N]"}, {{"shape", dims("[M]")}});
  EXPECT_TRUE(hold(expand.graph, 1, 7));
  EXPECT_TRUE(hold(expand.graph, 7, 7));
  EXPECT_FALSE(hold(expand.graph, 7, 1));
}

TEST(OpInfer, WhatIsEqualAnywayAddsNoEquation) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(equations("reshape", {"f32[N,3,4]"}, {{"shape", dims("[4,3*N]")}}), Texts{});
  EXPECT_EQ(equations("reshape", {"f32[N,M]"}, {{"shape", dims("[6]")}}), Texts{"M*N = 6"});
  EXPECT_EQ(equations("matmul", {"f32[2,N]", "f32[M,2]"}), Texts{"N = M"});
  EXPECT_EQ(equations("concat", {"f32[N,2]", "f32[N,3]"}, {{"axis", integer(1)}}), Texts{});
  EXPECT_EQ(equations("conv", {"f32[N,3,8,8]", "f32[4,3,3,3]"}), Texts{});
}

TEST(OpInfer, EquationsNameTheNode) {
  const OneNode reshape("reshape", {"f32[N,M]"}, {{"shape", dims("[6]")}});
  ASSERT_EQ(reshape.graph.equations.size(), 1u);
  EXPECT_NE(reshape.graph.equations[0].reason.find("reshape"), std::string::npos);
}

}  // namespace
}  // namespace intaglio::testing
