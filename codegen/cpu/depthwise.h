// Generates depthwise convolutions for CPUs: lanes over channels, a few positions at a time, borders without any padding in memory.
#pragma once

#include <optional>

#include "codegen/cpu/emitter.h"
#include "codegen/schedule/contraction.h"

namespace intaglio::cpu {

struct DepthwisePlan {
  std::int64_t positions = 1;    ///< of one tile, along x
  std::int64_t row_tasks = 0;    ///< how many tasks share the rows of an image; 0: a task for each row
  std::int64_t pixel_stride = 0; ///< elements from one input position to the next
  Dim tasks = 1;
};

/// Nothing unless `a` holds floats or 8-bit integers with consecutive channels at constant distances, the kernel is static and the weights are constant.
std::optional<DepthwisePlan> plan_depthwise(const Contraction& spec, int vector_registers);

/// Emits the kernel as a function named `spec.name`. The weights' buffer holds [r, s, channels rounded up to 16].
void emit_depthwise(llvm::Module& module, const Contraction& spec, const DepthwisePlan& plan, const EmitOptions& options);

}  // namespace intaglio::cpu
