// A kernel that a back end has chosen but not yet compiled.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ir/dim.h"

namespace llvm {
class Module;
}

namespace intaglio {

struct KernelPlan {
  std::string kind;                  ///< "conv", "matmul", "loops" ..: for layers.json
  std::string text;                  ///< everything that the code depends on: equal text, equal code
  std::string name;                  ///< of the function
  std::vector<std::string> symbols;  ///< in the order of the ABI
  Dim tasks = 1;                     ///< calls on a CPU, blocks on a GPU
  Dim scratch_bytes = 0;             ///< per worker (CPU)
  Dim flops = 0;
  int packed_operand = -1;           ///< the operand whose constant must go through pack_weights

  // What the code is made of: one of these, as the back end goes.
  std::function<void(llvm::Module&)> emit;  ///< CPU
  std::string source;                       ///< CUDA C++
  int block_threads = 0;                    ///< CUDA
};

}  // namespace intaglio
