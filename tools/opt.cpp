// intaglio opt: runs passes on the text form of graphs.

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

#include "ir/graph.h"
#include "passes/pass.h"
#include "support/diagnostics.h"
#include "support/files.h"
#include "tools/commands.h"

namespace intaglio {
namespace {

struct Flags {
  std::string file;
  std::vector<std::string> passes;
  RunnerOptions runner;
};

void opt(Flags& flags) {
  std::vector<Pass> passes;
  for (const std::string& name : flags.passes) {
    const Pass* pass = find_pass(name);
    if (!pass) throw CompileError(ErrorCode::usage, Diagnostic{"--passes", fmt::format("no pass is named '{}'", name), "a pass of docs/passes.md", name});
    passes.push_back(*pass);
  }
  flags.runner.verify_each = true;
  PrintOptions print;
  print.constant_elements = 1 << 20;  // what was read must be written: there is no file beside the text
  for (const auto& graph : parse_graphs(read_file(flags.file), flags.file)) {
    run_passes(*graph, passes, {}, flags.runner);
    std::fputs(to_text(*graph, print).c_str(), stdout);
  }
}

}  // namespace

void add_opt(CLI::App& app) {
  auto* command = app.add_subcommand("opt", "Runs passes on the text form of graphs (for people who work on the compiler).");
  auto flags = std::make_shared<Flags>();
  command->add_option("file", flags->file, "a file of graphs in text form")->required();
  command->add_option("--passes", flags->passes, "names of passes, joined by commas")->delimiter(',')->group("Passes");
  command->add_flag("--time-passes", flags->runner.time_passes, "tells how long each pass took")->group("Passes");
  command->footer("Example: intaglio opt graph.ir --passes=fold_batch_norm,fold_constants,eliminate_dead");
  command->callback([flags] { opt(*flags); });
}

}  // namespace intaglio
