// Math functions as arithmetic: one definition for every target.
#pragma once

#include "ir/kernel/expr.h"

namespace intaglio {

/// Replaces exp, log, tanh, sin, cos, erf, pow and sigmoid in `e` by basic operators on the same type (f32, f64). NaN stays NaN, infinities are exact limits.
/// Largest errors, measured by tests/codegen/vector_math_test.cpp against double (f32): exp, sigmoid, tanh, log, erf 3 ulp; pow is exp(b * log(a)), whose error grows with its exponent;
/// sin and cos 2 ulp of the largest value up to |x| = 1e5.
kernel::Expr expand_math(const kernel::Expr& e);

}  // namespace intaglio
