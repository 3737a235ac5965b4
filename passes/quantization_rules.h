// Which contractions are quantized, and why others are not.
#pragma once

#include <string>
#include <vector>

#include "ir/graph.h"
#include "passes/pass.h"

namespace intaglio {

/// What becomes of a contraction.
struct QuantizationChoice {
  Node* node;
  /// What is quantized of its left side: the value before reshapes and transposes, which move integers as well. Null if the weights alone are.
  Value* activation = nullptr;
  /// Why it stays in floats; empty if it is quantized.
  std::string reason = {};
};

/// All contractions of floats in order. Ranges are not looked at: calibration asks for what to observe.
std::vector<QuantizationChoice> choose_quantized(const Graph& graph, const PassContext& context);

}  // namespace intaglio
