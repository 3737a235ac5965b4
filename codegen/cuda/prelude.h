// The text of prelude_asm.cuh, prelude.cuh and prelude_tile.cuh, which stands in front of every kernel.
#pragma once

#include <string>

namespace intaglio::cuda {

const std::string& prelude();

}  // namespace intaglio::cuda
