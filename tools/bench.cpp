// intaglio bench: times an artifact, and tells what trtexec's users look for under the same names.

#include <CLI/CLI.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <thread>

#include "support/diagnostics.h"
#include "support/files.h"
#include "support/json_text.h"
#include "tools/commands.h"
#include "tools/gpu_roofline.h"
#include "tools/inputs.h"
#include "tools/machine_peak.h"
#include "tools/step_work.h"

namespace intaglio {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point began) { return std::chrono::duration<double, std::milli>(Clock::now() - began).count(); }

struct Flags {
  std::string artifact, json, export_times, export_profile;
  InputOptions inputs;
  double duration = 3, warmup = 200;
  int iterations = 10, threads = 0, device = INTAGLIO_DEVICE_BEST;
  bool profile = false;
};

struct Statistics {
  double min = 0, max = 0, mean = 0, median = 0, p90 = 0, p95 = 0, p99 = 0, variation = 0;
};

Statistics statistics(std::vector<double> values) {
  std::ranges::sort(values);
  const auto percentile = [&](double p) { return values[std::min(values.size() - 1, static_cast<std::size_t>(p * static_cast<double>(values.size())))]; };
  Statistics s;
  s.min = values.front();
  s.max = values.back();
  s.mean = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
  s.median = percentile(0.5);
  s.p90 = percentile(0.9);
  s.p95 = percentile(0.95);
  s.p99 = percentile(0.99);
  double squares = 0;
  for (double value : values) squares += (value - s.mean) * (value - s.mean);
  s.variation = std::sqrt(squares / static_cast<double>(values.size())) / s.mean;
  return s;
}

Json to_json(const Statistics& s) {
  return {{"min", s.min}, {"max", s.max}, {"mean", s.mean}, {"median", s.median}, {"p90", s.p90}, {"p95", s.p95}, {"p99", s.p99}};
}

struct Report {
  Statistics latency;
  std::vector<double> times;  ///< ms of each query
  std::vector<intaglio_run_times> parts;  ///< of each query
  double load_ms = 0, first_run_ms = 0, total_s = 0;
  std::int64_t peak_bytes = 0, samples = 1;
  int threads = 0;  ///< that ran
  bool on_gpu = false;
  std::map<std::string, std::int64_t> symbols;  ///< of the shapes that ran
  std::vector<intaglio_step_time> steps;  ///< means over the profiled runs
};

/// Profiles a few runs and averages each step.
std::vector<intaglio_step_time> profile(Context& context, std::vector<intaglio_tensor>& outputs) {
  constexpr int kRuns = 20;
  std::vector<intaglio_step_time> sum = context.run_profiled(outputs);
  for (int run = 1; run < kRuns; ++run) {
    const auto times = context.run_profiled(outputs);
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i].duration_us += times[i].duration_us;
  }
  for (auto& step : sum) step.duration_us /= kRuns;
  return sum;
}

Report measure(const Flags& flags, Model& model, double load_ms) {
  Report report;
  report.load_ms = load_ms;
  report.on_gpu = model.device_name() != "cpu";
  const std::vector<Tensor> inputs = make_inputs(model, flags.inputs);
  if (!inputs.empty() && inputs[0].rank() > 0) report.samples = inputs[0].shape()[0];
  report.threads = flags.threads > 0 ? flags.threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  report.symbols = symbol_values(model, inputs);
  Context context(model, flags.threads);
  context.bind(runtime_tensors(inputs));
  const std::vector<Tensor> outputs = make_outputs(model, context);
  auto places = runtime_tensors(outputs);
  auto began = Clock::now();
  context.run(places);
  report.first_run_ms = ms_since(began);
  for (began = Clock::now(); ms_since(began) < flags.warmup;) context.run(places);
  for (began = Clock::now(); ms_since(began) < flags.duration * 1000 || static_cast<int>(report.times.size()) < flags.iterations;) {
    const auto query = Clock::now();
    context.run(places);
    report.times.push_back(ms_since(query));
    report.parts.push_back(context.last_run_times());
  }
  report.total_s = ms_since(began) / 1000;
  report.latency = statistics(report.times);
  if (flags.profile || !flags.export_profile.empty()) report.steps = profile(context, places);
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  report.peak_bytes = usage.ru_maxrss * 1024;
  return report;
}

std::string line(const Statistics& s) {
  return fmt::format("min = {:.4g} ms, max = {:.4g} ms, mean = {:.4g} ms, median = {:.4g} ms, percentile(90%) = {:.4g} ms, percentile(95%) = {:.4g} ms, percentile(99%) = {:.4g} ms", s.min,
                     s.max, s.mean, s.median, s.p90, s.p95, s.p99);
}

/// The statistics in ms of one part of all queries.
Statistics statistics(const Report& report, double intaglio_run_times::*part) {
  std::vector<double> ms;
  for (const intaglio_run_times& query : report.parts) ms.push_back(query.*part / 1000);
  return statistics(std::move(ms));
}

std::string gpu_summary(const Report& report) {
  const Statistics compute = statistics(report, &intaglio_run_times::compute_us);
  return fmt::format("Enqueue Time: {}\nH2D Latency: {}\nGPU Compute Time: {}\nD2H Latency: {}\nTotal GPU Compute Time: {:.4g} s\n", line(statistics(report, &intaglio_run_times::enqueue_us)),
                     line(statistics(report, &intaglio_run_times::h2d_us)), line(compute), line(statistics(report, &intaglio_run_times::d2h_us)),
                     compute.mean * static_cast<double>(report.parts.size()) / 1000);
}

std::string summary(const Report& report) {
  const double qps = static_cast<double>(report.times.size()) / report.total_s;
  std::string text = fmt::format("Throughput: {:.5g} qps\nLatency: {}\n", qps, line(report.latency));
  if (report.on_gpu) text += gpu_summary(report);
  text += fmt::format("Total Host Walltime: {:.4g} s\n", report.total_s);
  text += fmt::format("Samples: {:.5g} per second ({} per query)\n", qps * static_cast<double>(report.samples), report.samples);
  text += fmt::format("Load: {:.3g} ms\nFirst run: {:.3g} ms\nPeak memory: {:.1f} MiB\n", report.load_ms, report.first_run_ms, static_cast<double>(report.peak_bytes) / (1 << 20));
  if (report.latency.variation > 0.025) {
    text += fmt::format("warning: unstable timing: the coefficient of variance is {:.1f} %, over 2.5 %; is the machine idle?\n", report.latency.variation * 100);
  }
  return text;
}

/// What all steps compute and move in a run.
struct Work {
  double flops = 0, bytes = 0;
};

Work work_of(const Json& layers, const std::map<std::string, std::int64_t>& symbols) {
  Work work;
  for (const Json& layer : layers) {
    work.flops += evaluate_count(layer["flops"], symbols).value_or(0);
    work.bytes += evaluate_count(layer["bytes"], symbols).value_or(0);
  }
  return work;
}

/// Rates reached at the median latency (on a GPU: of what it computed), on a CPU with their share of what the machine was measured to reach.
struct Rates {
  double gflops = 0, gbytes = 0;
  double peak_gflops = 0, peak_gbytes = 0;  ///< 0: not known
};

/// A working set beyond the caches.
constexpr long kBandwidthBytes = 64L << 20;

Rates rates_of(const Report& report, const Work& work) {
  const double ms = report.on_gpu ? statistics(report, &intaglio_run_times::compute_us).median : report.latency.median;
  Rates rates{work.flops / ms / 1e6, work.bytes / ms / 1e6};
  if (report.on_gpu) return rates;
  rates.peak_gflops = peak_gflops(report.threads);
  rates.peak_gbytes = read_bandwidth(report.threads, kBandwidthBytes);
  return rates;
}

std::string to_text(const Rates& rates) {
  const auto share = [](double reached, double peak, const char* what) { return peak > 0 ? fmt::format(" ({:.0f} % of the measured {})", 100 * reached / peak, what) : std::string(); };
  return fmt::format("Achieved: {:.4g} GFLOP/s{} in convolutions and matrix products, {:.4g} GB/s{} between kernels\n", rates.gflops, share(rates.gflops, rates.peak_gflops, "fp32 peak"),
                     rates.gbytes, share(rates.gbytes, rates.peak_gbytes, "peak"));
}

Json to_json(const Rates& rates) {
  Json json = {{"gflops", rates.gflops}, {"gbytes_per_s", rates.gbytes}};
  if (rates.peak_gflops > 0) json["peak_gflops"] = rates.peak_gflops;
  if (rates.peak_gbytes > 0) json["peak_gbytes_per_s"] = rates.peak_gbytes;
  return json;
}

/// A step, and on a GPU the share of its time that the chip would need at least (on a CPU operands often lie in caches, whose bandwidth is another;
/// tools/microbench holds its contractions against what it measures).
Json step_json(const intaglio_step_time& step, const Json& layers, const std::map<std::string, std::int64_t>& symbols, const GpuRoofline& roofline) {
  Json row = {{"kernel", step.kernel}, {"us", step.duration_us}, {"tasks", step.tasks}, {"threads", step.threads}};
  if (step.layer < layers.size()) {
    const Json& layer = layers[step.layer];
    row["kind"] = layer["kind"];
    row["nodes"] = layer["nodes"];
    row["shape"] = layer["shape"];
    const auto flops = evaluate_count(layer["flops"], symbols), bytes = evaluate_count(layer["bytes"], symbols);
    if (!flops || !bytes) return row;
    row["flops"] = *flops;
    row["bytes"] = *bytes;
    row["multiplies"] = layer["multiplies"];
    row["gflops"] = *flops / step.duration_us / 1e3;
    row["gbytes_per_s"] = *bytes / step.duration_us / 1e3;
    if (const auto bound = roofline.bound(*flops, layer["multiplies"].get<std::string>(), *bytes)) {
      row["peak_share"] = bound->us / step.duration_us;
      row["bound_by"] = bound->by_memory ? "memory" : "arithmetic";
    }
  }
  return row;
}

std::string profile_table(const Json& steps, const GpuRoofline& roofline) {
  double total = 0;
  for (const Json& step : steps) total += step["us"].get<double>();
  std::string text = fmt::format("{:>10} {:>6} {:>9} {:>8} {:>5} {:>7} {:<12} {:<28} {}\n", "us", "share", "GFLOP/s", "GB/s", "peak", "tasks", "kind", "result", "ONNX nodes");
  for (const Json& step : steps) {
    std::string nodes;
    for (const Json& node : step.value("nodes", Json::array())) nodes += (nodes.empty() ? "" : ", ") + node.get<std::string>();
    if (nodes.empty()) nodes = step["kernel"].get<std::string>();
    const std::string peak = step.contains("peak_share") ? fmt::format("{:.0f}%", 100 * step["peak_share"].get<double>()) : "-";
    text += fmt::format("{:>10.1f} {:>5.1f}% {:>9.1f} {:>8.1f} {:>5} {:>7} {:<12} {:<28} {}\n", step["us"].get<double>(), 100 * step["us"].get<double>() / total, step.value("gflops", 0.0),
                        step.value("gbytes_per_s", 0.0), peak, step["tasks"].get<std::int64_t>(), step.value("kind", "copy"), step.value("shape", ""), nodes);
  }
  text += fmt::format("{:>10.1f} us in all steps\n", total);
  return roofline.gbytes_per_s() > 0 ? text + "peak: least time over time; " + roofline.text() + "\n" : text;
}

void write_json(const std::string& path, const Json& json) {
  write_file(path, [&](std::ostream& out) { out << json_text(json) << '\n'; });
}

void bench(const Flags& flags) {
  const auto began = Clock::now();
  Model model(flags.artifact, flags.device);
  const Report report = measure(flags, model, ms_since(began));
  Json steps = Json::array();
  const Json layers = Json::parse(model.layers());
  const GpuRoofline roofline(model.device());
  for (const auto& step : report.steps) steps.push_back(step_json(step, layers, report.symbols, roofline));
  const Rates rates = rates_of(report, work_of(layers, report.symbols));

  std::FILE* out = flags.json == "-" ? stderr : stdout;
  std::fputs((summary(report) + to_text(rates)).c_str(), out);
  if (flags.profile) std::fputs(profile_table(steps, roofline).c_str(), out);
  const double qps = static_cast<double>(report.times.size()) / report.total_s;
  Json json = {{"throughput_qps", qps},
                     {"samples_per_s", qps * static_cast<double>(report.samples)},
                     {"latency_ms", to_json(report.latency)},
                     {"load_ms", report.load_ms},
                     {"first_run_ms", report.first_run_ms},
                     {"peak_memory_bytes", report.peak_bytes},
                     {"threads", report.threads},
                     {"device", model.device_name()},
                     {"queries", report.times.size()}};
  json.update(to_json(rates));
  if (report.on_gpu) {
    json["gpu_compute_ms"] = to_json(statistics(report, &intaglio_run_times::compute_us));
    json["enqueue_ms"] = to_json(statistics(report, &intaglio_run_times::enqueue_us));
    json["h2d_ms"] = to_json(statistics(report, &intaglio_run_times::h2d_us));
    json["d2h_ms"] = to_json(statistics(report, &intaglio_run_times::d2h_us));
  }
  if (flags.json == "-") {
    std::puts(json_text(json).c_str());
  } else if (!flags.json.empty()) {
    write_json(flags.json, json);
  }
  if (!flags.export_times.empty()) write_json(flags.export_times, report.times);
  if (!flags.export_profile.empty()) write_json(flags.export_profile, steps);
}

}  // namespace

void add_bench(CLI::App& app) {
  auto* command = app.add_subcommand("bench", "Times an artifact.");
  auto flags = std::make_shared<Flags>();
  command->add_option("artifact", flags->artifact, "what `compile` wrote")->required();
  command->add_option("--input", flags->inputs.files, "data.npy, NAME=data.npy or data.npz; repeatable")->group("Input");
  command->add_option("--fill", flags->inputs.fill, "inputs without a file")->check(CLI::IsMember({"random", "zeros", "ones"}))->capture_default_str()->group("Input");
  command->add_option("--seed", flags->inputs.seed, "of the random fill")->capture_default_str()->group("Input");
  command->add_option("--shapes", flags->inputs.shapes, "of filled inputs whose dimensions are symbolic (else 1)")->group("Input");
  command->add_option("--duration", flags->duration, "seconds to measure at least")->capture_default_str()->check(CLI::NonNegativeNumber)->group("Measurement");
  command->add_option("--warmup", flags->warmup, "milliseconds to run before")->capture_default_str()->check(CLI::NonNegativeNumber)->group("Measurement");
  command->add_option("--iterations", flags->iterations, "queries to measure at least")->capture_default_str()->check(CLI::PositiveNumber)->group("Measurement");
  command->add_option("--threads", flags->threads, "threads to use; 0: all cores")->capture_default_str()->check(CLI::Range(0, INTAGLIO_MAX_THREADS))->group("Execution");
  add_device_option(*command, flags->device);
  command->add_flag("--profile", flags->profile, "prints what each step takes")->group("Reports");
  command->add_option("--export-profile", flags->export_profile, "writes the steps as JSON")->group("Reports");
  command->add_option("--export-times", flags->export_times, "writes each query's milliseconds as JSON")->group("Reports");
  command->add_option("--json", flags->json, "writes the figures as JSON to a file, or with - to stdout")->group("Reports");
  command->footer("Example: intaglio bench resnet50.tar --shapes image:8x3x224x224 --threads 2 --profile");
  command->callback([flags] { bench(*flags); });
}

}  // namespace intaglio
