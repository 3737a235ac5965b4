// A thin C++ layer over runtime.h: ownership and exceptions, nothing else.
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "intaglio/runtime.h"

namespace intaglio {

/// A call of the runtime failed. The text is the whole message.
class RuntimeError : public std::runtime_error {
 public:
  RuntimeError(intaglio_status status, const char* text) : std::runtime_error(text), status_(status) {}
  intaglio_status status() const { return status_; }

 private:
  intaglio_status status_;
};

inline void check(intaglio_status status) {
  if (status != INTAGLIO_OK) throw RuntimeError(status, intaglio_last_error());
}

/// A loaded artifact; copies share it.
class Model {
 public:
  /// `device`: the ordinal of a GPU, INTAGLIO_DEVICE_CPU or INTAGLIO_DEVICE_BEST.
  explicit Model(const std::string& path, int device = INTAGLIO_DEVICE_BEST) {
    intaglio_model* loaded = nullptr;
    check(intaglio_load_for(path.c_str(), device, &loaded));
    model_ = {loaded, intaglio_free};
  }
  intaglio_model* get() const { return model_.get(); }
  std::vector<intaglio_port> inputs() const { return ports(intaglio_input_count(get()), intaglio_input); }
  std::vector<intaglio_port> outputs() const { return ports(intaglio_output_count(get()), intaglio_output); }
  std::string device_name() const { return intaglio_device_name(get()); }
  intaglio_device device() const {
    intaglio_device described = {};
    check(intaglio_describe_device(get(), &described));
    return described;
  }
  std::string manifest() const { return intaglio_manifest(get()); }
  std::string layers() const { return intaglio_layers(get()); }

 private:
  template <typename F>
  std::vector<intaglio_port> ports(int count, F get_port) const {
    std::vector<intaglio_port> result(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) check(get_port(get(), i, &result[static_cast<std::size_t>(i)]));
    return result;
  }
  std::shared_ptr<intaglio_model> model_;
};

/// Memory and shapes of one run at a time.
class Context {
 public:
  /// `threads`: the caller's included; 0 for all cores.
  Context(const Model& model, int threads) : model_(model) {
    intaglio_context* created = nullptr;
    check(intaglio_context_create(model.get(), threads, &created));
    context_ = {created, intaglio_context_free};
  }
  void bind(const std::vector<intaglio_tensor>& inputs) { check(intaglio_bind(context_.get(), inputs.data(), static_cast<int>(inputs.size()))); }
  std::vector<std::int64_t> output_shape(int index) const {
    std::int64_t shape[INTAGLIO_MAX_RANK];
    std::int32_t rank = 0;
    check(intaglio_output_shape(context_.get(), index, &rank, shape));
    return {shape, shape + rank};
  }
  void run(std::vector<intaglio_tensor>& outputs) { check(intaglio_run(context_.get(), outputs.data(), static_cast<int>(outputs.size()))); }
  std::vector<intaglio_step_time> run_profiled(std::vector<intaglio_tensor>& outputs) {
    const intaglio_step_time* times = nullptr;
    std::int32_t count = 0;
    check(intaglio_run_profiled(context_.get(), outputs.data(), static_cast<int>(outputs.size()), &times, &count));
    return {times, times + count};
  }
  /// `outputs` must stay where it is until wait().
  void run_async(std::vector<intaglio_tensor>& outputs) { check(intaglio_run_async(context_.get(), outputs.data(), static_cast<int>(outputs.size()))); }
  void wait() { check(intaglio_wait(context_.get())); }
  intaglio_run_times last_run_times() const {
    intaglio_run_times times = {};
    check(intaglio_last_run_times(context_.get(), &times));
    return times;
  }
  std::int64_t bytes() const { return intaglio_context_bytes(context_.get()); }

 private:
  Model model_;
  std::unique_ptr<intaglio_context, void (*)(intaglio_context*)> context_{nullptr, intaglio_context_free};
};

}  // namespace intaglio
