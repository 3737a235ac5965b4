// The two halves of the pass pipeline: what simplifies a graph in float32, and what chooses types, layouts and kernels.
#pragma once

#include <span>

#include "passes/pass.h"

namespace intaglio {

enum class Stage {
  simplify,  ///< up to insert_quantization
  lower,     ///< from there on
};

std::span<const Pass> passes_of(Stage stage);

}  // namespace intaglio
