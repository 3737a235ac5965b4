// Groups with a root: reductions, softmax, layer norm and pooling, in every layout and with neighbours fused.
#include <gtest/gtest.h>

#include "tests/codegen/lowering.h"

namespace intaglio::testing {
namespace {

kernel::Kernel lowered(const std::string& text) { return lower_to_loops(*wrap_group(text).node, {}); }

TEST(LoopsReduce, EveryAxisInEveryLayout) {
  const std::pair<const char*, const char*> cases[] = {{"[0]", "3,4,5"}, {"[1]", "2,4,5"}, {"[2]", "2,3,5"},
                                                       {"[3]", "2,3,4"}, {"[1,2]", "2,5"}, {"[2,3]", "2,3"},
                                                       {"[0,2,3]", "3"}, {"[0,3]", "3,4"}, {"[0,1,2,3]", ""}};
  for (const char* layout : {"", "{0,2,3,1}", "{3,1,0,2}"}) {
    for (const auto& [axes, shape] : cases) {
      const std::string result = std::string("f32[") + shape + "]";
      expect_lowering_matches(std::string("graph @g(%x: f32[2,3,4,5]") + layout + ") -> " + result +
                              " {\n %0 = reduce_sum(%x) {axes=" + axes + ", keepdims=0} : " + result + "\n return %0 }");
    }
  }
}

TEST(LoopsReduce, EveryOperator) {
  for (const char* op : {"reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod"}) {
    for (const char* axes : {"[1]", "[0]"}) {
      const std::string result = axes[1] == '1' ? "f32[7,1]" : "f32[1,9]";
      expect_lowering_matches(std::string("graph @g(%x: f32[7,9]) -> ") + result + " {\n %0 = " + op + "(%x) {axes=" + axes +
                              ", keepdims=1} : " + result + "\n return %0 }");
    }
  }
  expect_lowering_matches("graph @g(%x: i64[5,6]) -> i64[5] {\n %0 = reduce_prod(%x) {axes=[1], keepdims=0} : i64[5]\n return %0 }");
  expect_lowering_matches("graph @g(%x: f16[4,60]) -> f16[4] {\n %0 = reduce_mean(%x) {axes=[1], keepdims=0} : f16[4]\n return %0 }");
}

TEST(LoopsReduce, PrologueAndEpilogue) {
  expect_lowering_matches(R"(graph @g(%x: f32[3,5,64], %b: f32[64], %s: f32[3,5]) -> f32[3,5] {
    %0 = add(%x, %b) : f32[3,5,64]
    %1 = mul(%0, %0) : f32[3,5,64]
    %2 = reduce_sum(%1) {axes=[2], keepdims=0} : f32[3,5]
    %3 = sqrt(%2) : f32[3,5]
    %4 = div(%3, %s) : f32[3,5]
    return %4
  })",
                          {}, {{"s", {1, 2}}});
}

TEST(LoopsReduce, GlobalAveragePoolOfChannelsLast) {
  const std::string text = R"(graph @g(%x: f32[N,96,7,7]{0,2,3,1}) -> f32[N,96] {
    %0 = relu(%x) : f32[N,96,7,7]
    %1 = reduce_mean(%0) {axes=[2,3], keepdims=1} : f32[N,96,1,1]
    %2 = reshape(%1) {shape=[N,96]} : f32[N,96]
    return %2
  })";
  for (std::int64_t n : {1, 3}) expect_lowering_matches(text, {{"N", n}});
  // Lanes over channels, one fold over the merged 49 positions.
  const std::string kernel = to_text(lowered(text));
  EXPECT_NE(kernel.find("< 49"), std::string::npos) << kernel;
  EXPECT_EQ(kernel.find("vector reduce"), std::string::npos) << kernel;
}

TEST(LoopsReduce, ContiguousRowsFoldAlongVectors) {
  const std::string kernel =
      to_text(lowered("graph @g(%x: f32[64,768]) -> f32[64] {\n %0 = reduce_max(%x) {axes=[1], keepdims=0} : f32[64]\n return %0 }"));
  EXPECT_NE(kernel.find("vector reduce_max"), std::string::npos) << kernel;
}

TEST(LoopsReduce, RowsThatAreReadAgain) {
  // The result is larger than the root: the sum belongs outside of the loop along the row.
  const std::string text = R"(graph @g(%x: f32[N,40]) -> f32[N,40] {
    %0 = reduce_mean(%x) {axes=[1], keepdims=1} : f32[N,1]
    %1 = sub(%x, %0) : f32[N,40]
    return %1
  })";
  for (std::int64_t n : {1, 5, 500}) expect_lowering_matches(text, {{"N", n}});
  expect_lowering_matches(R"(graph @g(%x: f32[6,40]) -> f32[6,40] {
    %0 = reduce_max(%x) {axes=[0], keepdims=1} : f32[1,40]
    %1 = sub(%x, %0) : f32[6,40]
    return %1
  })");
  expect_lowering_matches(R"(graph @g(%x: f32[6,40]) -> f32[6,40] {
    %0 = reduce_sum(%x) {axes=[0,1], keepdims=1} : f32[1,1]
    %1 = div(%x, %0) : f32[6,40]
    return %1
  })");
}

TEST(LoopsReduce, SymbolicRows) {
  for (std::int64_t s : {1, 3, 77}) {
    expect_lowering_matches(R"(graph @g(%x: f32[N,S,24], %mask: f32[N,S,1]) -> f32[N,24] {
      %0 = mul(%x, %mask) : f32[N,S,24]
      %1 = reduce_sum(%0) {axes=[1], keepdims=0} : f32[N,24]
      return %1
    })",
                            {{"N", 2}, {"S", s}});
  }
}

TEST(LoopsSoftmax, EveryAxisAndLayout) {
  for (const char* layout : {"", "{0,2,1}", "{2,1,0}"}) {
    for (const char* axis : {"0", "1", "2"}) {
      const std::string type = std::string("f32[4,5,6]") + layout;
      expect_lowering_matches("graph @g(%x: " + type + ") -> " + type + " {\n %0 = softmax(%x) {axis=" + axis + "} : " + type +
                              "\n return %0 }");
      expect_lowering_matches("graph @g(%x: " + type + ") -> f32[4,5,6] {\n %0 = softmax(%x) {axis=" + axis +
                              "} : f32[4,5,6]\n return %0 }");
    }
  }
}

TEST(LoopsSoftmax, MaskedScoresAndScaledResult) {
  for (std::int64_t s : {1, 9, 130}) {
    expect_lowering_matches(R"(graph @g(%x: f32[N,3,S,S], %mask: f32[N,1,1,S], %scale: f32[]) -> f32[N,3,S,S] {
      %0 = div(%x, %scale) : f32[N,3,S,S]
      %1 = add(%0, %mask) : f32[N,3,S,S]
      %2 = softmax(%1) {axis=3} : f32[N,3,S,S]
      %3 = mul(%2, %scale) : f32[N,3,S,S]
      return %3
    })",
                            {{"N", 2}, {"S", s}}, {{"scale", {7, 8}}});
  }
}

TEST(LoopsSoftmax, ExponentsAreComputedOnce) {
  const std::string kept =
      to_text(lowered("graph @g(%x: f32[12,128]) -> f32[12,128] {\n %0 = softmax(%x) {axis=1} : f32[12,128]\n return %0 }"));
  EXPECT_EQ(kept.find("exp("), kept.rfind("exp(")) << kept;
  // f16 results would round the exponents.
  const std::string f16 = "graph @g(%x: f16[12,40]) -> f16[12,40] {\n %0 = softmax(%x) {axis=1} : f16[12,40]\n return %0 }";
  const std::string computed_again = to_text(lowered(f16));
  EXPECT_NE(computed_again.find("exp("), computed_again.rfind("exp("));
  expect_lowering_matches(f16);
}

TEST(LoopsSoftmax, LargeScoresDoNotOverflow) {
  expect_lowering_matches("graph @g(%x: f32[3,40]) -> f32[3,40] {\n %0 = softmax(%x) {axis=1} : f32[3,40]\n return %0 }", {},
                          {{"x", {900, 1000}}});
}

TEST(LoopsSoftmax, TransposedResult) {
  expect_lowering_matches(R"(graph @g(%x: f32[5,40]) -> f32[40,5] {
    %0 = softmax(%x) {axis=1} : f32[5,40]
    %1 = transpose(%0) {perm=[1,0]} : f32[40,5]
    return %1
  })");
  // The shapes are equal, the places are not.
  expect_lowering_matches(R"(graph @g(%x: f32[9,9]) -> f32[9,9] {
    %0 = softmax(%x) {axis=1} : f32[9,9]
    %1 = transpose(%0) {perm=[1,0]} : f32[9,9]
    return %1
  })");
  expect_lowering_matches("graph @g(%x: f32[5,1]) -> f32[5,1] {\n %0 = softmax(%x) {axis=1} : f32[5,1]\n return %0 }");
}

TEST(LoopsLayerNorm, TrailingAxesAndLayouts) {
  for (std::int64_t n : {1, 4}) {
    expect_lowering_matches(R"(graph @g(%x: f32[N,5,48], %r: f32[N,5,48], %s: f32[48], %b: f32[48]) -> f32[N,5,48] {
      %0 = add(%x, %r) : f32[N,5,48]
      %1 = layer_norm(%0, %s, %b) {axis=2, epsilon=1e-5} : f32[N,5,48]
      return %1
    })",
                            {{"N", n}});
  }
  for (const char* layout : {"", "{0,2,3,1}", "{3,2,1,0}"}) {
    for (const char* axis : {"1", "2", "3"}) {
      const std::string type = std::string("f32[2,3,4,5]") + layout;
      const std::string scale = axis[0] == '1' ? "f32[3,4,5]" : axis[0] == '2' ? "f32[4,5]" : "f32[5]";
      expect_lowering_matches("graph @g(%x: " + type + ", %s: " + scale + ") -> " + type + " {\n %0 = layer_norm(%x, %s) {axis=" + axis +
                              ", epsilon=1e-3} : " + type + "\n return %0 }");
    }
  }
}

TEST(LoopsLayerNorm, ExpensivePrologueIsComputedOnce) {
  const std::string text = R"(graph @g(%x: f32[6,64], %s: f32[64], %b: f32[64]) -> f32[6,64] {
    %0 = erf(%x) : f32[6,64]
    %1 = layer_norm(%0, %s, %b) {axis=1, epsilon=1e-5} : f32[6,64]
    %2 = relu(%1) : f32[6,64]
    return %2
  })";
  expect_lowering_matches(text);
  const std::string kernel = to_text(lowered(text));
  EXPECT_EQ(kernel.find("erf("), kernel.rfind("erf(")) << kernel;
}

TEST(LoopsPool, MaxPool) {
  for (const char* layout : {"", "{0,2,3,1}"}) {
    const auto run = [&](const char* in, const char* out, const char* attributes, const SymbolValues& symbols = {}) {
      const std::string result = std::string("f32[") + out + "]" + layout;
      expect_lowering_matches(std::string("graph @g(%x: f32[") + in + "]" + layout + ") -> " + result + " {\n %0 = max_pool(%x) {" +
                                  attributes + "} : " + result + "\n return %0 }",
                              symbols);
    };
    run("2,5,8,8", "2,5,4,4", "kernel_shape=[2,2], strides=[2,2], pads=[0,0,0,0], dilations=[1,1], ceil_mode=0");
    run("1,9,12,11", "1,9,6,6", "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], dilations=[1,1], ceil_mode=0");
    run("1,3,9,9", "1,3,7,7", "kernel_shape=[3,2], strides=[1,1], pads=[1,0,1,0], dilations=[2,2], ceil_mode=0");
    run("1,4,8,8", "1,4,4,4", "kernel_shape=[3,3], strides=[2,2], pads=[0,0,0,0], dilations=[1,1], ceil_mode=1");
    for (std::int64_t h : {3, 8, 13}) {
      run("N,6,H,9", "N,6,floordiv(H-1,2)+1,5", "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], dilations=[1,1], ceil_mode=0",
          {{"N", 2}, {"H", h}});
    }
  }
}

TEST(LoopsPool, AveragePool) {
  for (const char* layout : {"", "{0,2,3,1}"}) {
    for (const char* counted : {"0", "1"}) {
      const auto run = [&](const char* in, const char* out, const std::string& attributes) {
        const std::string result = std::string("f32[") + out + "]" + layout;
        expect_lowering_matches(std::string("graph @g(%x: f32[") + in + "]" + layout + ") -> " + result + " {\n %0 = average_pool(%x) {" +
                                attributes + ", count_include_pad=" + counted + "} : " + result + "\n return %0 }");
      };
      run("2,5,8,8", "2,5,4,4", "kernel_shape=[2,2], strides=[2,2], pads=[0,0,0,0], dilations=[1,1], ceil_mode=0");
      run("1,9,12,11", "1,9,6,6", "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], dilations=[1,1], ceil_mode=0");
      run("1,4,8,8", "1,4,4,4", "kernel_shape=[3,3], strides=[2,2], pads=[0,0,0,0], dilations=[1,1], ceil_mode=1");
      run("1,4,9,8", "1,4,5,5", "kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], dilations=[1,1], ceil_mode=1");
    }
  }
}

TEST(LoopsPool, OneAndThreeAxesWithNeighbours) {
  expect_lowering_matches(R"(graph @g(%x: f32[2,3,20], %b: f32[3,1]) -> f32[2,3,10] {
    %0 = add(%x, %b) : f32[2,3,20]
    %1 = max_pool(%0) {kernel_shape=[3], strides=[2], pads=[1,1], dilations=[1], ceil_mode=0} : f32[2,3,10]
    %2 = sigmoid(%1) : f32[2,3,10]
    %3 = mul(%1, %2) : f32[2,3,10]
    return %3
  })");
  expect_lowering_matches(R"(graph @g(%x: f32[1,8,4,5,6]{0,2,3,4,1}) -> f32[1,8,2,2,3]{0,2,3,4,1} {
    %0 = average_pool(%x) {kernel_shape=[2,2,2], strides=[2,2,2], pads=[0,0,0,0,0,0], dilations=[1,1,1], ceil_mode=0} : f32[1,8,2,2,3]{0,2,3,4,1}
    return %0
  })");
}

TEST(LoopsPool, TapsNeedNoSelects) {
  const std::string kernel = to_text(lowered(R"(graph @g(%x: f32[1,64,112,112]{0,2,3,1}) -> f32[1,64,56,56]{0,2,3,1} {
    %0 = max_pool(%x) {kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1], dilations=[1,1], ceil_mode=0} : f32[1,64,56,56]{0,2,3,1}
    return %0
  })"));
  EXPECT_EQ(kernel.find('?'), std::string::npos) << kernel;
  EXPECT_NE(kernel.find("vector v"), std::string::npos) << kernel;
}

TEST(LoopsPool, WindowsWithoutPaddingHaveConstantBounds) {
  const std::string kernel = to_text(lowered(R"(graph @g(%x: f32[1,64,8,8]{0,2,3,1}) -> f32[1,64,4,4]{0,2,3,1} {
    %0 = average_pool(%x) {kernel_shape=[2,2], strides=[2,2], pads=[0,0,0,0], dilations=[1,1], ceil_mode=0} : f32[1,64,4,4]{0,2,3,1}
    return %0
  })"));
  EXPECT_EQ(kernel.find("min("), std::string::npos) << kernel;
  EXPECT_EQ(kernel.find("max("), std::string::npos) << kernel;
}

}  // namespace
}  // namespace intaglio::testing
