// Divisions that need not be exact: an exact one takes a GPU some twenty instructions and a branch, one within 2 units in the last place seven.
#pragma once

#include <functional>

#include "ir/kernel/expr.h"

namespace intaglio::cuda {

/// `e` with near quotients, or products with the inverse of a constant, for the f32 divisions from which only continuous arithmetic leads to a 16-bit float:
/// it keeps 2^-9 or 2^-12 of what it is given, of which the error is 2^-22. Parts that are `known` stay as they are.
kernel::Expr with_near_divisions(const kernel::Expr& e, const std::function<bool(const kernel::Expr&)>& known);

}  // namespace intaglio::cuda
