// See calibrate.h.
#include "driver/calibrate.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <set>
#include <thread>

#include "driver/activations.h"
#include "passes/passes.h"
#include "passes/precision_rules.h"
#include "passes/quantization_rules.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

/// How many samples the quantized graph is compared with float32 on.
constexpr std::int64_t kCompared = 64;

/// Calls body(i) for each i below `count` on all cores.
void parallel_for(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) body(i);
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 1; i < std::max(1u, std::thread::hardware_concurrency()); ++i) threads.emplace_back(work);
  work();
}

/// Gives a value a name that no other has, if it has none.
void name_value(Value& value, const std::string& stem, std::set<std::string>& taken) {
  for (int i = 0; value.name.empty(); ++i) {
    const std::string name = fmt::format("{}{}", stem, i);
    if (taken.insert(name).second) value.name = name;
  }
}

std::set<std::string> names_in(const Graph& graph) {
  std::set<std::string> names;
  for (const auto& argument : graph.arguments()) names.insert(argument->name);
  for (const Node* node : graph.nodes()) {
    for (int i = 0; i < node->result_count(); ++i) names.insert(node->result(i)->name);
  }
  return names;
}

struct Observed {
  std::map<std::string, ValueRange> ranges;
  std::int64_t samples = 0;
  std::int64_t not_finite = 0;  ///< activations that held infinity or NaN
};

/// CompileError for an activation that held no number: a range made up for it would be taken for a measured one. One without elements needs none.
void check_seen(const Observer& observer, const std::string& name, const Graph& graph, const std::string& samples) {
  if (observer.has_seen() || !observer.has_left_out()) return;
  Origins readers;
  for (const Node* node : graph.nodes()) {
    if (std::ranges::any_of(node->operands(), [&](const Value* operand) { return operand && operand->name == name; })) readers = merge(readers, node->origins);
  }
  throw CompileError(ErrorCode::invalid, Diagnostic{samples, fmt::format("what '{}' reads is never finite", fmt::join(readers, "', '")), "samples for which the model computes numbers",
                                                    "infinity or NaN alone", "check the samples, or whether the model overflows on them"});
}

/// The ranges of the named values over all samples.
Observed observe(const Graph& graph, const std::vector<std::string>& names, const std::vector<Samples>& samples, const QuantizeOptions& options) {
  ActivationRunner runner(graph, names, PassContext{});
  std::vector<Observer> observers(names.size());
  Observed observed;
  observed.samples = runner.for_each_batch(samples, std::numeric_limits<std::int64_t>::max(), [&](const Samples& file, std::int64_t first, std::int64_t count) {
    const auto values = runner.run(file, first, count);
    parallel_for(names.size(), [&](std::size_t i) { observers[i].add(values[i].span<float>()); });
  });
  for (std::size_t i = 0; i < names.size(); ++i) {
    check_seen(observers[i], names[i], graph, options.samples);
    observed.not_finite += observers[i].has_left_out();
  }
  std::vector<ValueRange> found(names.size());
  parallel_for(names.size(), [&](std::size_t i) { found[i] = observers[i].range(options.method, options.storage); });
  for (std::size_t i = 0; i < names.size(); ++i) observed.ranges[names[i]] = found[i];
  return observed;
}

/// Power of a signal and of what differs from it.
struct Error {
  double signal = 0, noise = 0;
  void add(std::span<const float> expected, std::span<const float> got) {
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double value = static_cast<double>(expected[i]), difference = value - static_cast<double>(got[i]);
      if (!std::isfinite(difference)) continue;
      signal += value * value;
      noise += difference * difference;
    }
  }
  /// NaN where there is no signal to compare with.
  double decibels() const {
    if (signal == 0) return std::numeric_limits<double>::quiet_NaN();
    return noise == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(signal / noise);
  }
};

struct Compared {
  std::vector<Error> errors;  ///< of each name
  std::int64_t samples = 0;
};

/// The error of each named value of `quantized` against the one of `reference`.
Compared compare(const Graph& reference, const Graph& quantized, const std::vector<std::string>& names, const std::vector<Samples>& samples, const PassContext& context) {
  ActivationRunner expected(reference, names, PassContext{}), got(quantized, names, context);
  Compared compared{std::vector<Error>(names.size())};
  compared.samples = expected.for_each_batch(samples, kCompared, [&](const Samples& file, std::int64_t first, std::int64_t count) {
    const auto a = expected.run(file, first, count), b = got.run(file, first, count);
    parallel_for(names.size(), [&](std::size_t i) { compared.errors[i].add(a[i].span<float>(), b[i].span<float>()); });
  });
  return compared;
}

}  // namespace

QuantizationReport quantize_graph(Graph& graph, const QuantizeOptions& options, PassContext& context) {
  context.quantization.storage = options.storage;
  const auto choices = choose_quantized(graph, context);
  const auto samples = options.samples.empty() ? std::vector<Samples>{} : read_samples(options.samples, graph);
  auto taken = names_in(graph);
  std::vector<std::string> activations, results;
  for (const QuantizationChoice& choice : choices) {
    name_value(*choice.node->result(), "contraction", taken);
    results.push_back(choice.node->result()->name);
    if (!choice.activation) continue;
    name_value(*choice.activation, "activation", taken);
    if (std::ranges::find(activations, choice.activation->name) == activations.end()) activations.push_back(choice.activation->name);
  }

  if (context.report && !samples.empty()) context.report(fmt::format("observing {} activations", activations.size()));
  QuantizationReport report;
  if (!activations.empty()) {
    Observed observed = observe(graph, activations, samples, options);
    context.quantization.ranges = std::move(observed.ranges);
    report.observed = observed.samples;
    report.not_finite = observed.not_finite;
  }
  const auto reference = graph.clone();
  insert_quantization(graph, context);
  verify(graph);

  Compared compared;
  if (!samples.empty()) {
    if (context.report) context.report(fmt::format("comparing {} results with float32", results.size()));
    compared = compare(*reference, graph, results, samples, context);
    report.compared = compared.samples;
  }
  for (std::size_t i = 0; i < choices.size(); ++i) {
    const QuantizationChoice& choice = choices[i];
    const DType in_floats = asked_precision(*choice.node, context.layer_precision).value_or(context.precision);
    const std::string precision = precision_name(choice.reason.empty() ? options.storage : in_floats);
    const double decibels = compared.errors.empty() ? std::numeric_limits<double>::quiet_NaN() : compared.errors[i].decibels();
    report.rows.push_back({choice.node->origins, precision, decibels, choice.reason});
  }
  return report;
}

}  // namespace intaglio
