// Every elementwise operator with every dtype that it takes, as groups of one node over vectors of symbolic length.
#pragma once

#include <string>
#include <vector>

#include "tests/codegen/lowering.h"

namespace intaglio::testing {

struct ElementwiseCase {
  std::string text;  ///< "add(f32, f32)"
  std::string op;
  WrappedGroup group;
  DType dtype() const { return group.region().arguments()[0]->type.dtype; }
};

/// All but batch_norm; what inference refuses is left out. The only symbol is N, the length.
std::vector<ElementwiseCase> elementwise_cases();

/// Inputs of a case: the operands run through all pairs of numbers where arithmetic changes its ways (zeros, ones, halves, bounds of
/// integers, denormals, the largest, infinities, NaN), beginning with pair number `first`.
std::vector<Tensor> edge_inputs(const ElementwiseCase& c, std::int64_t length, std::int64_t first);
/// How many pairs there are at most.
inline constexpr std::int64_t kEdgePairs = 51 * 51;

}  // namespace intaglio::testing
