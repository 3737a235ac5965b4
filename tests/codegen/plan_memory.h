// The buffers of a plan, each in guarded memory of its own, bound to inputs and symbols.
#pragma once

#include <memory>
#include <vector>

#include "codegen/plan.h"
#include "intaglio/artifact.h"
#include "tests/codegen/guarded_memory.h"
#include "tests/codegen/interpreter.h"

namespace intaglio::testing {

/// A dimension with the symbols bound.
std::int64_t bound(const Dim& dim, const SymbolValues& symbols);

/// CheckFailed or BadAccess for a status that is not OK.
void throw_reported(const IntaglioKernelStatus& status);

class PlanMemory {
 public:
  /// Inputs, in memory order, and weights are read-only. Buffers begin at multiples of `alignment`.
  PlanMemory(const Plan& plan, const WeightStore& weights, const std::vector<Tensor>& inputs, const SymbolValues& symbols, Guard guard, std::size_t alignment);

  /// The pointers of a step's buffers.
  std::vector<void*> of_step(const PlannedStep& step) const;
  /// Forbids the step to touch what is not weights: the kernels before it may still be running. Allows it again.
  void forbid(const PlannedStep& step) const;
  void allow(const PlannedStep& step) const;
  /// Executes a step that copies.
  void copy(const PlannedStep& step) const;
  /// What the output buffers hold, in memory order.
  std::vector<Tensor> results(const std::vector<Type>& types) const;

 private:
  const Plan& plan_;
  const SymbolValues& symbols_;
  std::vector<std::unique_ptr<GuardedMemory>> memory_;
};

}  // namespace intaglio::testing
