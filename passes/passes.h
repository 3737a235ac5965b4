// Every pass. Each is in the file of its name; pipeline.cpp says in which order they run and why.
#pragma once

#include "passes/pass.h"

namespace intaglio {

/// Removes nodes that nothing reads.
bool eliminate_dead(Graph& graph, const PassContext& context);
/// Makes readers of equal nodes and equal constants read the first one.
bool eliminate_common(Graph& graph, const PassContext& context);
/// Evaluates nodes whose operands are all constants.
bool fold_constants(Graph& graph, const PassContext& context);
/// Stores computed integers of less than 8 bits in bytes.
bool widen_small_integers(Graph& graph, const PassContext& context);
/// Replaces shape arithmetic with what it is known to yield: a constant, or `dims`.
bool fold_shapes(Graph& graph, const PassContext& context);
/// Rewrites by algebraic identities until none applies.
bool simplify(Graph& graph, const PassContext& context);
/// Folds a batch norm into the convolution before it.
bool fold_batch_norm(Graph& graph, const PassContext& context);
/// Turns what batch norms are left into a multiplication and an addition.
bool decompose_batch_norm(Graph& graph, const PassContext& context);
/// Folds zero padding into the convolution or pooling after it.
bool fold_pad(Graph& graph, const PassContext& context);
/// Folds constant scales and shifts into the weights and bias of convolutions, and moves scalar factors behind matrix products.
bool fold_scale(Graph& graph, const PassContext& context);
/// Moves reshapes and transposes of a matrix product's rows before the product.
bool lift_views(Graph& graph, const PassContext& context);
/// Moves slices before the nodes whose whole result is computed for a part of it.
bool lift_slices(Graph& graph, const PassContext& context);
/// Computes matrix products of one value with several weights as one product.
bool merge_matmuls(Graph& graph, const PassContext& context);
/// Puts quantize and dequantize around the contractions that are to be computed in fewer bits.
bool insert_quantization(Graph& graph, const PassContext& context);
/// Computes contractions of dequantized operands in integers.
bool lower_quantized(Graph& graph, const PassContext& context);
/// Moves the division of a quantization into the factors of the sum that it quantizes.
bool fold_step(Graph& graph, const PassContext& context);
/// Makes a product, softmax and product that are attention one node, where the target has a kernel for it.
bool fuse_attention(Graph& graph, const PassContext& context);
/// Rewrites f32 values to 16-bit floats, but for what needs the range or precision of f32.
bool convert_precision(Graph& graph, const PassContext& context);
/// Lays out the input of convolutions of few channels so that rows of windows are whole words.
bool pad_windows(Graph& graph, const PassContext& context);
/// Gives convolutions of few channels more, which hold zeros.
bool pad_channels(Graph& graph, const PassContext& context);
/// Gives each value the memory order that its producer and readers work best in.
bool choose_layouts(Graph& graph, const PassContext& context);
/// Groups nodes into `kernel` nodes, one for each piece of code that will be generated.
bool fuse_kernels(Graph& graph, const PassContext& context);

}  // namespace intaglio
