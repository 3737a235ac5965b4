// The whole pipeline on one small network: what kernels come out at each level, where they came from, and that the numbers stay.
#include <gtest/gtest.h>

#include <algorithm>

#include "case.h"
#include "ir/view.h"
#include "passes/passes.h"

namespace intaglio::test {
namespace {

constexpr const char* kNetwork = R"(
graph @main(%x: f32[N,3,6,6]) -> f32[N,5] {
  %w = const random(seed=1) : f32[4,3,3,3]
  %v = const random(seed=2) : f32[4,4,1,1]
  %g = const random(seed=3, min=0.5) : f32[4]
  %f = const random(seed=4) : f32[4,5]
  %b = const random(seed=5) : f32[5]
  %0 = conv(%x, %w) {pads=[1,1,1,1]} : f32[N,4,6,6]
  %1 = batch_norm(%0, %g, %g, %g, %g) {epsilon=1e-5} : f32[N,4,6,6]
  %2 = relu(%1) : f32[N,4,6,6]
  %3 = conv(%2, %v) : f32[N,4,6,6]
  %4 = add(%3, %2) : f32[N,4,6,6]
  %5 = max_pool(%4) {kernel_shape=[2,2], strides=[2,2]} : f32[N,4,3,3]
  %6 = reduce_mean(%5) {axes=[2,3], keepdims=1} : f32[N,4,1,1]
  %7 = reshape(%6) {shape=[N, 4]} : f32[N,4]
  %8 = matmul(%7, %f) : f32[N,5]
  %9 = add(%8, %b) : f32[N,5]
  return %9
}
)";

std::unique_ptr<Graph> network() {
  auto graph = std::move(parse_graphs(kNetwork, "network").front());
  for (Node* node : graph->nodes()) {
    if (!node->is("const")) node->origins = {std::string(node->op_name()) + "/" + node->result()->name};
  }
  return graph;
}

/// The regions' names in order: the operator that each kernel is about.
std::vector<std::string> kernels(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node* node : graph.nodes("kernel")) names.push_back(node->region()->name);
  return names;
}

std::unique_ptr<Graph> run_pipeline(int level) {
  auto graph = network();
  RunnerOptions options;
  options.verify_each = true;
  run_passes(*graph, pipeline(), PassContext{.optimization_level = level}, options);
  return graph;
}

class Pipeline : public testing::TestWithParam<int> {};

TEST_P(Pipeline, KeepsTheNumbers) {
  const auto before = network();
  const auto after = run_pipeline(GetParam());
  for (const auto& binding : bindings(*before)) {
    const auto inputs = random_inputs(*before, binding, 7);
    EXPECT_EQ(first_difference(evaluate(*before, inputs), evaluate(*after, inputs), 1e-5), "");
  }
}

TEST_P(Pipeline, LeavesConstantsViewsAndKernels) {
  const auto graph = run_pipeline(GetParam());
  for (const Node* node : graph->nodes()) EXPECT_TRUE(node->is("const") || node->is("kernel") || is_view(*node)) << node->op_name();
}

TEST_P(Pipeline, NamesEveryNodeThatAKernelCameFrom) {
  const auto before = network();
  const auto after = run_pipeline(GetParam());
  Origins expected;
  for (const Node* node : before->nodes()) expected = merge(expected, node->origins);
  Origins found;
  for (const Node* node : after->nodes()) {
    if (!node->is("const")) found = merge(found, node->origins);
  }
  std::sort(expected.begin(), expected.end());
  std::sort(found.begin(), found.end());
  EXPECT_EQ(found, expected);
}

INSTANTIATE_TEST_SUITE_P(Levels, Pipeline, testing::Values(0, 1, 2));

TEST(PipelineKernels, AreFusedByDefault) {
  EXPECT_EQ(kernels(*run_pipeline(2)), (std::vector<std::string>{"convert_layout", "conv", "conv", "max_pool", "reduce_mean", "matmul"}));
}

TEST(PipelineKernels, AreSingleNodesWithoutOptimization) {
  EXPECT_EQ(kernels(*run_pipeline(0)),
            (std::vector<std::string>{"conv", "batch_norm", "relu", "conv", "add", "max_pool", "reduce_mean", "matmul", "add"}));
}

}  // namespace
}  // namespace intaglio::test
