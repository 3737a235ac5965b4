// Groups as CUDA code: the same cases on the emulator, or on a GPU through the artifact and the runtime.
#pragma once

#include <vector>

#include "tests/codegen/lowering.h"

namespace intaglio::testing {

/// What INTAGLIO_TEST_CUDA asks for. Nothing: groups run on the emulator. "compile": CUDA code is compiled by NVRTC, which needs no GPU. "run": it runs on a
/// GPU too. "none": groups are tested as CPU code alone.
enum class CudaTest { none, emulate, compile, run };
CudaTest cuda_test();

/// Generates the group for sm_90a and for any GPU, and compares what each computes with `evaluate`, as far as cuda_test() says.
void expect_cuda_matches(const WrappedGroup& group, const std::vector<Tensor>& inputs, const SymbolValues& symbols);

}  // namespace intaglio::testing
