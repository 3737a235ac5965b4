// Kernel IR as a CUDA kernel: a task has some threads of a block, or all of them; loops of independent iterations are spread over them, and they fold together.
#pragma once

#include <string>

#include "codegen/cuda/source.h"

namespace intaglio::cuda {

struct CudaKernel {
  std::string source;  ///< without the prelude
  int block_threads = 0;
};

struct LoopKernel {
  CudaKernel kernel;
  Dim blocks = 1;
};

/// The kernel's function, named `kernel.name`, with the parameters that signature() says. It waits for the kernels before it by itself.
LoopKernel emit_loops(const kernel::Kernel& kernel, bool checked);

/// True if offsets into all buffers fit 32 bits.
bool fits_narrow_index(const std::vector<kernel::Buffer>& buffers, const std::vector<std::string>& symbols);

/// A kernel that `waits` for the one before it while it runs must not promise that what it reads does not change: the compiler would move loads in front
/// of the wait. The buffer `constant` may be read early all the same; -1 for none.
struct Overlap {
  bool waits = false;
  int constant = -1;
};

/// "extern "C" __global__ void __launch_bounds__(256) name(const float* b0, .., int64 s0, .., Status* status) {": buffers, symbols, status, as the
/// runtime passes them, and more `parameters`. `cluster` blocks run at once and may read each other's shared memory; a multiprocessor should hold `blocks`.
std::string signature(const std::string& name, const std::vector<kernel::Buffer>& buffers, const std::vector<std::string>& symbols, int block_threads,
                      int cluster = 1, int blocks = 0, const std::string& parameters = "", const Overlap& overlap = {});

}  // namespace intaglio::cuda
