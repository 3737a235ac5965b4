// intaglio run

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <numeric>

#include "support/diagnostics.h"
#include "support/elements.h"
#include "support/files.h"
#include "tools/commands.h"
#include "tools/inputs.h"
#include "driver/npy.h"

namespace intaglio {
namespace {

struct Flags {
  std::string artifact, output, expect, labels;
  InputOptions inputs;
  double rtol = 1e-3, atol = 1e-5;
  int print_top = 0, threads = 0, device = INTAGLIO_DEVICE_BEST;
};

std::vector<std::string> read_labels(const std::string& path) {
  std::vector<std::string> labels;
  if (path.empty()) return labels;
  const std::string text = read_file(path);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    labels.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return labels;
}

/// The largest entries of each row of the first output.
void print_top(const Tensor& scores, int count, const std::vector<std::string>& labels) {
  if (scores.rank() == 0) throw CompileError(ErrorCode::invalid, Diagnostic{"--print-top", "the first output has no rows", "an output [..,classes]", "a scalar"});
  const std::int64_t classes = scores.shape().back();
  const std::int64_t rows = classes ? scores.elements() / classes : 0;
  std::vector<std::int64_t> order(static_cast<std::size_t>(classes));
  for (std::int64_t row = 0; row < rows; ++row) {
    std::iota(order.begin(), order.end(), std::int64_t{0});
    const auto best = order.begin() + std::min<std::int64_t>(count, classes);
    std::partial_sort(order.begin(), best, order.end(), [&](std::int64_t a, std::int64_t b) { return get_real(scores, row * classes + a) > get_real(scores, row * classes + b); });
    std::string line = fmt::format("{}:", row);
    for (auto at = order.begin(); at != best; ++at) {
      const bool named = static_cast<std::size_t>(*at) < labels.size();
      line += fmt::format(" {} ({:.4f})", named ? labels[static_cast<std::size_t>(*at)] : std::to_string(*at), get_real(scores, row * classes + *at));
    }
    std::puts(line.c_str());
  }
}

/// True if `got` equals what is expected within the tolerances; tells where it differs most.
bool matches(const std::string& name, const Tensor& got, const Tensor& expected, double rtol, double atol) {
  if (got.dtype() != expected.dtype() || got.shape() != expected.shape()) {
    fmt::print("{}: expected {}[{}], got {}[{}]\n", name, dtype_name(expected.dtype()), fmt::join(expected.shape(), ","), dtype_name(got.dtype()), fmt::join(got.shape(), ","));
    return false;
  }
  std::int64_t worst = -1, outside = 0;
  double largest = -1;
  for (std::int64_t i = 0; i < got.elements(); ++i) {
    const double a = get_real(got, i), b = get_real(expected, i);
    if (a == b || (std::isnan(a) && std::isnan(b))) continue;
    const double difference = std::fabs(a - b);
    outside += !(difference <= atol + rtol * std::fabs(b));
    if (!(difference <= largest)) {
      largest = difference;
      worst = i;
    }
  }
  fmt::print("{}: {} of {} elements differ by more than {} + {} * |expected|", name, outside, got.elements(), atol, rtol);
  if (worst >= 0) fmt::print("; the largest difference is {:.3g} at element {}: expected {}, got {}", largest, worst, get_real(expected, worst), get_real(got, worst));
  fmt::print("\n");
  return outside == 0;
}

bool matches_expectation(const std::map<std::string, Tensor>& outputs, const Flags& flags) {
  bool all = true;
  for (const auto& [name, expected] : read_npz(flags.expect)) {
    const auto found = outputs.find(name);
    if (found == outputs.end()) throw CompileError(ErrorCode::invalid, Diagnostic{flags.expect, fmt::format("the model has no output '{}'", name)});
    all &= matches(name, found->second, expected, flags.rtol, flags.atol);
  }
  return all;
}

bool run(const Flags& flags) {
  const Model model(flags.artifact, flags.device);
  const std::vector<Tensor> inputs = make_inputs(model, flags.inputs);
  Context context(model, flags.threads);
  context.bind(runtime_tensors(inputs));
  const std::vector<Tensor> outputs = make_outputs(model, context);
  auto places = runtime_tensors(outputs);
  context.run(places);

  std::map<std::string, Tensor> named;
  const auto ports = model.outputs();
  for (std::size_t i = 0; i < ports.size(); ++i) named[ports[i].name] = outputs[i];
  if (!flags.output.empty()) write_npz(flags.output, named);
  if (flags.print_top > 0) print_top(outputs.at(0), flags.print_top, read_labels(flags.labels));
  return flags.expect.empty() || matches_expectation(named, flags);
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("run", "Runs an artifact once.");
  auto flags = std::make_shared<Flags>();
  command->add_option("artifact", flags->artifact, "what `compile` wrote")->required();
  command->add_option("--input", flags->inputs.files, "data.npy, NAME=data.npy or data.npz; repeatable")->group("Input");
  command->add_option("--fill", flags->inputs.fill, "inputs without a file")->check(CLI::IsMember({"random", "zeros", "ones"}))->capture_default_str()->group("Input");
  command->add_option("--seed", flags->inputs.seed, "of the random fill")->capture_default_str()->group("Input");
  command->add_option("--shapes", flags->inputs.shapes, "of filled inputs whose dimensions are symbolic (else 1)")->group("Input");
  command->add_option("--output", flags->output, "writes the outputs to a .npz file")->group("Output");
  command->add_option("--expect", flags->expect, "compares with a .npz file; exit code 1 if they differ")->group("Output");
  command->add_option("--rtol", flags->rtol, "relative tolerance of --expect")->capture_default_str()->group("Output");
  command->add_option("--atol", flags->atol, "absolute tolerance of --expect")->capture_default_str()->group("Output");
  command->add_option("--print-top", flags->print_top, "prints the N largest entries of each row of the first output")->group("Output");
  command->add_option("--labels", flags->labels, "names for --print-top, one a line")->group("Output");
  command->add_option("--threads", flags->threads, "threads to use; 0: all cores")->capture_default_str()->check(CLI::Range(0, INTAGLIO_MAX_THREADS))->group("Execution");
  add_device_option(*command, flags->device);
  command->footer("Example: intaglio run resnet50.tar --input images.npy --print-top 1 --labels classes.txt");
  command->callback([flags, &exit_code] { exit_code = run(*flags) ? 0 : static_cast<int>(ErrorCode::differs); });
}

}  // namespace intaglio
