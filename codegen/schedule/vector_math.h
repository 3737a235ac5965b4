// Math functions as arithmetic: one definition for every target.
#pragma once

#include "ir/kernel/expr.h"

namespace intaglio {

/// Replaces exp, log, tanh, sin, cos, erf, pow, sigmoid and the remainder of floats in `e` by basic operators on the same type (f32, f64). NaN stays NaN,
/// infinities are exact limits. pow is exp(b * log(a)) in double. The remainder is exact. sin and cos beyond 2^30 are only known to lie in [-1, 1].
/// tanh, erf, sin, cos and the remainder exist for f32 alone; CompileError for f64.
kernel::Expr expand_math(const kernel::Expr& e);

}  // namespace intaglio
