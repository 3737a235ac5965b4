// Runs generated CUDA code in this process: a plan whose kernels the emulator executes, every buffer in guarded memory of its own.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "codegen/codegen.h"
#include "tests/codegen/emulator/kernel.h"
#include "tests/codegen/plan_memory.h"

namespace intaglio::testing {

/// The code of a graph that the passes are done with, for one architecture: "sm_90a" or "ptx".
class EmulatedGpu {
 public:
  EmulatedGpu(const Graph& graph, const CodegenOptions& options, const std::string& arch);

  /// Runs all steps on `inputs`; inputs and results are in memory order. With Guard::after blocks and threads run from the last to the first.
  /// Throws CheckFailed or BadAccess for what a kernel reports, EmulationError for what it must not do.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, const SymbolValues& symbols, Guard guard) const;

  const Plan& plan() const { return plan_; }
  /// From now on steps run this one of their alternatives, or the last one if they have fewer, whatever their size is.
  void force_alternative(std::size_t index) { forced_ = index; }

 private:
  void run_step(const PlannedStep& step, const PlanMemory& memory, const SymbolValues& symbols, Guard guard) const;

  std::vector<Type> result_types_;
  Plan plan_;
  WeightStore weights_;
  std::vector<std::unique_ptr<EmulatedKernel>> kernels_;
  std::optional<std::size_t> forced_;
};

}  // namespace intaglio::testing
