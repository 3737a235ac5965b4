// Index arithmetic inside ir/kernel: i64 expressions as polynomials, which is how factories bring sums and products into one form
// and how divisions, remainders and comparisons with known ranges disappear.
#pragma once

#include "ir/kernel/expr.h"

namespace intaglio::kernel {

/// The one object for `node`, whose hash this computes. What every factory ends in.
Expr intern(ExprNode node);
/// A binary node as it is, without simplification.
Expr raw_binary(Op op, DType dtype, Expr a, Expr b);

namespace index {

/// Canonical a+b, a-b, a*b.
Expr arithmetic(Op op, const Expr& a, const Expr& b);
/// a index_div b and a index_mod b for non-negative operands.
Expr divide(const Expr& a, const Expr& b);
Expr remainder(const Expr& a, const Expr& b);

}  // namespace index
}  // namespace intaglio::kernel
