// Groups on a GPU: the same cases, through the artifact and the runtime.
#pragma once

#include <vector>

#include "tests/codegen/lowering.h"

namespace intaglio::testing {

/// What INTAGLIO_TEST_CUDA asks for. Nothing: groups are tested on the CPU alone. "compile": CUDA code is generated and compiled, which needs no GPU. "run": it runs too.
enum class CudaTest { none, compile, run };
CudaTest cuda_test();

/// Compiles the group for sm_90a and for any GPU, and compares what each computes with `evaluate`, as far as cuda_test() says.
void expect_cuda_matches(const WrappedGroup& group, const std::vector<Tensor>& inputs, const SymbolValues& symbols);

}  // namespace intaglio::testing
