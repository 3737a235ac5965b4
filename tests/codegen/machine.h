// Runs generated code in this process, every buffer of the plan in guarded memory of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codegen/codegen.h"
#include "codegen/cpu/backend.h"
#include "tests/codegen/plan_memory.h"

namespace intaglio::runtime {
class CodeLibrary;
}

namespace intaglio::testing {

/// What code is tested for: this machine's CPU and the levels of x86-64 that it has.
std::vector<CodegenOptions> options_to_test(bool checked = false);

/// The code of a graph that the passes are done with.
///
/// It is what artifacts hold, but for one promise: that buffers are aligned to 64 bytes. Without it every buffer can end exactly where the
/// forbidden page begins.
class Machine {
 public:
  Machine(const Graph& graph, const CodegenOptions& options);
  ~Machine();

  /// Runs all steps on `inputs`; inputs and results are in memory order. With Guard::after tasks run one by one from the last to the first,
  /// else all in one call. Throws CheckFailed or BadAccess for what a kernel reports.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, const SymbolValues& symbols, Guard guard) const;

  /// The names that the objects want from elsewhere.
  const std::vector<std::string>& undefined_symbols() const { return undefined_symbols_; }

 private:
  void generate(const cpu::CpuTarget& target);
  void run_step(const PlannedStep& step, const PlanMemory& memory, const SymbolValues& symbols, Guard guard) const;

  std::vector<Type> result_types_;
  Plan plan_;
  WeightStore weights_;
  std::unique_ptr<runtime::CodeLibrary> library_;
  std::vector<std::string> undefined_symbols_;
};

}  // namespace intaglio::testing
