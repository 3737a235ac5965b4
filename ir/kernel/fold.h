// Arithmetic on constants as generated code would do it; used by the factories of expr.cpp.
#pragma once

#include "ir/kernel/expr.h"

namespace intaglio::kernel::fold {

/// The nearest value of a float type, as a double.
double round_to(DType dtype, double value);
/// The low bits of an integer, extended by the sign of `dtype`; 0 or 1 for booleans.
std::int64_t wrap_to(DType dtype, std::int64_t value);
/// The constant that a cast of `value` to an integer or boolean type gives: saturated, NaN is 0.
Expr convert_to_integer(DType dtype, double value);

/// These answer null where an operand is not constant or the operation is left to run time.
Expr unary(Op op, const Expr& a);
Expr binary(Op op, const Expr& a, const Expr& b);
Expr compare(Op op, const Expr& a, const Expr& b);
Expr cast(const Expr& a, DType to);

}  // namespace intaglio::kernel::fold
