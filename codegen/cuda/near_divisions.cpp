// See near_divisions.h.

#include "codegen/cuda/near_divisions.h"

#include <cmath>
#include <map>
#include <optional>
#include <utility>

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::ExprKind;
using kernel::Op;

bool is_16_bit_float(DType dtype) { return dtype == DType::f16 || dtype == DType::bf16; }

/// True if a small error of operand `i` makes a small one of the result.
bool is_continuous_in(const kernel::ExprNode& e, std::size_t i) {
  switch (e.kind) {
    case ExprKind::unary: return e.op == Op::neg || e.op == Op::abs || e.op == Op::sqrt;
    case ExprKind::binary: return e.op == Op::add || e.op == Op::sub || e.op == Op::mul || e.op == Op::div || e.op == Op::min || e.op == Op::max;
    case ExprKind::select: return i > 0;
    case ExprKind::reduce: return i == 0;
    default: return false;
  }
}

/// The value of a constant, or of one that is cast to f32.
std::optional<double> real_constant(const Expr& e) {
  if (e->kind == ExprKind::constant && is_float(e->dtype)) return e->real;
  return e->kind == ExprKind::cast && e->dtype == DType::f32 ? real_constant(e->args[0]) : std::nullopt;
}

class Rewriter {
 public:
  explicit Rewriter(const std::function<bool(const Expr&)>& known) : known_(known) {}

  /// `rounds`: only 16-bit floats are made of it.
  Expr rewrite(const Expr& e, bool rounds) {
    if (e->args.empty() || known_(e)) return e;
    Expr& result = done_[{e.get(), rounds}];
    if (!result) result = rewritten(e, rounds);
    return result;
  }

 private:
  Expr rewritten(const Expr& e, bool rounds) {
    auto copy = std::make_shared<kernel::ExprNode>(*e);
    bool changed = false;
    for (std::size_t i = 0; i < e->args.size(); ++i) {
      const bool arg_rounds = e->kind == ExprKind::cast ? is_16_bit_float(e->dtype) : rounds && is_continuous_in(*e, i);
      copy->args[i] = rewrite(e->args[i], arg_rounds);
      changed |= copy->args[i] != e->args[i];
    }
    if (!rounds || e->kind != ExprKind::binary || e->op != Op::div || e->dtype != DType::f32) return changed ? Expr(copy) : e;
    const std::optional<double> divisor = real_constant(e->args[1]);
    if (divisor && std::isnormal(static_cast<float>(1 / *divisor))) return kernel::binary(Op::mul, copy->args[0], kernel::constant(DType::f32, 1 / *divisor));
    copy->op = Op::div_near;
    return copy;
  }

  const std::function<bool(const Expr&)>& known_;
  std::map<std::pair<const kernel::ExprNode*, bool>, Expr> done_;
};

}  // namespace

Expr with_near_divisions(const Expr& e, const std::function<bool(const Expr&)>& known) { return Rewriter(known).rewrite(e, false); }

}  // namespace intaglio::cuda
