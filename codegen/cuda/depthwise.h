// Depthwise convolutions on a GPU: bound by memory, so a thread reads each input once for all positions of its row that use it.
#pragma once

#include <optional>

#include "codegen/cuda/loops.h"
#include "codegen/schedule/contraction.h"

namespace intaglio::cuda {

/// What a thread computes: `channels` neighbouring channels at `positions` neighbouring places of a row.
struct DepthwisePlan {
  int channels = 1;
  int positions = 1;
};

/// Nothing for a depthwise contraction whose operands are no loads, perhaps converted, or whose number of taps is not known.
std::optional<DepthwisePlan> plan_depthwise(const Contraction& spec);

struct DepthwiseKernel {
  CudaKernel kernel;
  Dim blocks = 1;
};

/// The buffer of constant weights holds what pack_weights makes of them: [r, s][channels rounded up to a panel]. Waits for the kernels before it by itself.
DepthwiseKernel emit_depthwise(const Contraction& spec, const DepthwisePlan& plan, bool checked);

}  // namespace intaglio::cuda
