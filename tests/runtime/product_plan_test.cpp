// Plans with products for cuBLASLt, whole and damaged: they are checked before any device is asked for.
#include <gtest/gtest.h>

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "artifacts.h"
#include "codegen/backend.h"
#include "codegen/plan.h"
#include "intaglio/artifact.h"
#include "passes/pass.h"

namespace intaglio::test {
namespace {

/// What is said of an artifact whose plan is that of products on a GPU, `change`d.
std::string refusal(const std::function<void(Plan&)>& change) {
  static const Artifact artifact(perceptron_text());
  const auto graph = std::move(parse_graphs(perceptron_text(), "test").front());
  run_passes(*graph, pipeline(), {}, {});
  CodegenOptions options;
  options.targets = {"cuda"};
  options.enabled_tactics = {"cublaslt"};
  WeightStore weights;
  Plan plan = make_plan(*graph, *make_backends(options).front(), weights);
  change(plan);
  Entries entries = unpack(artifact.bytes());
  std::string& bytes = entry(entries, INTAGLIO_PLAN_NAME);
  bytes = serialize_plan(*graph, plan, {});
  std::string& text = entry(entries, INTAGLIO_MANIFEST_NAME);
  auto manifest = nlohmann::ordered_json::parse(text);
  manifest["variants"][0]["plan_xxh64"] = fmt::format("{:016x}", XXH64(bytes.data(), bytes.size(), 0));
  text = manifest.dump(1);
  return load(pack(entries)).text;
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
