// The chores around passes: skip, verify, dump.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "passes/passes.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

namespace fs = std::filesystem;

std::unique_ptr<Graph> parse(const std::string& text) { return std::move(parse_graphs(text, "test").front()); }

std::unique_ptr<Graph> graph_with_dead_node() {
  return parse("graph @main(%x: f32[N]) -> f32[N] {\n  %0 = exp(%x) : f32[N]\n  %1 = neg(%x) : f32[N]\n  return %1\n}\n");
}

const Pass kDead{"eliminate_dead", eliminate_dead, 1};

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

/// A folder that goes away with the test.
class DumpFolder : public testing::Test {
 protected:
  void SetUp() override { fs::remove_all(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path folder_ = fs::path(INTAGLIO_BINARY_DIR) / "pass_dumps" / testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST(Runner, RunsPasses) {
  const auto graph = graph_with_dead_node();
  run_passes(*graph, std::span(&kDead, 1), PassContext{}, RunnerOptions{});
  EXPECT_EQ(graph->node_count(), 1U);
}

TEST(Runner, SkipsDisabledPasses) {
  const auto graph = graph_with_dead_node();
  RunnerOptions options;
  options.disabled.insert("eliminate_dead");
  run_passes(*graph, std::span(&kDead, 1), PassContext{}, options);
  EXPECT_EQ(graph->node_count(), 2U);
}

TEST(Runner, SkipsPassesOfHigherLevels) {
  const auto graph = graph_with_dead_node();
  run_passes(*graph, std::span(&kDead, 1), PassContext{.optimization_level = 0}, RunnerOptions{});
  EXPECT_EQ(graph->node_count(), 2U);
}

TEST(Runner, VerifiesAfterEachPass) {
  const Pass breaks{"breaks",
                    [](Graph& graph, const PassContext&) {
                      graph.nodes().front()->result()->type.dtype = DType::i32;
                      return true;
                    },
                    0};
  const auto graph = graph_with_dead_node();
  RunnerOptions options;
  options.verify_each = true;
  EXPECT_THROW(run_passes(*graph, std::span(&breaks, 1), PassContext{}, options), InternalError);
}

TEST_F(DumpFolder, HoldsOneFileForEachPass) {
  const auto graph = graph_with_dead_node();
  const Pass twice[] = {kDead, kDead};
  RunnerOptions options;
  options.dump_folder = folder_.string();
  run_passes(*graph, twice, PassContext{}, options);
  EXPECT_EQ(read(folder_ / "01-eliminate_dead.ir"), to_text(*graph));
  EXPECT_EQ(read(folder_ / "02-eliminate_dead.ir"), "(unchanged)\n");
}

TEST_F(DumpFolder, ThatCannotBeCreatedIsAnEnvironmentError) {
  fs::create_directories(folder_);
  std::ofstream(folder_ / "file") << "in the way";
  const auto graph = graph_with_dead_node();
  RunnerOptions options;
  options.dump_folder = (folder_ / "file" / "dumps").string();
  try {
    run_passes(*graph, std::span(&kDead, 1), PassContext{}, options);
    FAIL() << "no error";
  } catch (const CompileError& error) {
    EXPECT_EQ(error.code(), ErrorCode::environment);
  }
}

TEST(Pipeline, FindsItsPassesByName) {
  for (const Pass& pass : pipeline()) EXPECT_EQ(find_pass(pass.name)->run, pass.run) << pass.name;
  EXPECT_EQ(find_pass("no_such_pass"), nullptr);
}

}  // namespace
}  // namespace intaglio
