// Weights in four bits.
#pragma once

#include "ir/graph.h"

namespace intaglio {

/// Stores the constant weights of a convolution or matrix product in i4, with an f32 scale for each output channel and block of 32 steps of the sum
/// over the input channels: dequantize(i4[outputs, .., channels]), transposed to what the contraction wants. What is summed over is innermost, as tensor cores read it.
void pack_int4_weights(Node& contraction);

}  // namespace intaglio
