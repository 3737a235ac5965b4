// Contractions on a GPU's plain arithmetic units: exact in every dtype, for whatever has no tensor-core kernel.
#pragma once

#include "codegen/cuda/loops.h"
#include "codegen/schedule/contraction.h"

namespace intaglio::cuda {

struct SimtKernel {
  CudaKernel kernel;
  Dim blocks = 1;
};

/// A dense contraction as tiles of 64 x 64 results a block, both operands staged in shared memory. The buffer of a constant `b` holds the panels of pack_weights.
SimtKernel emit_simt(const Contraction& spec, bool checked);

}  // namespace intaglio::cuda
