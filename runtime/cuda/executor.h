// Runs on a GPU, in a stream of its own: inputs through pinned memory, steps one by one at first and as one CUDA graph from the second run
// at a shape, outputs back.
#pragma once

#include <list>
#include <string>
#include <vector>

#include "runtime/cuda/cublas_product.h"
#include "runtime/cuda/device_model.h"
#include "runtime/cuda/driver.h"
#include "runtime/target.h"

namespace intaglio::runtime::cuda {

class CudaExecutor : public Executor {
 public:
  CudaExecutor(const DeviceModel& model, const Binding& binding);
  ~CudaExecutor() override;
  void shapes_changed() override { placed_ = false; }
  void start(intaglio_tensor* outputs, bool profile) override;
  void finish() override;
  void repeat_step(std::uint32_t step) override;
  std::int64_t bytes() const override { return memory_.size() + static_cast<std::int64_t>(pinned_bytes_); }

 private:
  /// A step's launch: parameters are pointers to what follows.
  struct Step {
    const plan::Alternative* chosen = nullptr;  ///< null for copies
    std::vector<CUdeviceptr> pointers;
    std::vector<std::int64_t> symbols;
    CUdeviceptr status = 0;
    std::vector<CUtensorMap> maps;
    std::vector<void*> parameters;
    std::unique_ptr<CublasProduct> product;  ///< what is started instead of the kernel
    std::int64_t tasks = 0;
  };
  /// The steps at one shape, as a graph once they have run there.
  struct CachedGraph {
    std::vector<std::int64_t> symbols;
    CUgraphExec graph = nullptr;
  };

  void place_buffers();
  void place_ports();
  void prepare_steps();
  void prepare_product(std::uint32_t step);
  void reserve_pinned(std::size_t bytes);
  void stage_inputs();
  /// `early`: before the steps before it have ended, where its kernel waits for them itself.
  void launch_step(std::uint32_t step, bool early);
  void launch_steps();
  void launch_profiled(unsigned event_flags);
  /// What `launch` puts into the stream, as a graph.
  template <typename F>
  CUgraphExec capture(F launch);
  void forget_graphs();
  void read_profile();
  void check_statuses();
  void deliver_outputs();

  const DeviceModel& model_;
  const Binding& binding_;
  CUstream stream_ = nullptr;
  std::vector<CUevent> events_;  ///< the four of a run, then one before the first profiled step and one after each
  DeviceMemory memory_;          ///< inputs, outputs, statuses, arena, in this order
  void* pinned_ = nullptr;       ///< inputs, outputs, statuses: at the same places
  std::size_t pinned_bytes_ = 0;
  std::int64_t outputs_at_ = 0, statuses_at_ = 0, arena_at_ = 0;
  std::vector<std::int64_t> port_offsets_;  ///< of inputs and outputs, one a buffer of the plan
  std::vector<CUdeviceptr> pointers_;       ///< one a buffer of the plan
  std::vector<Step> steps_;
  std::list<CachedGraph> graphs_;  ///< the one used last comes first
  CUgraphExec profiled_graph_ = nullptr;
  bool placed_ = false, profiling_ = false;
  intaglio_tensor* outputs_ = nullptr;
};

}  // namespace intaglio::runtime::cuda
