// Lowers a fused group without a contraction to loops: elementwise chains, data movement, reductions, softmax, norms, pooling.
#pragma once

#include "codegen/schedule/pull.h"

namespace intaglio {

/// What scheduling needs to know of a CPU; plain data.
struct LoopTraits {
  int vector_bytes = 32;  ///< of the widest register
};

/// Lowers the region of `kernel_node`; its root is null, or a reduction, row or window operator. The kernel's name says what it does and
/// its shapes, so that equal text means equal code.
kernel::Kernel lower_to_loops(const Node& kernel_node, const LoopTraits& traits);

}  // namespace intaglio
