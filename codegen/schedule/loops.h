// Lowers a fused group without a contraction to loops: elementwise chains, data movement, reductions, softmax, norms, pooling.
#pragma once

#include "codegen/schedule/pull.h"

namespace intaglio {

/// What scheduling needs to know of a target; plain data.
struct LoopTraits {
  std::int64_t task_elements = 8192;  ///< elements of a task: enough work to be worth handing out
  std::int64_t most_tasks = 512;      ///< tasks are larger when there would be more
  bool keeps_short_loops = false;     ///< an innermost loop too short for a vector stays inside of the vector loop, which then stores whole lines
};

/// Lowers the region of `kernel_node`; its root is null, or a reduction, row or window operator. The kernel's name says what it does and
/// its shapes, so that equal text means equal code.
kernel::Kernel lower_to_loops(const Node& kernel_node, const LoopTraits& traits = {});

}  // namespace intaglio
