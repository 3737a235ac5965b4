// Kernel IR, expressions: typed scalar arithmetic on loop variables, symbols and buffer elements. Immutable and shared.
// An expression says what one element is; whether many are computed at once is the business of the loop that it stands in.
//  - Index arithmetic is i64. `load` and `store` take one linear offset in elements.
//  - Integers wrap; `cast` from float to integer saturates, NaN becomes 0; shifts are by less than the width.
//  - f16, bf16 and 8-bit floats are storage types: a load of them is followed by a cast to f32, a store preceded by a cast from it. To 8 bits f32 saturates.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "intaglio/tensor.h"
#include "ir/dim.h"

namespace intaglio::kernel {

enum class ExprKind {
  constant,  ///< `integer` or `real`
  var,       ///< a loop variable: `var`; args[0] is the extent of its loop where that is known, of use to simplification alone
  symbol,    ///< an extent known at run time: `name`
  load,      ///< `buffer`, args[0] the offset
  local,     ///< the current value of a local: `var` is its number
  unary,
  binary,
  compare,   ///< args[0] op args[1], boolean
  select,    ///< args[0] ? args[1] : args[2]; both sides are computed
  cast,      ///< args[0] to `dtype`
  bitcast,   ///< same width
  reduce,    ///< folds args[0] over `var` in [0, args[1]) with `op` (add, mul, min, max, logical_and/or), serially in order
  checked,   ///< args[0], where 0 <= args[0] < args[1] is checked at run time; out of range stops the kernel with INTAGLIO_KERNEL_INDEX_OUT_OF_RANGE
};

enum class Op {
  // unary
  neg, abs, sqrt, floor, ceil, trunc, round_even, logical_not, bit_not, is_nan,
  // math functions: expanded to the others by codegen/schedule/vector_math.cpp, with the error bound stated there
  exp, log, tanh, sin, cos, erf, pow, sigmoid,
  // binary; integer division truncates towards zero (x/0 = 0, INT_MIN/-1 wraps), mod has the divisor's sign, rem the dividend's
  add, sub, mul, div, mod, rem, min, max, logical_and, logical_or, logical_xor, bit_and, bit_or, bit_xor, shl, shr,
  // the quotient of f32, within 2 units in the last place
  div_near,
  // index arithmetic on non-negative operands: unsigned division and remainder
  index_div, index_mod,
  // comparisons
  eq, ne, lt, le, gt, ge,
};
std::string_view op_text(Op op);

struct ExprNode;
using Expr = std::shared_ptr<const ExprNode>;

struct ExprNode {
  ExprKind kind;
  DType dtype;
  Op op = Op::add;
  std::int64_t integer = 0;
  double real = 0;
  int var = -1;
  int buffer = -1;
  std::string name;
  std::vector<Expr> args;
  /// Of the structure, the same in each run. Expressions that are equal are one object (within a thread): compare pointers.
  std::uint64_t hash = 0;
};

// Factories. They fold constants and simplify index arithmetic (x+0, x*1, (x*a)*b, x index_div 1, sums sorted ..).
Expr constant(DType dtype, double value);
Expr index_constant(std::int64_t value);
/// An integer or boolean constant that need not fit a double; wraps to the width of `dtype`.
Expr integer_constant(DType dtype, std::int64_t value);
Expr var(int id);
/// A loop variable known to be in [0, extent), which lets divisions, remainders and comparisons of it simplify; 0 if the extent is 1.
Expr var(int id, Expr extent);
Expr symbol(const std::string& name);
Expr local(int id, DType dtype);
Expr load(int buffer, DType dtype, Expr offset);
Expr unary(Op op, Expr a);
Expr binary(Op op, Expr a, Expr b);
Expr compare(Op op, Expr a, Expr b);
Expr select(Expr condition, Expr a, Expr b);
Expr cast(Expr a, DType to);
Expr bitcast(Expr a, DType to);
Expr reduce(Op op, int var, Expr extent, Expr body);
Expr checked(Expr value, Expr extent);

/// A dimension as index arithmetic.
Expr from_dim(const Dim& dim);

std::optional<std::int64_t> constant_value(const Expr& e);
bool is_zero(const Expr& e);

/// `e` as `stride * var + rest`, both free of `var`; nothing if it is not linear in it. A loop-invariant expression has stride 0.
struct Linear {
  Expr stride;
  Expr rest;
};
std::optional<Linear> linear_in(const Expr& e, int var);
bool depends_on(const Expr& e, int var);
/// Replaces loop variables.
Expr substitute(const Expr& e, int var, const Expr& by);
/// Replaces an expression wherever it occurs.
Expr replace(const Expr& e, const Expr& part, const Expr& by);
/// The first outermost part that `matches`, or null.
Expr find_subexpression(const Expr& e, const std::function<bool(const Expr&)>& matches);
/// Every distinct subexpression once, operands before users.
void visit(const Expr& e, const std::function<void(const ExprNode&)>& f);

/// True if index arithmetic proves it: 0 <= e; a < b.
bool known_non_negative(const Expr& e);
bool known_less(const Expr& a, const Expr& b);

/// Deterministic text; equal texts mean equal expressions. Subexpressions with several users are named first: "%0 := v1 + 1; %0 * %0".
std::string to_text(const Expr& e);

}  // namespace intaglio::kernel
