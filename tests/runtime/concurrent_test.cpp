// Several threads at once: each with a context of its own on one model.
#include <gtest/gtest.h>

#include <array>
#include <thread>

#include "artifacts.h"

namespace intaglio::test {
namespace {

// The pool serves one of them at a time: the others do their work themselves.
TEST(Concurrency, ContextsOfOneModelDoNotDisturbEachOther) {
  const Artifact artifact(perceptron_text());
  const Model model(artifact.path());
  constexpr int kThreads = 4, kRuns = 25;
  std::array<std::string, kThreads> differences;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        Context context(model, 1 + t % 3);
        for (int i = 0; i < kRuns && differences[static_cast<std::size_t>(t)].empty(); ++i) {
          const auto inputs = artifact.inputs(i % 2 ? 40 : 3 + t, static_cast<unsigned>(100 * t + i));
          differences[static_cast<std::size_t>(t)] = artifact.difference(inputs, run(model, context, inputs));
        }
      });
    }
  }
  for (const std::string& difference : differences) EXPECT_EQ(difference, "");
}

TEST(Concurrency, ModelsAreLoadedAndFreedWhileOthersRun) {
  const Artifact a(perceptron_text(3)), b(kConvolution);
  std::array<std::string, 2> differences;
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        const Artifact& artifact = t == 0 ? a : b;
        for (unsigned i = 0; i < 15 && differences[t].empty(); ++i) {
          const Model model(artifact.path());
          Context context(model, 2);
          const auto inputs = artifact.inputs(20, i);
          differences[t] = artifact.difference(inputs, run(model, context, inputs));
        }
      });
    }
  }
  for (const std::string& difference : differences) EXPECT_EQ(difference, "");
}

// The text of a failure belongs to the thread that failed.
TEST(Concurrency, EachThreadHasItsOwnLastError) {
  intaglio_model* model = nullptr;
  ASSERT_NE(intaglio_load("/no/such/model.tar", &model), INTAGLIO_OK);
  const std::string mine = intaglio_last_error();
  std::string before, after;
  std::jthread([&] {
    before = intaglio_last_error();
    intaglio_load("/no/other/model.tar", &model);
    after = intaglio_last_error();
  }).join();
  EXPECT_EQ(before, "");
  EXPECT_NE(after.find("/no/other/model.tar"), std::string::npos);
  EXPECT_EQ(intaglio_last_error(), mine);
}

}  // namespace
}  // namespace intaglio::test
