// The views that kernels copy from by TMA, encoded when shapes are bound.
#pragma once

#include <vector>

#include "runtime/binding.h"
#include "runtime/cuda/driver.h"

namespace intaglio::runtime::cuda {

/// The tensor maps of the kernel that was chosen for a step, of the step's buffers at `pointers`. CompileError (invalid) if a view does not lie in its buffer, or is one
/// that the GPU cannot copy from; `step` is for messages.
std::vector<CUtensorMap> encode_maps(const plan::Step& from, const plan::Alternative& chosen, const std::vector<CUdeviceptr>& pointers, const Binding& binding,
                                     std::uint32_t step);

}  // namespace intaglio::runtime::cuda
