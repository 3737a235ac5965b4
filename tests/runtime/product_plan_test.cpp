// Plans with products for cuBLASLt, whole and damaged: they are checked before any device is asked for.
#include <gtest/gtest.h>

#include "artifacts.h"
#include "plans.h"

namespace intaglio::test {
namespace {

/// What is said of an artifact whose plan is that of products on a GPU, `change`d.
std::string refusal(const std::function<void(Plan&)>& change) {
  CodegenOptions options;
  options.targets = {"cuda"};
  options.enabled_tactics = {"cublaslt"};
  return refusal_of_plan(perceptron_text(), options, change);
}

LibraryProduct& product(Plan& plan) { return plan.kernels.at(0).product.value(); }

// Then the code is found to be that of another plan.
TEST(ProductPlan, AWholeOneIsAccepted) {
  const std::string text = refusal([](Plan& plan) { EXPECT_TRUE(product(plan).relu); });
  EXPECT_EQ(text.find("plan is malformed"), std::string::npos) << text;
}

TEST(ProductPlan, DamagedOnesAreRefused) {
  const std::vector<std::pair<std::string, std::function<void(Plan&)>>> cases{
      {"the buffer of a matrix", [](Plan& plan) { product(plan).a.buffer = 3; }},
      {"the buffer of a matrix", [](Plan& plan) { product(plan).c = ProductMatrix{.buffer = -1, .dtype = DType::f32}; }},
      {"the dtype of a matrix", [](Plan& plan) { product(plan).b.dtype = DType::i8; }},
      {"the dtype of a matrix", [](Plan& plan) { product(plan).bias = ProductMatrix{.buffer = 0, .dtype = DType::f64}; }},
      {"the workspace of a product", [](Plan& plan) { plan.steps[0].workspace = -1; }},
      {"the workspace of a product", [](Plan& plan) { plan.steps[0].workspace = static_cast<int>(plan.buffers.size()); }},
      {"the workspace of a product", [](Plan& plan) { plan.steps[0].workspace = static_cast<int>(plan.input_buffers[0]); }},
  };
  for (const auto& [what, change] : cases) {
    const std::string text = refusal(change);
    EXPECT_NE(text.find("the artifact's plan is malformed: " + what), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace intaglio::test
