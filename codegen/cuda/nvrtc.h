// NVIDIA's run-time compiler, loaded when the first kernel is compiled: building and running Intaglio needs no CUDA.
#pragma once

#include <string>

namespace intaglio::cuda {

/// What kernels are compiled for.
struct CudaTarget {
  std::string arch = "sm_90a";  ///< "sm_90a": code for compute capability 9.0; "ptx": PTX that any GPU from 8.0 on can compile
  bool is_ptx() const { return arch == "ptx"; }
};

/// The target of `--arch`. CompileError (usage) for an unknown one.
CudaTarget resolve_arch(const std::string& arch);

/// CUDA C++ to a cubin, or to PTX. `name` is for messages. CompileError (environment) if there is no NVRTC; a source that does not compile is a bug.
std::string compile_cuda(const std::string& source, const std::string& name, const CudaTarget& target);

/// "13.0", for the manifest. CompileError as above.
std::string nvrtc_version();

}  // namespace intaglio::cuda
