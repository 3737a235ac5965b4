// Constant weights of 4 bits, with scales that many of them share, as the second operand of a contraction.
#pragma once

#include <cstdint>
#include <optional>

#include "codegen/schedule/step_format.h"
#include "ir/view.h"

namespace intaglio::cpu {

struct Int4Weights {
  const Node* dequantize = nullptr;  ///< of row-major weights and scales
  StridedView view;                  ///< of the contraction's operand in the stored weights
  std::int64_t block = 0;            ///< input channels that share a scale: a multiple of kInt4Word, or all of them
};

/// The dequantization whose result, perhaps moved, `contraction` multiplies by. Nothing where weights have zero points, one scale for all of them, or come
/// in stacks, where they do not lie at constant strides, or where the scale changes within a word.
std::optional<Int4Weights> find_int4_weights(const Node& contraction);

}  // namespace intaglio::cpu
