// Groups without a root: elementwise chains and data movement.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/codegen/lowering.h"

namespace intaglio::testing {
namespace {

using kernel::LoopKind;
using kernel::Stmt;

/// The loops of a kernel from the outside in, along the first body of each.
std::vector<const Stmt*> loops_of(const kernel::Kernel& kernel) {
  std::vector<const Stmt*> loops;
  for (const Stmt* stmt = kernel.body.get(); stmt && !stmt->body.empty(); stmt = stmt->body.back().get()) {
    if (stmt->kind == Stmt::Kind::loop) loops.push_back(stmt);
  }
  return loops;
}

kernel::Kernel lowered(const std::string& text) { return lower_to_loops(*wrap_group(text).node, {}); }

TEST(LoopsMap, ElementwiseChain) {
  expect_lowering_matches(R"(graph @g(%x: f32[2,3,5,7], %y: f32[2,3,5,7]) -> f32[2,3,5,7] {
    %0 = add(%x, %y) : f32[2,3,5,7]
    %1 = relu(%0) : f32[2,3,5,7]
    return %1
  })");
}

TEST(LoopsMap, BroadcastsOfEveryKind) {
  expect_lowering_matches(R"(graph @g(%x: f32[4,5,6], %row: f32[6], %column: f32[5,1], %scalar: f32[]) -> f32[4,5,6] {
    %0 = mul(%x, %row) : f32[4,5,6]
    %1 = add(%0, %column) : f32[4,5,6]
    %2 = sub(%1, %scalar) : f32[4,5,6]
    return %2
  })");
  expect_lowering_matches(R"(graph @g(%a: f32[7,1,3], %b: f32[5,1]) -> f32[7,5,3] {
    %0 = max(%a, %b) : f32[7,5,3]
    return %0
  })");
}

TEST(LoopsMap, ScalarsAndEmptyTensors) {
  expect_lowering_matches("graph @g(%x: f32[]) -> f32[] {\n %0 = exp(%x) : f32[]\n return %0 }");
  expect_lowering_matches("graph @g(%x: f32[3,0]) -> f32[3,0] {\n %0 = exp(%x) : f32[3,0]\n return %0 }");
  expect_lowering_matches("graph @g(%x: f32[N,4]) -> f32[N,4] {\n %0 = exp(%x) : f32[N,4]\n return %0 }", {{"N", 0}});
}

TEST(LoopsMap, SymbolicExtents) {
  for (std::int64_t n : {1, 2, 9}) {
    for (std::int64_t s : {1, 5, 300}) {
      expect_lowering_matches(R"(graph @g(%x: f32[N,S,12], %bias: f32[12]) -> f32[N,S,12] {
        %0 = add(%x, %bias) : f32[N,S,12]
        %1 = tanh(%0) : f32[N,S,12]
        return %1
      })",
                              {{"N", n}, {"S", s}});
    }
  }
}

TEST(LoopsMap, SameLayoutIsOneFlatVectorLoop) {
  const kernel::Kernel kernel =
      lowered(R"(graph @g(%x: f32[N,64,56,56]{0,2,3,1}, %y: f32[N,64,56,56]{0,2,3,1}) -> f32[N,64,56,56]{0,2,3,1} {
    %0 = add(%x, %y) : f32[N,64,56,56]{0,2,3,1}
    %1 = relu(%0) : f32[N,64,56,56]{0,2,3,1}
    return %1
  })");
  const auto loops = loops_of(kernel);
  ASSERT_EQ(loops.size(), 1u) << to_text(kernel);
  EXPECT_EQ(loops[0]->loop, LoopKind::vector);
  EXPECT_EQ(kernel.name, "add_relu_f32_Nx64x56x56");
  const auto tasks = [&](std::int64_t n) { return kernel.tasks.evaluate([&](const std::string&) { return n; }); };
  EXPECT_GE(tasks(1), 12);
  EXPECT_LE(tasks(1), 50);
  EXPECT_EQ(tasks(0), 0);
}

TEST(LoopsMap, EqualGroupsPrintEqually) {
  const std::string a = "graph @a(%x: f32[8,16], %b: f32[16]) -> f32[8,16] {\n %0 = add(%x, %b) : f32[8,16]\n return %0 }";
  const std::string same =
      "graph @z(%first: f32[8,16], %second: f32[16]) -> f32[8,16] {\n %sum = add(%first, %second) : f32[8,16]\n return %sum }";
  const std::string other = "graph @a(%x: f32[8,16], %b: f32[16]) -> f32[8,16] {\n %0 = add(%b, %x) : f32[8,16]\n return %0 }";
  EXPECT_EQ(to_text(lowered(a)), to_text(lowered(same)));
  EXPECT_NE(to_text(lowered(a)), to_text(lowered(other)));
}

TEST(LoopsMap, TasksAreNeitherTinyNorOne) {
  for (const char* shape : {"1000000", "1000,1000", "100,100,100", "3,577,577", "2,1000003", "4096,7,35"}) {
    const std::string type = std::string("f32[") + shape + "]";
    for (const char* layout : {"", "{1,0}"}) {
      const bool is_matrix = std::count(type.begin(), type.end(), ',') == 1;
      if (*layout && !is_matrix) continue;
      const kernel::Kernel kernel =
          lowered("graph @g(%x: " + type + ") -> " + type + layout + " {\n %0 = exp(%x) : " + type + layout + "\n return %0 }");
      ASSERT_TRUE(kernel.tasks.is_constant());
      EXPECT_GE(kernel.tasks.value(), 50) << to_text(kernel);
      EXPECT_LE(kernel.tasks.value(), 600) << to_text(kernel);
    }
  }
}

TEST(LoopsMap, LayoutConversions) {
  for (const char* shape : {"2,3,5,7", "1,3,40,40", "1,64,33,20", "2,20,1,9"}) {
    const std::string plain = std::string("f32[") + shape + "]", nhwc = plain + "{0,2,3,1}";
    expect_lowering_matches("graph @g(%x: " + plain + ") -> " + nhwc + " {\n %0 = relu(%x) : " + nhwc + "\n return %0 }");
    expect_lowering_matches("graph @g(%x: " + nhwc + ") -> " + plain + " {\n %0 = relu(%x) : " + plain + "\n return %0 }");
    expect_lowering_matches("graph @g(%x: " + plain + ") -> " + nhwc + " {\n %0 = convert_layout(%x) {layout=[0,2,3,1]} : " + nhwc +
                            "\n return %0 }");
  }
}

TEST(LoopsMap, Transposes) {
  expect_lowering_matches("graph @g(%x: f32[70,130]) -> f32[130,70] {\n %0 = transpose(%x) {perm=[1,0]} : f32[130,70]\n return %0 }");
  expect_lowering_matches(
      "graph @g(%x: f32[5,9,4,32]) -> f32[5,4,9,32] {\n %0 = transpose(%x) {perm=[0,2,1,3]} : f32[5,4,9,32]\n return %0 }");
  expect_lowering_matches(
      "graph @g(%x: f32[3,50,4,20]) -> f32[3,4,20,50] {\n %0 = transpose(%x) {perm=[0,2,3,1]} : f32[3,4,20,50]\n return %0 }");
  for (std::int64_t s : {1, 15, 16, 200}) {
    expect_lowering_matches(
        "graph @g(%x: f32[N,S,4,20]) -> f32[N,4,20,S] {\n %0 = transpose(%x) {perm=[0,2,3,1]} : f32[N,4,20,S]\n return %0 }",
        {{"N", 2}, {"S", s}});
  }
}

TEST(LoopsMap, TransposesAreTiled) {
  const kernel::Kernel kernel =
      lowered("graph @g(%x: f32[512,512]) -> f32[512,512] {\n %0 = transpose(%x) {perm=[1,0]} : f32[512,512]\n return %0 }");
  const auto loops = loops_of(kernel);
  ASSERT_GE(loops.size(), 2u) << to_text(kernel);
  // The vector stores along its tile, and the loop around it walks along a cache line of the loads.
  EXPECT_EQ(loops.back()->loop, LoopKind::vector);
  EXPECT_EQ(kernel::constant_value(loops[loops.size() - 2]->extent), 16);
}

TEST(LoopsMap, ReshapesOfContiguousMemoryStayFlat) {
  const kernel::Kernel kernel = lowered(
      "graph @g(%x: f32[N,S,768]) -> f32[N,S,12,64] {\n %0 = reshape(%x) {shape=[N,S,12,64]} : f32[N,S,12,64]\n %1 = exp(%0) : "
      "f32[N,S,12,64]\n return %1 }");
  EXPECT_EQ(loops_of(kernel).size(), 1u) << to_text(kernel);
}

TEST(LoopsMap, ReshapeThenTranspose) {
  for (std::int64_t s : {1, 7}) {
    expect_lowering_matches(R"(graph @g(%x: f32[N,S,48], %b: f32[48]) -> f32[N,4,S,12] {
      %0 = add(%x, %b) : f32[N,S,48]
      %1 = reshape(%0) {shape=[N,S,4,12]} : f32[N,S,4,12]
      %2 = transpose(%1) {perm=[0,2,1,3]} : f32[N,4,S,12]
      return %2
    })",
                            {{"N", 3}, {"S", s}});
  }
  expect_lowering_matches(R"(graph @g(%x: f32[2,6,10]{0,2,1}) -> f32[4,30] {
    %0 = reshape(%x) {shape=[4,30]} : f32[4,30]
    return %0
  })");
}

TEST(LoopsMap, SliceExpandPad) {
  expect_lowering_matches(R"(graph @g(%x: f32[6,9]) -> f32[3,4] {
    %0 = slice(%x) {starts=[1,8], sizes=[3,4], steps=[2,-2]} : f32[3,4]
    return %0
  })");
  expect_lowering_matches("graph @g(%x: f32[1,3,1]) -> f32[4,3,5] {\n %0 = expand(%x) {shape=[4,3,5]} : f32[4,3,5]\n return %0 }");
  for (const char* mode : {"constant", "edge", "reflect"}) {
    expect_lowering_matches(std::string("graph @g(%x: f32[4,5]) -> f32[7,9] {\n %0 = pad(%x) {begins=[1,3], ends=[2,1], mode=\"") + mode +
                            "\"} : f32[7,9]\n return %0 }");
  }
  expect_lowering_matches(
      "graph @g(%x: f32[N,5], %v: f32[]) -> f32[N+3,6] {\n %0 = pad(%x, %v) {begins=[1,0], ends=[2,1]} : f32[N+3,6]\n return %0 }",
      {{"N", 4}});
  expect_lowering_matches("graph @g(%x: f32[4,5]) -> f32[3,4] {\n %0 = pad(%x) {begins=[-1,0], ends=[0,-1]} : f32[3,4]\n return %0 }");
}

TEST(LoopsMap, Gathers) {
  expect_lowering_matches(R"(graph @g(%table: f32[11,24], %ids: i64[2,5]) -> f32[2,5,24] {
    %0 = gather(%table, %ids) {axis=0} : f32[2,5,24]
    return %0
  })",
                          {}, {{"ids", {-11, 10}}});
  expect_lowering_matches(R"(graph @g(%x: f32[3,7,4], %ids: i32[S]) -> f32[3,S,4] {
    %0 = gather(%x, %ids) {axis=1} : f32[3,S,4]
    return %0
  })",
                          {{"S", 5}}, {{"ids", {-7, 6}}});
  expect_lowering_matches(R"(graph @g(%x: f32[5,6], %ids: i64[5,3]) -> f32[5,3] {
    %0 = gather_elements(%x, %ids) {axis=1} : f32[5,3]
    return %0
  })",
                          {}, {{"ids", {-6, 5}}});
}

TEST(LoopsMap, GatherOutOfRangeIsNoticed) {
  const WrappedGroup group =
      wrap_group("graph @g(%table: f32[4,3], %ids: i64[2]) -> f32[2,3] {\n %0 = gather(%table, %ids) {axis=0} : f32[2,3]\n return %0 }");
  const kernel::Kernel kernel = lower_to_loops(*group.node, {});
  for (std::int64_t bad : {4, -5}) {
    std::vector<Tensor> inputs = {Tensor(DType::f32, {4, 3}), Tensor::of<std::int64_t>(DType::i64, {2}, {0, bad})};
    std::vector<Tensor> buffers = kernel_buffers(group.region(), inputs, {});
    EXPECT_THROW(interpret(kernel, buffers, {}), CheckFailed);
  }
}

TEST(LoopsMap, ConcatPieces) {
  expect_lowering_matches(R"(graph @g(%a: f32[2,3,4], %b: f32[2,1,4], %c: f32[2,5,4]) -> f32[2,9,4] {
    %0 = neg(%b) : f32[2,1,4]
    %1 = concat(%a, %0, %c) {axis=1} : f32[2,9,4]
    %2 = relu(%1) : f32[2,9,4]
    return %2
  })");
  for (std::int64_t n : {1, 3000}) {
    expect_lowering_matches(
        "graph @g(%a: f32[N,4], %b: f32[7,4], %c: f32[N,4]) -> f32[2*N+7,4] {\n %0 = concat(%a, %b, %c) {axis=0} : f32[2*N+7,4]\n return "
        "%0 }",
        {{"N", n}});
  }
  // The concat's last part read at another index than the result's.
  expect_lowering_matches(R"(graph @g(%a: f32[2,3], %b: f32[2,4]) -> f32[2,7] {
    %0 = concat(%a, %b) {axis=1} : f32[2,7]
    %1 = slice(%0) {starts=[0,6], sizes=[2,7], steps=[1,-1]} : f32[2,7]
    %2 = add(%1, %0) : f32[2,7]
    return %2
  })");
}

TEST(LoopsMap, ConcatPiecesHaveNoSelects) {
  const kernel::Kernel kernel =
      lowered("graph @g(%a: f32[2,3], %b: f32[2,4]) -> f32[2,7] {\n %0 = concat(%a, %b) {axis=1} : f32[2,7]\n return %0 }");
  EXPECT_EQ(to_text(kernel).find('?'), std::string::npos) << to_text(kernel);
}

TEST(LoopsMap, OtherTypes) {
  expect_lowering_matches(R"(graph @g(%x: f32[40], %y: f32[40]) -> bool[40] {
    %0 = less(%x, %y) : bool[40]
    %1 = logical_not(%0) : bool[40]
    return %1
  })");
  expect_lowering_matches(R"(graph @g(%c: bool[3,20], %a: i64[3,20], %b: i64[20]) -> i64[3,20] {
    %0 = where(%c, %a, %b) : i64[3,20]
    %1 = mul(%0, %b) : i64[3,20]
    return %1
  })");
  expect_lowering_matches("graph @g(%x: f16[50], %y: f16[50]) -> f16[50] {\n %0 = mul(%x, %y) : f16[50]\n return %0 }");
  expect_lowering_matches("graph @g(%x: f32[50]) -> i32[50] {\n %0 = cast(%x) {to=i32} : i32[50]\n return %0 }", {}, {{"x", {-4e9, 4e9}}});
  expect_lowering_matches("graph @g(%x: i64[50]) -> f16[50] {\n %0 = cast(%x) {to=f16} : f16[50]\n return %0 }");
  expect_lowering_matches("graph @g(%a: i32[60], %b: i32[60]) -> i32[60] {\n %0 = div(%a, %b) : i32[60]\n return %0 }", {},
                          {{"b", {1, 5}}});
  expect_lowering_matches("graph @g(%a: i32[60], %b: i32[60]) -> i32[60] {\n %0 = mod(%a, %b) : i32[60]\n return %0 }", {},
                          {{"b", {1, 5}}});
}

TEST(LoopsMap, Generators) {
  expect_lowering_matches("graph @g() -> i64[3,5] {\n %0 = iota() {shape=[3,5], axis=1, dtype=i64} : i64[3,5]\n return %0 }");
  expect_lowering_matches(
      "graph @g(%x: f32[N]) -> f32[N] {\n %0 = iota() {shape=[N], axis=0, dtype=f32} : f32[N]\n %1 = mul(%0, %x) : f32[N]\n return %1 }",
      {{"N", 19}});
}

TEST(LoopsMap, SeveralResults) {
  expect_lowering_matches(R"(graph @g(%x: f32[6,10], %y: f32[10]) -> (f32[6,10]{1,0}, f32[6,10], bool[6,10]) {
    %0 = add(%x, %y) : f32[6,10]{1,0}
    %1 = exp(%0) : f32[6,10]
    %2 = greater(%0, %1) : bool[6,10]
    return %0, %1, %2
  })");
}

TEST(LoopsMap, ResultsOfDifferentShapesAreRefused) {
  const WrappedGroup group = wrap_group(
      "graph @g(%x: f32[6], %y: f32[1]) -> (f32[6], f32[1]) {\n %0 = exp(%x) : f32[6]\n %1 = exp(%y) : f32[1]\n return %0, %1 }");
  EXPECT_THROW(lower_to_loops(*group.node, {}), std::logic_error);
}

/// An image's channels are too few to fill an access to memory: several pixels are stored at once.
TEST(LoopsMap, ImagesToChannelsLast) {
  for (const char* size : {"16,32", "7,8", "5,7", "H,16"}) {
    expect_lowering_matches(fmt::format("graph @g(%x: f32[2,3,{0}]) -> f16[2,3,{0}]{{0,2,3,1}} {{\n %0 = cast(%x) {{to=f16}} : f16[2,3,{0}]\n"
                                        " %1 = convert_layout(%0) {{layout=[0,2,3,1]}} : f16[2,3,{0}]{{0,2,3,1}}\n return %1 }}",
                                        size),
                            {{"H", 6}});
  }
}

/// Known steps and zero points: GPUs divide and convert in their own way, to the same integers, and saturate beyond.
TEST(LoopsMap, Quantizations) {
  for (const char* type : {"u8", "i8"}) {
    for (const char* step : {"0.018098693", "0.5", "1"}) {
      expect_lowering_matches(fmt::format("graph @g(%x: f32[3,1000]) -> {0}[3,1000] {{\n %s = const [{1}] : f32[]\n %z = const [3] : {0}[]\n"
                                          " %0 = quantize(%x, %s, %z) {{to={0}}} : {0}[3,1000]\n return %0 }}",
                                          type, step),
                              {}, {{"x", {-200.0, 200.0}}});
      expect_lowering_matches(fmt::format("graph @g(%q: {0}[3,1000]) -> f32[3,1000] {{\n %s = const [{1}] : f32[]\n %z = const [3] : {0}[]\n"
                                          " %0 = dequantize(%q, %s, %z) : f32[3,1000]\n return %0 }}",
                                          type, step));
    }
  }
}

}  // namespace
}  // namespace intaglio::testing
