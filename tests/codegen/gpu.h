// Groups as CUDA code: the same cases on the emulator, or on a GPU through the artifact and the runtime.
#pragma once

#include <vector>

#include "intaglio/runtime.hpp"
#include "tests/codegen/lowering.h"

namespace intaglio::testing {

/// What INTAGLIO_TEST_CUDA asks for. Nothing: groups run on the emulator. "compile": CUDA code is compiled by NVRTC, which needs no GPU. "run": it runs on a
/// GPU too. "none": groups are tested as CPU code alone.
enum class CudaTest { none, emulate, compile, run };
CudaTest cuda_test();

/// A graph that the passes are done with as an artifact, loaded if there is a GPU to run it on.
class GpuProgram {
 public:
  GpuProgram(const Graph& graph, CodegenOptions options, const std::string& arch);
  /// Results in memory order, shaped as `results`, of inputs in memory order whose logical shapes are `shapes`.
  std::vector<Tensor> run(std::vector<Tensor>& inputs, const std::vector<Extents>& shapes, const std::vector<Tensor>& results) const;

 private:
  std::unique_ptr<Model> model_;
};

/// Generates the group for sm_90a and for any GPU, and compares what each computes with `evaluate`, as far as cuda_test() says.
void expect_cuda_matches(const WrappedGroup& group, const std::vector<Tensor>& inputs, const SymbolValues& symbols);

}  // namespace intaglio::testing
