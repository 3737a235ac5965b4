// What a device makes of a loaded model: its code and weights there, and an executor for each context.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "intaglio/runtime.h"
#include "runtime/binding.h"

namespace intaglio::runtime {

/// One context's memory on the device, and how its runs go. One thread at a time.
class Executor {
 public:
  virtual ~Executor() = default;
  /// The binding has other shapes now.
  virtual void shapes_changed() = 0;
  /// Takes the bound inputs' data and starts the steps. The caller's inputs are free when it returns; `outputs` must live until finish().
  virtual void start(intaglio_tensor* outputs, bool profile) = 0;
  /// Waits for what start() started and delivers the outputs.
  virtual void finish() = 0;
  /// Runs one step again on what the last run left in memory, for microbenchmarks.
  virtual void repeat_step(std::uint32_t step) = 0;
  virtual std::int64_t bytes() const = 0;

  const std::vector<intaglio_step_time>& step_times() const { return step_times_; }
  const intaglio_run_times& run_times() const { return run_times_; }

 protected:
  std::vector<intaglio_step_time> step_times_;
  intaglio_run_times run_times_ = {};
};

/// A model's code and weights where they run. Immutable.
class Target {
 public:
  virtual ~Target() = default;
  /// The device in words: "cpu", or a GPU's name.
  virtual std::string device_name() const = 0;
  /// What a GPU is made of.
  virtual intaglio_device describe_device() const { return {}; }
  /// `binding` must outlive the executor. `threads`: how many a CPU may use.
  virtual std::unique_ptr<Executor> make_executor(const Binding& binding, int threads) const = 0;
};

/// What is thrown when a kernel left `status` behind; `step_name` is what the user knows the step by.
[[noreturn]] void throw_kernel_failure(const IntaglioKernelStatus& status, const std::string& step_name);

/// The clock of profiles.
double now_us();

}  // namespace intaglio::runtime
