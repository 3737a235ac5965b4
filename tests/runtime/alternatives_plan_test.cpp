// Plans whose steps have several kernels, whole and damaged.
#include <gtest/gtest.h>

#include "artifacts.h"
#include "plans.h"

namespace intaglio::test {
namespace {

/// The first step has a second kernel, for sizes up to 100; it is the same one.
std::string refusal(const std::function<void(PlannedStep&)>& change) {
  return refusal_of_plan(perceptron_text(), {}, [&](Plan& plan) {
    PlannedStep& step = plan.steps.at(0);
    step.kernels.insert(step.kernels.begin(), step.kernels.at(0));
    step.kernels[0].up_to = 100;
    change(step);
  });
}

TEST(AlternativesPlan, AWholeOneIsAccepted) {
  const std::string text = refusal([](PlannedStep&) {});
  EXPECT_EQ(text.find("plan is malformed"), std::string::npos) << text;
}

TEST(AlternativesPlan, DamagedOnesAreRefused) {
  const std::vector<std::pair<std::string, std::function<void(PlannedStep&)>>> cases{
      {"a step's kernel", [](PlannedStep& step) { step.kernels[1].kernel = 1000; }},
      {"the order of a step's kernels", [](PlannedStep& step) { std::swap(step.kernels[0].up_to, step.kernels[1].up_to); }},
      {"the order of a step's kernels", [](PlannedStep& step) { step.kernels[0].up_to = kAnySize; }},
      {"a step without a kernel for large sizes", [](PlannedStep& step) { step.kernels[1].up_to = 1000; }},
      {"a step's kind", [](PlannedStep& step) { step.kernels.clear(); }},
  };
  for (const auto& [what, change] : cases) {
    const std::string text = refusal(change);
    EXPECT_NE(text.find("the artifact's plan is malformed: " + what), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace intaglio::test
