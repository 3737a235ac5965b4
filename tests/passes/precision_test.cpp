// The user's exceptions from a precision, and random graphs in 16-bit floats.
#include <gtest/gtest.h>

#include "case.h"
#include "passes/passes.h"
#include "support/diagnostics.h"

namespace intaglio::test {
namespace {

constexpr const char* kNetwork = R"(
graph @main(%x: f32[N,4]) -> f32[N,4] {
  %w = const random(seed=1) : f32[4,4]
  %v = const random(seed=2) : f32[4,4]
  %big = const [1e6, 1, 2, -1e9] : f32[4]
  %first = matmul(%x, %w) : f32[N,4]
  %scale = mul(%first, %big) : f32[N,4]
  %second = matmul(%scale, %v) : f32[N,4]
  return %second
}
)";

std::unique_ptr<Graph> network() {
  auto graph = std::move(parse_graphs(kNetwork, "network").front());
  for (Node* node : graph->nodes()) {
    if (!node->is("const")) node->origins = {"layer/" + node->result()->name};
  }
  return graph;
}

/// The dtypes of the three nodes' results, in the order of the network.
std::string converted(const PassContext& context) {
  const auto graph = network();
  convert_precision(*graph, context);
  verify(*graph);
  std::string dtypes;
  for (const Node* node : graph->nodes()) {
    if (node->is("matmul") || node->is("mul")) dtypes += std::string(dtype_name(node->result()->type.dtype)) + " ";
  }
  return dtypes;
}

TEST(LayerPrecision, KeepsTheNodesThatItNames) {
  EXPECT_EQ(converted({.precision = DType::f16}), "f16 f16 f16 ");
  EXPECT_EQ(converted({.precision = DType::f16, .layer_precision = {{"layer/s*", DType::f32}}}), "f16 f32 f32 ");
  EXPECT_EQ(converted({.layer_precision = {{"*/second", DType::bf16}}}), "f32 f32 bf16 ");
}

TEST(LayerPrecision, LastEntryCounts) {
  const std::vector<LayerPrecision> layers{{"layer/*", DType::f32}, {"layer/first", DType::bf16}};
  EXPECT_EQ(converted({.precision = DType::f16, .layer_precision = layers}), "bf16 f32 f32 ");
}

TEST(LayerPrecision, RefusesWhatIsComputedAsOneInTwoPrecisions) {
  const auto graph = network();
  graph->nodes("mul")[0]->origins = {"a", "b"};
  const PassContext context{.precision = DType::f16, .layer_precision = {{"a", DType::f32}, {"b", DType::f16}}};
  try {
    convert_precision(*graph, context);
    FAIL() << "two precisions for one node";
  } catch (const CompileError& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid);
    EXPECT_NE(std::string(error.what()).find("'a' and 'b' are computed as one"), std::string::npos) << error.what();
  }
}

TEST(LayerPrecision, RefusesNamesThatComputeNoFloats) {
  const auto graph = network();
  try {
    convert_precision(*graph, {.layer_precision = {{"folded/*", DType::f32}}});
    FAIL() << "nothing to convert";
  } catch (const CompileError& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid);
  }
}

TEST(LayerPrecision, KeepsMatmulsOfDifferentPrecisionsApart) {
  auto graph = std::move(parse_graphs(R"(
graph @main(%x: f32[N,5,4]) -> f32[N,5,5] {
  %w = const random(seed=1) : f32[4,3]
  %v = const random(seed=2) : f32[4,3]
  %q = matmul(%x, %w) : f32[N,5,3]
  %k = matmul(%x, %v) : f32[N,5,3]
  %t = transpose(%k) {perm=[0,2,1]} : f32[N,3,5]
  %0 = matmul(%q, %t) : f32[N,5,5]
  return %0
}
)",
                                      "heads")
                             .front());
  for (Node* node : graph->nodes("matmul")) node->origins = {node->result()->name};
  EXPECT_FALSE(merge_matmuls(*graph, {.layer_precision = {{"q", DType::f32}, {"k", DType::f16}}}));
  EXPECT_TRUE(merge_matmuls(*graph, {.layer_precision = {{"q", DType::f32}, {"k", DType::f32}}}));
}

TEST(ConvertPrecision, ReportsConstantsThatSaturate) {
  std::string said;
  converted({.precision = DType::f16, .report = [&](const std::string& what) { said += what; }});
  EXPECT_NE(said.find("2 of 4 elements"), std::string::npos) << said;
  said.clear();
  converted({.precision = DType::bf16, .report = [&](const std::string& what) { said += what; }});
  EXPECT_EQ(said, "");
}

}  // namespace
}  // namespace intaglio::test
