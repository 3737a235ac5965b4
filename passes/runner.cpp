// Runs passes and does the chores around each of them once: skip, time, verify, print, dump.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "passes/pass.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

struct Timing {
  std::string_view name;
  double milliseconds;
  bool changed;
};

void write_dump(const std::filesystem::path& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) {
    throw CompileError(
        ErrorCode::environment,
        Diagnostic{path.string(), "cannot write the dump of a pass", "a folder that can be written to", {}, "check --dump-ir"});
  }
}

void create_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) {
    throw CompileError(ErrorCode::environment,
                       Diagnostic{folder, "cannot create the folder for dumps: " + error.message(), {}, {}, "check --dump-ir"});
  }
}

/// The graph's text, or a note that nothing happened.
std::string dump_text(const Graph& graph, bool changed) { return changed ? to_text(graph) : std::string("(unchanged)\n"); }

void print_timings(const std::vector<Timing>& timings) {
  double total = 0;
  for (const Timing& timing : timings) {
    fmt::print(stderr, "{:>9.2f} ms  {}{}\n", timing.milliseconds, timing.name, timing.changed ? "" : "  (unchanged)");
    total += timing.milliseconds;
  }
  fmt::print(stderr, "{:>9.2f} ms  all passes\n", total);
}

bool is_skipped(const Pass& pass, const PassContext& context, const RunnerOptions& options) {
  return pass.level > context.optimization_level || options.disabled.contains(pass.name);
}

}  // namespace

void run_passes(Graph& graph, std::span<const Pass> passes, const PassContext& context, const RunnerOptions& options) {
  if (!options.dump_folder.empty()) create_folder(options.dump_folder);
  std::vector<Timing> timings;
  int number = options.first_number - 1;
  for (const Pass& pass : passes) {
    ++number;
    if (is_skipped(pass, context, options)) continue;
    const auto start = std::chrono::steady_clock::now();
    const bool changed = pass.run(graph, context);
    const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
    timings.push_back({pass.name, elapsed.count(), changed});

    if (options.verify_each) verify(graph);
    if (options.print_after.contains(pass.name)) fmt::print(stderr, "// after {}\n{}", pass.name, dump_text(graph, changed));
    if (!options.dump_folder.empty()) {
      write_dump(std::filesystem::path(options.dump_folder) / fmt::format("{:02}-{}.ir", number, pass.name), dump_text(graph, changed));
    }
  }
  verify(graph);
  if (options.time_passes) print_timings(timings);
}

}  // namespace intaglio
