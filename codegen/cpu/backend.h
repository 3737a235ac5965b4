// From one `kernel` node to what the plan needs of it and a function that emits its code.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <llvm/IR/Module.h>

#include "codegen/codegen.h"
#include "codegen/cpu/target.h"
#include "ir/kernel/kernel.h"

namespace intaglio::cpu {

/// A kernel that is chosen but not yet emitted.
struct KernelPlan {
  std::string kind;                  ///< "conv", "matmul", "loops" ..: for layers.json
  std::string text;                  ///< everything that the code depends on: equal text, equal code
  std::string name;                  ///< of the function
  std::vector<std::string> symbols;  ///< in the order of the ABI
  Dim tasks = 1;
  Dim scratch_bytes = 0;             ///< per worker
  Dim flops = 0;
  int packed_operand = -1;           ///< the operand whose constant must go through pack_weights
  std::function<void(llvm::Module&)> emit;
};

KernelPlan plan_kernel(const Node& kernel_node, const CpuTarget& target, const CodegenOptions& options);

/// The constant `b` of a contraction in panels; see docs/artifact.md.
Tensor pack_weights(const Node& kernel_node);

}  // namespace intaglio::cpu
