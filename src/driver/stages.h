// The two halves of the pass pipeline: what simplifies a graph in float32, once, and what chooses types, layouts and kernels for each target.
#pragma once

#include <span>
#include <vector>

#include "codegen/backend.h"
#include "passes/pass.h"

namespace intaglio {

enum class Stage {
  simplify,  ///< up to insert_quantization
  lower,     ///< from there on
};

std::span<const Pass> passes_of(Stage stage);

/// Copies of `graph`, which has been through the simplifying passes, lowered for each back end that `codegen` names. Of several, each dumps to a
/// folder of its own.
std::vector<LoweredGraph> lower_for_targets(const Graph& graph, const CodegenOptions& codegen, const PassContext& context, const RunnerOptions& runner);

}  // namespace intaglio
