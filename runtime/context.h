// What one run at a time needs: bound shapes, and the device's memory for them.
#pragma once

#include <memory>
#include <vector>

#include "runtime/target.h"

namespace intaglio::runtime {

class Context {
 public:
  Context(std::shared_ptr<const Model> model, int threads);

  void bind(const intaglio_tensor* inputs, int count);
  /// The shape of an output under the shapes that are bound.
  const std::vector<std::int64_t>& output_shape(int index) const { return binding_.output_shape(index); }
  void run(intaglio_tensor* outputs, int count, bool profile);
  /// run() in two parts: the caller's thread is free in between where a device does the work.
  void start(intaglio_tensor* outputs, int count, bool profile);
  void wait();
  void repeat_step(std::uint32_t step) { executor_->repeat_step(step); }
  const std::vector<intaglio_step_time>& step_times() const { return executor_->step_times(); }
  const intaglio_run_times& run_times() const { return executor_->run_times(); }
  std::int64_t bytes() const { return executor_->bytes(); }

 private:
  Binding binding_;
  std::unique_ptr<Executor> executor_;
  bool started_ = false;
};

}  // namespace intaglio::runtime
