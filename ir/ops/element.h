// What the records' `pull` functions share: index arithmetic on elements.
#pragma once

#include <vector>

#include "ir/op.h"

namespace intaglio::ops {

using Index = std::vector<kernel::Expr>;

/// The dtype that elements of `dtype` are computed in: f32 for the smaller floats, else itself.
DType compute_dtype(DType dtype);
/// `x` rounded to a smaller float, in f32.
kernel::Expr rounded_storage(const kernel::Expr& x, DType dtype);
/// A number as an element of `dtype` arrives from an operand.
kernel::Expr element_constant(DType dtype, double value);

kernel::Expr index_add(const kernel::Expr& a, const kernel::Expr& b);
kernel::Expr index_sub(const kernel::Expr& a, const kernel::Expr& b);
kernel::Expr index_mul(const kernel::Expr& a, const kernel::Expr& b);
/// `index` kept within [0, extent).
kernel::Expr clamp(const kernel::Expr& index, const kernel::Expr& extent);

/// The index into a value of shape `from` that broadcasts to `to`, for an index into the latter.
Index broadcast_index(const Shape& from, const Shape& to, const Index& index);
/// The element of operand `i` that broadcasts to `index` of the node's result.
kernel::Expr broadcast_operand(PullContext& context, const Node& node, int i, const Index& index);

}  // namespace intaglio::ops
