// What one run at a time needs: bound shapes, memory, prepared arguments.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/cpu/thread_pool.h"
#include "runtime/model.h"

namespace intaglio::runtime {

/// "f32[2,3]", for messages.
std::string type_text(const intaglio_tensor& tensor);

/// Memory aligned to a page, grown on demand, never shrunk.
class Memory {
 public:
  ~Memory();
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  /// At least `bytes` bytes; what was there is lost when it grows.
  char* reserve(std::int64_t bytes);
  std::int64_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  std::int64_t size_ = 0;
};

class Context {
 public:
  Context(std::shared_ptr<const Model> model, int threads);

  void bind(const intaglio_tensor* inputs, int count);
  /// The shape of an output under the shapes that are bound.
  const std::vector<std::int64_t>& output_shape(int index) const;
  void run(intaglio_tensor* outputs, int count, bool profile);
  /// Runs one step again on what the last run left in memory, for microbenchmarks.
  void repeat_step(std::uint32_t step) { run_step(step); }
  const std::vector<intaglio_step_time>& times() const { return times_; }
  std::int64_t bytes() const;

 private:
  /// What an input's or output's memory is in this run: the caller's, or a staged copy.
  struct Staging {
    Memory memory;
    std::string label;
    bool used = false;
  };
  struct Step {
    IntaglioKernelArgs args = {};
    std::vector<void*> pointers;
    std::vector<std::int64_t> symbols;
    std::int64_t tasks = 0;
    std::int64_t nanoseconds = 0;
  };

  std::int64_t evaluate(const plan::Dim& dim) const;
  void bind_symbols(const intaglio_tensor* inputs);
  void check_inputs(const intaglio_tensor* inputs, int count) const;
  void place_buffers();
  void lay_out_arena_now(std::vector<std::int64_t>& offsets, std::int64_t& bytes) const;
  void prepare_steps();
  void stage_inputs(bool profile);
  void place_outputs(intaglio_tensor* outputs, int count);
  int run_step(std::uint32_t step);
  void run_steps(bool profile);
  void deliver_outputs(intaglio_tensor* outputs, bool profile);
  [[noreturn]] void fail_step(std::uint32_t step) const;
  double now_us() const;

  std::shared_ptr<const Model> model_;
  int threads_;
  std::vector<std::int64_t> symbols_;
  bool bound_ = false, placed_ = false;
  std::vector<intaglio_tensor> inputs_;
  std::vector<std::vector<std::int64_t>> input_strides_;
  std::vector<std::vector<std::int64_t>> output_shapes_;
  std::vector<std::int64_t> buffer_bytes_;
  std::vector<char*> pointers_;
  Memory arena_, scratch_;
  std::vector<Staging> input_staging_, output_staging_;
  std::vector<Step> steps_;
  IntaglioKernelStatus status_ = {};
  std::vector<intaglio_step_time> times_;
  double run_began_us_ = 0;
};

}  // namespace intaglio::runtime
