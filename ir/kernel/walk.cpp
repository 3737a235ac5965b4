// Walks over expressions, each shared subexpression once.
#include <unordered_map>
#include <unordered_set>

#include "ir/kernel/expr.h"
#include "ir/kernel/index.h"
#include "support/diagnostics.h"

namespace intaglio::kernel {
namespace {

/// The extent that a loop variable carries is no operand of it.
bool has_operands(const ExprNode& node) { return node.kind != ExprKind::var; }

void visit_once(const Expr& e, std::unordered_set<const ExprNode*>& seen, const std::function<void(const ExprNode&)>& f) {
  if (!seen.insert(e.get()).second) return;
  if (has_operands(*e)) {
    for (const Expr& arg : e->args) visit_once(arg, seen, f);
  }
  f(*e);
}

/// The same node with other operands, simplified again.
Expr rebuild(const ExprNode& node, std::vector<Expr> args) {
  switch (node.kind) {
    case ExprKind::load:
      return load(node.buffer, node.dtype, args[0]);
    case ExprKind::unary:
      return unary(node.op, args[0]);
    case ExprKind::binary:
      return binary(node.op, args[0], args[1]);
    case ExprKind::compare:
      return compare(node.op, args[0], args[1]);
    case ExprKind::select:
      return select(args[0], args[1], args[2]);
    case ExprKind::cast:
      return cast(args[0], node.dtype);
    case ExprKind::bitcast:
      return bitcast(args[0], node.dtype);
    case ExprKind::reduce:
      return reduce(node.op, node.var, args[1], args[0]);
    case ExprKind::checked:
      return checked(args[0], args[1]);
    case ExprKind::constant:
    case ExprKind::var:
    case ExprKind::symbol:
    case ExprKind::local:
      break;
  }
  internal_check(false, "an expression of kind {} has no operands", static_cast<int>(node.kind));
  return nullptr;
}

/// Rebuilds an expression with some parts replaced.
class Substitution {
 public:
  /// `replacement` answers what stands for a part, or null.
  explicit Substitution(std::function<Expr(const Expr&)> replacement) : replacement_(std::move(replacement)) {}

  Expr apply(const Expr& e) {
    if (Expr replaced = replacement_(e)) return replaced;
    if (!has_operands(*e) || e->args.empty()) return e;
    if (const auto known = done_.find(e.get()); known != done_.end()) return known->second;
    std::vector<Expr> args;
    args.reserve(e->args.size());
    for (const Expr& arg : e->args) args.push_back(apply(arg));
    Expr result = args == e->args ? e : rebuild(*e, std::move(args));
    done_.emplace(e.get(), result);
    return result;
  }

 private:
  std::function<Expr(const Expr&)> replacement_;
  std::unordered_map<const ExprNode*, Expr> done_;
};

Expr find_once(const Expr& e, std::unordered_set<const ExprNode*>& seen, const std::function<bool(const Expr&)>& matches) {
  if (!seen.insert(e.get()).second) return nullptr;
  if (matches(e)) return e;
  if (!has_operands(*e)) return nullptr;
  for (const Expr& arg : e->args) {
    if (Expr found = find_once(arg, seen, matches)) return found;
  }
  return nullptr;
}

}  // namespace

void visit(const Expr& e, const std::function<void(const ExprNode&)>& f) {
  std::unordered_set<const ExprNode*> seen;
  visit_once(e, seen, f);
}

bool depends_on(const Expr& e, int var) {
  bool found = false;
  visit(e, [&](const ExprNode& node) { found = found || (node.kind == ExprKind::var && node.var == var); });
  return found;
}

Expr substitute(const Expr& e, int var, const Expr& by) {
  return Substitution([&](const Expr& part) { return part->kind == ExprKind::var && part->var == var ? by : nullptr; }).apply(e);
}

Expr replace(const Expr& e, const Expr& part, const Expr& by) {
  return Substitution([&](const Expr& here) { return here == part ? by : nullptr; }).apply(e);
}

Expr find_subexpression(const Expr& e, const std::function<bool(const Expr&)>& matches) {
  std::unordered_set<const ExprNode*> seen;
  return find_once(e, seen, matches);
}

Expr from_dim(const Dim& dim) {
  const auto of_atom = [](const Dim::Atom& atom) -> Expr {
    if (atom.kind == Dim::AtomKind::symbol) return symbol(atom.name);
    const Expr a = from_dim(atom.args[0]);
    const Expr b = from_dim(atom.args[1]);
    const bool unsigned_operands = known_non_negative(a) && known_non_negative(b);
    const Expr mod = binary(unsigned_operands ? Op::index_mod : Op::mod, a, b);
    switch (atom.kind) {
      case Dim::AtomKind::mod:
        return mod;
      // Rounding down is truncation once the remainder is gone.
      case Dim::AtomKind::floordiv:
        return unsigned_operands ? binary(Op::index_div, a, b) : binary(Op::div, binary(Op::sub, a, mod), b);
      case Dim::AtomKind::min:
        return binary(Op::min, a, b);
      case Dim::AtomKind::max:
        return binary(Op::max, a, b);
      case Dim::AtomKind::bcast:
        return select(compare(Op::eq, a, index_constant(1)), b, a);
      case Dim::AtomKind::symbol:
        break;
    }
    internal_check(false, "unknown kind of atom in {}", atom.text);
    return nullptr;
  };
  Expr sum = index_constant(0);
  for (const Dim::Term& term : dim.terms()) {
    Expr product = index_constant(term.coefficient);
    for (const Dim::AtomRef& atom : term.atoms) product = binary(Op::mul, product, of_atom(*atom));
    sum = binary(Op::add, sum, product);
  }
  return sum;
}

}  // namespace intaglio::kernel
