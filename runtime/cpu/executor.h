// Runs on this machine's threads, in the caller's memory where that can be used in place.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "runtime/cpu/code_library.h"
#include "runtime/memory.h"
#include "runtime/target.h"

namespace intaglio::runtime::cpu {

/// A model's machine code, linked into this process.
class CpuTarget : public Target {
 public:
  /// CompileError (invalid) if the code lacks a kernel of the plan; `path` is the artifact, for messages.
  CpuTarget(const plan::Plan& plan, std::span<const std::byte> code, const std::string& path);
  std::string device_name() const override { return "cpu"; }
  std::unique_ptr<Executor> make_executor(const Binding& binding, int threads) const override;
  IntaglioKernel kernel(std::uint32_t index) const { return kernels_[index]; }

 private:
  CodeLibrary library_;
  std::vector<IntaglioKernel> kernels_;
};

class CpuExecutor : public Executor {
 public:
  /// `threads`: the caller's included; 0 for all cores.
  CpuExecutor(const CpuTarget& target, const Binding& binding, int threads);
  void shapes_changed() override { placed_ = false; }
  void start(intaglio_tensor* outputs, bool profile) override;
  void finish() override {}
  void repeat_step(std::uint32_t step) override { run_step(step); }
  std::int64_t bytes() const override;

 private:
  /// What an input's or output's memory is in this run: the caller's, or a staged copy.
  struct Staging {
    Memory memory;
    std::string label;
    bool used = false;
  };
  struct Step {
    const plan::Alternative* chosen = nullptr;  ///< null for copies
    IntaglioKernelArgs args = {};
    std::vector<void*> pointers;
    std::vector<std::int64_t> symbols;
    std::int64_t tasks = 0;
    std::int64_t nanoseconds = 0;
  };

  void place_buffers();
  void prepare_steps();
  void stage_inputs(bool profile);
  void place_outputs(const intaglio_tensor* outputs);
  void run_steps(bool profile);
  int run_step(std::uint32_t step);
  void deliver_outputs(intaglio_tensor* outputs, bool profile);

  const CpuTarget& target_;
  const Binding& binding_;
  int threads_;
  bool placed_ = false;
  std::vector<char*> pointers_;
  Memory arena_, scratch_;
  std::vector<Staging> input_staging_, output_staging_;
  std::vector<Step> steps_;
  IntaglioKernelStatus status_ = {};
  double run_began_us_ = 0;
};

}  // namespace intaglio::runtime::cpu
