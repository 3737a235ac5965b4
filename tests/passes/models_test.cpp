// The IR of whole models: as imported and after the pipeline it verifies, and its text is read back as the same graph.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "frontend/onnx/import.h"
#include "ir/graph.h"
#include "passes/passes.h"

namespace intaglio::test {
namespace {

namespace fs = std::filesystem;

/// The model of this repository, and those that scripts/models.sh exported where INTAGLIO_MODELS names their folder.
std::vector<std::string> models() {
  std::vector<std::string> paths{INTAGLIO_SOURCE_DIR "/models/resnet50-cifar10.onnx"};
  if (const char* folder = std::getenv("INTAGLIO_MODELS")) {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".onnx") paths.push_back(entry.path());
    }
  }
  return paths;
}

void expect_round_trip(const Graph& graph) {
  verify(graph);
  const std::string text = to_text(graph);
  const auto again = parse_graphs(text, "model", constant_table(graph));
  ASSERT_EQ(again.size(), 1u);
  verify(*again.front());
  EXPECT_EQ(to_text(*again.front()), text);
  std::string why;
  EXPECT_TRUE(structurally_equal(graph, *again.front(), &why)) << why;
}

TEST(Models, TextIsReadBackAsTheSameGraph) {
  for (const std::string& path : models()) {
    SCOPED_TRACE(path);
    const auto graph = import_onnx(path);
    expect_round_trip(*graph);
    for (const int level : {0, 2}) {
      SCOPED_TRACE(level);
      const auto optimized = import_onnx(path);
      run_passes(*optimized, pipeline(), PassContext{.optimization_level = level}, RunnerOptions{});
      expect_round_trip(*optimized);
    }
  }
}

}  // namespace
}  // namespace intaglio::test
