// See lanes.h.

#include "codegen/schedule/lanes.h"

#include <algorithm>
#include <numeric>

namespace intaglio {

using kernel::Expr;
using kernel::ExprKind;
using kernel::Op;

std::int64_t known_divisor(const Expr& e, const Multiples& multiples) {
  const auto of_arg = [&](std::size_t i) { return known_divisor(e->args[i], multiples); };
  switch (e->kind) {
    case ExprKind::constant: return is_float(e->dtype) ? 1 : std::abs(e->integer);
    case ExprKind::var:
    case ExprKind::local: {
      const auto known = multiples.find(e->var);
      return known == multiples.end() ? 1 : known->second;
    }
    case ExprKind::select: return std::gcd(of_arg(1), of_arg(2));
    case ExprKind::binary:
      switch (e->op) {
        case Op::mul: {
          const std::int64_t a = of_arg(0), b = of_arg(1);
          // Factors beyond this are of no use, and their product must not overflow.
          constexpr std::int64_t kEnough = 1 << 20;
          return a < kEnough && b < kEnough ? a * b : std::max(a, b);
        }
        case Op::add:
        case Op::sub:
        case Op::min:
        case Op::max:
        case Op::index_mod: return std::gcd(of_arg(0), of_arg(1));
        case Op::index_div: {
          const auto by = kernel::constant_value(e->args[1]);
          const std::int64_t a = of_arg(0);
          return by && *by > 0 && a % *by == 0 ? a / *by : 1;
        }
        default: return 1;
      }
    default: return 1;
  }
}

std::optional<std::int64_t> LaneStrides::of(const Expr& e) {
  if (const auto known = known_.find(e.get()); known != known_.end()) return known->second;
  const auto stride = compute(e);
  known_.emplace(e.get(), stride);
  return stride;
}

/// True if a + lane * stride lies in the same block of `block` numbers for all lanes.
bool LaneStrides::stays_in_one_block(const Expr& a, std::int64_t stride, const Expr& block) const {
  const std::int64_t step = std::gcd(known_divisor(a, multiples_), known_divisor(block, multiples_));
  // The first lane's place in its block is a multiple of `step`, and so is the block's end.
  return stride >= 0 && stride * (lanes_.count - 1) < step;
}

std::optional<std::int64_t> LaneStrides::compute(const Expr& e) {
  if (e->kind == ExprKind::var) return e->var == lanes_.var ? 1 : 0;
  if (e->kind == ExprKind::local) return lanes_.locals.contains(e->var) ? std::nullopt : std::optional<std::int64_t>(0);
  if (std::ranges::all_of(e->args, [&](const Expr& arg) { return is_uniform(arg); })) return 0;
  const bool index = e->dtype == DType::i64;
  if (!index || e->args.size() < 2) return std::nullopt;
  if (e->kind == ExprKind::select && is_uniform(e->args[0]) && of(e->args[1]) == of(e->args[2])) return of(e->args[1]);
  if (e->kind != ExprKind::binary) return std::nullopt;
  const auto a = of(e->args[0]), b = of(e->args[1]);
  if (!a || !b) return std::nullopt;
  switch (e->op) {
    case Op::add: return *a + *b;
    case Op::sub: return *a - *b;
    case Op::mul: {
      const auto left = kernel::constant_value(e->args[0]), right = kernel::constant_value(e->args[1]);
      if (right) return *a * *right;
      return left ? std::optional(*left * *b) : std::nullopt;
    }
    case Op::min:
    case Op::max: return a == b ? a : std::nullopt;
    case Op::index_div: return *b == 0 && stays_in_one_block(e->args[0], *a, e->args[1]) ? std::optional<std::int64_t>(0) : std::nullopt;
    case Op::index_mod: return *b == 0 && stays_in_one_block(e->args[0], *a, e->args[1]) ? a : std::nullopt;
    default: return std::nullopt;
  }
}

}  // namespace intaglio
