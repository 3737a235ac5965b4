// Compiled kernels, kept by the hash of everything they depend on.
#pragma once

#include <string>

#include "codegen/cuda/nvrtc.h"

namespace intaglio::cuda {

/// compile_cuda, or what it gave before: a file in ~/.cache/intaglio/cuda (INTAGLIO_CACHE or XDG_CACHE_HOME move it). A cache that cannot be
/// read or written is passed over.
std::string compile_cached(const std::string& source, const std::string& name, const CudaTarget& target);

}  // namespace intaglio::cuda
