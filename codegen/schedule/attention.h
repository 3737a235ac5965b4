// Attention as every target's generator sees it: loops, elements of the operands, epilogue.
#pragma once

#include "codegen/schedule/contraction.h"

namespace intaglio {

/// result[batch, s, e] = epilogue(sum over t of weight[s, t] * v[batch, t, e]), where weight[s, ..] is the softmax over t of
/// scale * (sum over d of q[batch, s, d] * k[batch, t, d]) + mask[batch, s, t].
struct Attention : RootedKernel {
  Axis s, t, d, e;  ///< queries, keys, and the columns of q and k, of v
  double scale = 1;
  DType storage = DType::f32;  ///< of the operands
  DType compute = DType::f32;

  kernel::Expr q;     ///< in terms of batch, s, d
  kernel::Expr k;     ///< in terms of batch, t, d
  kernel::Expr v;     ///< in terms of batch, t, e
  kernel::Expr mask;  ///< in terms of batch, s, t; null without one
};

/// The attention of a `kernel` node whose root it is.
Attention describe_attention(const Node& kernel_node);

/// Attention as plain loops, a task for each query: for -O0, for dtypes without a kernel, and for targets that fuse none.
kernel::Kernel lower_naive_attention(const Attention& attention);

/// Multiplications and additions of both products.
Dim attention_flops(const Node& root);

/// Readable text, what `--emit kernels` prints and what equal kernels share.
std::string to_text(const Attention& attention);

}  // namespace intaglio
