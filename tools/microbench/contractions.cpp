// contractions ARTIFACT..: times each distinct convolution and matrix product of compiled models by itself, with GFLOP/s and its share of the roofline.
// Before each call its operands are pushed out of the second-level caches, so that the roofline's memory side is one figure: the measured rate of the next level.

#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "intaglio/tensor.h"
#include "runtime/context.h"
#include "runtime/cpu/thread_pool.h"
#include "tools/machine_peak.h"

namespace intaglio {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr int kThreads = 2;
/// Several times a second-level cache: what weights of a whole model are.
constexpr long kWorkingSet = 16 << 20;

struct Roofline {
  double gflops, int8_gops, gbytes_per_s;
};

/// True for kernels that sum integers: their names say so.
bool is_integer(const std::string& kernel) { return kernel.find("_i32_") != std::string::npos; }

/// A model that has run once, so that its steps can be repeated. Symbolic dimensions are 1.
class Loaded {
 public:
  explicit Loaded(const std::string& path) : model_(std::make_shared<runtime::Model>(path)), context_(model_, kThreads), layers_(Json::parse(model_->layers())) {
    std::mt19937 random(0);
    std::normal_distribution<float> normal;
    std::vector<intaglio_tensor> inputs;
    for (const runtime::Port& port : model_->inputs()) {
      intaglio_tensor tensor = {nullptr, port.c.dtype, port.c.rank, {}, nullptr};
      std::size_t count = 1;
      for (int d = 0; d < tensor.rank; ++d) count *= static_cast<std::size_t>(tensor.shape[d] = std::max<std::int64_t>(port.c.shape[d], 1));
      std::vector<float>& data = memory_.emplace_back(count * 2, 0.0f);  // room for 64-bit elements
      if (static_cast<DType>(port.c.dtype) == DType::f32) {
        for (float& value : data) value = normal(random);
      }
      tensor.data = data.data();
      inputs.push_back(tensor);
    }
    context_.bind(inputs.data(), static_cast<int>(inputs.size()));
    std::vector<intaglio_tensor> outputs(model_->outputs().size());
    context_.run(outputs.data(), static_cast<int>(outputs.size()), true);
    steps_ = context_.step_times();
  }

  const std::vector<intaglio_step_time>& steps() const { return steps_; }
  const Json& layer(const intaglio_step_time& step) const { return layers_.at(step.layer); }
  void repeat(std::uint32_t step) { context_.repeat_step(step); }

 private:
  std::shared_ptr<runtime::Model> model_;
  runtime::Context context_;
  Json layers_;
  std::vector<std::vector<float>> memory_;
  std::vector<intaglio_step_time> steps_;
};

/// Writes more than the second-level caches hold, on every thread.
void push_out_caches() {
  static std::vector<std::vector<char>> memory(kThreads, std::vector<char>(kWorkingSet));
  const runtime::ThreadPool::Job job{[](void*, std::int64_t begin, std::int64_t end, std::int32_t) {
                                       for (std::int64_t i = begin; i < end; ++i) {
                                         for (std::size_t at = 0; at < memory[i].size(); at += 64) ++memory[i][at];
                                       }
                                       return std::int32_t{INTAGLIO_KERNEL_OK};
                                     },
                                     nullptr};
  int used = 0;
  runtime::ThreadPool::instance().run(job, kThreads, kThreads, &used);
}

void time_step(benchmark::State& state, Loaded& model, const intaglio_step_time& step, const Roofline& roofline) {
  double total = 0, runs = 0;
  for (auto _ : state) {
    push_out_caches();
    const auto began = Clock::now();
    model.repeat(step.step);
    const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
    state.SetIterationTime(seconds);
    total += seconds;
    ++runs;
  }
  const Json& layer = model.layer(step);
  const double flops = layer["flops"].get<double>(), bytes = layer["bytes"].get<double>();
  const double bound = std::max(flops / (is_integer(step.kernel) ? roofline.int8_gops : roofline.gflops), bytes / roofline.gbytes_per_s) / 1e9;
  state.counters["GFLOP/s"] = flops * runs / total / 1e9;
  state.counters["roofline_%"] = 100 * bound * runs / total;
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const Roofline roofline{peak_gflops(kThreads), peak_int8_gops(kThreads), read_bandwidth(kThreads, kWorkingSet)};
  std::printf("%d threads: %.0f GFLOP/s, %.0f GOP/s of 8-bit integers, %.1f GB/s\n", kThreads, roofline.gflops, roofline.int8_gops, roofline.gbytes_per_s);
  std::vector<std::unique_ptr<Loaded>> models;
  for (int i = 1; i < argc; ++i) {
    Loaded& model = *models.emplace_back(std::make_unique<Loaded>(argv[i]));
    const std::string path = argv[i], name = path.substr(path.rfind('/') + 1, path.rfind('.') - path.rfind('/') - 1);
    std::map<std::string, bool> seen;
    for (const intaglio_step_time& step : model.steps()) {
      if (step.layer == UINT32_MAX || seen[step.kernel]) continue;  // caller memory, or a shape that has its row
      const Json& layer = model.layer(step);
      if (!layer["flops"].is_number() || layer["flops"].get<double>() == 0) continue;  // no contraction, or one of symbolic extent
      seen[step.kernel] = true;
      benchmark::RegisterBenchmark((name + "/" + step.kernel + "/" + layer["shape"].get<std::string>()).c_str(),
                                   [&model, step, &roofline](benchmark::State& state) { time_step(state, model, step, roofline); })
          ->UseManualTime()
          ->Unit(benchmark::kMicrosecond)
          ->MinTime(0.05);
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace
}  // namespace intaglio

int main(int argc, char** argv) {
  try {
    return intaglio::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 4;
  }
}
