// See stages.h.
#include "driver/stages.h"

#include <algorithm>
#include <filesystem>

#include "support/diagnostics.h"

namespace intaglio {

std::span<const Pass> passes_of(Stage stage) {
  const auto all = pipeline();
  const auto middle = std::ranges::find(all, std::string_view("insert_quantization"), &Pass::name);
  internal_check(middle != all.end(), "the pipeline has lost its middle");
  const auto count = static_cast<std::size_t>(middle - all.begin());
  return stage == Stage::simplify ? all.first(count) : all.subspan(count);
}

std::vector<LoweredGraph> lower_for_targets(const Graph& graph, const CodegenOptions& codegen, const PassContext& context, const RunnerOptions& runner) {
  std::vector<LoweredGraph> lowered = for_each_backend(graph, codegen);
  for (const auto& [backend, copy] : lowered) {
    PassContext of_target = context;
    of_target.target = backend->traits();
    // What one target is told of, the next would be told again.
    if (&copy != &lowered.front().graph) of_target.report = {};
    RunnerOptions options = runner;
    options.first_number += static_cast<int>(passes_of(Stage::simplify).size());
    if (lowered.size() > 1 && !runner.dump_folder.empty()) options.dump_folder = std::filesystem::path(runner.dump_folder) / backend->variant();
    run_passes(*copy, passes_of(Stage::lower), of_target, options);
  }
  return lowered;
}

}  // namespace intaglio
