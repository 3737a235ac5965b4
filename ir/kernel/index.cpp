// Index arithmetic as polynomials: sum of coefficient * product of atoms. An atom is whatever is not a sum or product.
#include "ir/kernel/index.h"

#include <algorithm>
#include <numeric>

#include "support/diagnostics.h"

namespace intaglio::kernel {
namespace index {
namespace {

struct Term {
  std::vector<Expr> atoms;  ///< sorted by `before`
  std::int64_t coefficient = 0;
};
/// Sorted, no two with the same atoms, no coefficient 0.
using Terms = std::vector<Term>;

/// Products are multiplied out up to this many terms of this degree. Beyond, a product is an atom: data is not index arithmetic
/// (repeated squaring would double the degree each time).
constexpr std::size_t kMaxTerms = 48;
constexpr std::size_t kMaxDegree = 8;
/// How far into minima, selections and quotients ranges are looked for.
constexpr int kMaxDepth = 6;

std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}
std::int64_t wrapping_mul(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(b));
}

/// Loop variables first, by number, then symbols by name, then the rest by a hash that is the same in each run.
bool before(const Expr& a, const Expr& b) {
  const auto rank = [](const Expr& e) { return e->kind == ExprKind::var ? 0 : e->kind == ExprKind::symbol ? 1 : 2; };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  if (a->kind == ExprKind::var && a->var != b->var) return a->var < b->var;
  if (a->kind == ExprKind::symbol) return a->name < b->name;
  return a->hash < b->hash;
}

bool atoms_before(const std::vector<Expr>& a, const std::vector<Expr>& b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (a[i] != b[i]) return before(a[i], b[i]);
  }
  // The constant, which has no atoms, comes last.
  return a.size() > b.size();
}

void add_term(Terms& terms, Term term) {
  if (term.coefficient == 0) return;
  const auto at = std::find_if(terms.begin(), terms.end(), [&](const Term& t) { return !atoms_before(t.atoms, term.atoms); });
  if (at == terms.end() || at->atoms != term.atoms) {
    terms.insert(at, std::move(term));
    return;
  }
  at->coefficient = wrapping_add(at->coefficient, term.coefficient);
  if (at->coefficient == 0) terms.erase(at);
}

Term product(const Term& a, const Term& b) {
  Term result{a.atoms, wrapping_mul(a.coefficient, b.coefficient)};
  result.atoms.insert(result.atoms.end(), b.atoms.begin(), b.atoms.end());
  std::sort(result.atoms.begin(), result.atoms.end(), before);
  return result;
}

Terms product(const Terms& a, const Terms& b) {
  Terms result;
  for (const Term& x : a) {
    for (const Term& y : b) add_term(result, product(x, y));
  }
  return result;
}

Terms sum(Terms a, const Terms& b, std::int64_t factor = 1) {
  for (const Term& t : b) add_term(a, {t.atoms, wrapping_mul(t.coefficient, factor)});
  return a;
}

Terms constant_terms(std::int64_t value) {
  Terms terms;
  add_term(terms, {{}, value});
  return terms;
}

Terms atom_terms(const Expr& e) { return {Term{{e}, 1}}; }

/// A product that is not multiplied out carries this mark in `integer`.
constexpr std::int64_t kOpaque = 1;

std::size_t degree(const Terms& terms) {
  std::size_t largest = 0;
  for (const Term& term : terms) largest = std::max(largest, term.atoms.size());
  return largest;
}

bool can_multiply_out(const Terms& a, const Terms& b) { return a.size() * b.size() <= kMaxTerms && degree(a) + degree(b) <= kMaxDegree; }

Expr opaque_product(const Expr& a, const Expr& b) {
  ExprNode node{};
  node.kind = ExprKind::binary;
  node.dtype = DType::i64;
  node.op = Op::mul;
  node.integer = kOpaque;
  node.args = {a, b};
  return intern(std::move(node));
}

Terms terms_of(const Expr& e) {
  if (e->kind == ExprKind::constant) return constant_terms(e->integer);
  if (e->kind != ExprKind::binary || e->integer == kOpaque) return atom_terms(e);
  if (e->op != Op::add && e->op != Op::sub && e->op != Op::mul) return atom_terms(e);
  const Terms a = terms_of(e->args[0]);
  const Terms b = terms_of(e->args[1]);
  return e->op == Op::mul ? product(a, b) : sum(a, b, e->op == Op::add ? 1 : -1);
}

Expr expression_of(const Term& term) {
  Expr result;
  for (const Expr& atom : term.atoms) result = result ? raw_binary(Op::mul, DType::i64, result, atom) : atom;
  if (!result) return index_constant(term.coefficient);
  return term.coefficient == 1 ? result : raw_binary(Op::mul, DType::i64, result, index_constant(term.coefficient));
}

Expr expression_of(const Terms& terms) {
  Expr result;
  for (const Term& term : terms) {
    // INT64_MIN has no negation
    const bool negative = result && term.coefficient < 0 && term.coefficient != INT64_MIN;
    const Expr e = expression_of(negative ? Term{term.atoms, -term.coefficient} : term);
    result = !result ? e : raw_binary(negative ? Op::sub : Op::add, DType::i64, result, e);
  }
  return result ? result : index_constant(0);
}

bool is_index_op(const Expr& e, Op op) { return e->kind == ExprKind::binary && e->op == op; }

// ---- ranges

bool non_negative_atom(const Expr& e, int depth);

std::optional<Terms> bound(const Terms& terms, bool upper, int depth);

bool all_non_negative(const std::vector<Expr>& atoms, int depth) {
  return std::all_of(atoms.begin(), atoms.end(), [&](const Expr& atom) { return non_negative_atom(atom, depth); });
}

bool all_non_negative(const Terms& terms, int depth) {
  return std::all_of(terms.begin(), terms.end(), [&](const Term& t) { return t.coefficient > 0 && all_non_negative(t.atoms, depth); });
}

bool non_negative(const Terms& terms, int depth = 0) {
  if (all_non_negative(terms, depth)) return true;
  const std::optional<Terms> low = bound(terms, false, depth);
  return low && all_non_negative(*low, depth);
}

bool non_negative_atom(const Expr& e, int depth) {
  if (depth == kMaxDepth) return false;
  const auto argument = [&](std::size_t i) { return non_negative(terms_of(e->args[i]), depth + 1); };
  switch (e->kind) {
    case ExprKind::var:
    case ExprKind::symbol:
    case ExprKind::checked:
      return true;
    case ExprKind::select:
      return argument(1) && argument(2);
    case ExprKind::binary:
      break;
    default:
      return false;
  }
  switch (e->op) {
    case Op::index_div:
    case Op::index_mod:
      return true;
    case Op::max:
      return argument(0) || argument(1);
    case Op::min:
    case Op::mul:
      return argument(0) && argument(1);
    default:
      return false;
  }
}

/// At most this, for an atom that is not negative.
Terms atom_upper_bound(const Expr& e, int depth) {
  if (e->kind == ExprKind::var && !e->args.empty()) return sum(terms_of(e->args[0]), constant_terms(1), -1);
  if (e->kind == ExprKind::checked) return sum(terms_of(e->args[1]), constant_terms(1), -1);
  if (is_index_op(e, Op::index_mod)) return sum(terms_of(e->args[1]), constant_terms(1), -1);
  if (is_index_op(e, Op::index_div) && depth < kMaxDepth) {
    const std::optional<Terms> dividend = bound(terms_of(e->args[0]), true, depth + 1);
    const std::optional<std::int64_t> divisor = constant_value(e->args[1]);
    if (dividend && divisor && *divisor > 0 && dividend->size() <= 1 && (dividend->empty() || dividend->front().atoms.empty())) {
      return constant_terms((dividend->empty() ? 0 : dividend->front().coefficient) / *divisor);
    }
  }
  if (is_index_op(e, Op::min)) {
    for (const Expr& arg : e->args) {
      if (arg->kind == ExprKind::constant) return terms_of(arg);
    }
  }
  return atom_terms(e);
}

/// A polynomial over fewer variables that `terms` is at most (or at least); nothing if an atom may be negative.
std::optional<Terms> bound(const Terms& terms, bool upper, int depth) {
  Terms result;
  for (const Term& term : terms) {
    if (!all_non_negative(term.atoms, depth)) return std::nullopt;
    const bool maximize = (term.coefficient > 0) == upper;
    Terms product_bound = constant_terms(term.coefficient);
    for (const Expr& atom : term.atoms) {
      // The least that is known of a variable or quotient is 0; a symbol stays, so that it can cancel.
      if (!maximize && atom->kind != ExprKind::symbol) {
        product_bound.clear();
        break;
      }
      product_bound = product(product_bound, maximize ? atom_upper_bound(atom, depth) : atom_terms(atom));
    }
    result = sum(result, product_bound);
  }
  return result;
}

bool less(const Terms& a, const Terms& b) {
  // b - a - 1 >= 0
  return non_negative(sum(sum(b, a, -1), constant_terms(1), -1));
}

// ---- division

/// `a` / `b` if every atom of `b` is in `a` and the coefficients divide.
std::optional<Term> exact_quotient(const Term& a, const Term& b) {
  if (b.coefficient == 0 || a.coefficient % b.coefficient != 0) return std::nullopt;
  Term result{a.atoms, a.coefficient / b.coefficient};
  for (const Expr& atom : b.atoms) {
    const auto at = std::find(result.atoms.begin(), result.atoms.end(), atom);
    if (at == result.atoms.end()) return std::nullopt;
    result.atoms.erase(at);
  }
  return result;
}

struct Split {
  Terms quotient;
  Terms rest;
};

Split split(const Terms& terms, const Term& divisor) {
  Split result;
  for (const Term& term : terms) {
    const std::optional<Term> quotient = exact_quotient(term, divisor);
    add_term(quotient ? result.quotient : result.rest, quotient ? *quotient : term);
  }
  return result;
}

/// `terms` = factor * high + low with 0 <= low < factor, where `factor` > 1 divides the divisor's coefficient and some of the terms.
struct Grouping {
  std::int64_t factor;
  Terms high;
  Terms low;
};

std::optional<Grouping> group(const Terms& terms, const Term& divisor) {
  std::vector<std::int64_t> factors;
  for (const Term& term : terms) factors.push_back(std::gcd(term.coefficient, divisor.coefficient));
  std::sort(factors.rbegin(), factors.rend());
  for (std::int64_t factor : factors) {
    if (factor <= 1) break;
    Split parts = split(terms, {{}, factor});
    if (non_negative(parts.rest) && less(parts.rest, constant_terms(factor))) return Grouping{factor, parts.quotient, parts.rest};
  }
  return std::nullopt;
}

/// The one term of a positive divisor; nothing for a sum.
std::optional<Term> divisor_term(const Expr& e) {
  Terms terms = terms_of(e);
  if (terms.size() != 1 || terms.front().coefficient <= 0) return std::nullopt;
  return terms.front();
}

Expr divide_rest(const Terms& rest, const Term& divisor) {
  const Expr by = expression_of(divisor);
  if (const auto grouping = group(rest, divisor)) {
    return divide(expression_of(grouping->high), expression_of(Term{divisor.atoms, divisor.coefficient / grouping->factor}));
  }
  const Expr e = expression_of(rest);
  if (is_index_op(e, Op::index_div)) return divide(e->args[0], arithmetic(Op::mul, e->args[1], by));
  if (is_index_op(e, Op::index_mod)) {
    // (x mod a*b) div a = (x div a) mod b
    const std::optional<Term> modulus = divisor_term(e->args[1]);
    const std::optional<Term> quotient = modulus ? exact_quotient(*modulus, divisor) : std::nullopt;
    if (quotient) return remainder(divide(e->args[0], by), expression_of(*quotient));
  }
  return raw_binary(Op::index_div, DType::i64, e, by);
}

Expr remainder_rest(const Terms& rest, const Term& divisor) {
  const Expr by = expression_of(divisor);
  if (const auto grouping = group(rest, divisor)) {
    const Expr high = remainder(expression_of(grouping->high), expression_of(Term{divisor.atoms, divisor.coefficient / grouping->factor}));
    return arithmetic(Op::add, arithmetic(Op::mul, high, index_constant(grouping->factor)), expression_of(grouping->low));
  }
  const Expr e = expression_of(rest);
  if (is_index_op(e, Op::index_mod)) {
    const std::optional<Term> modulus = divisor_term(e->args[1]);
    if (modulus && exact_quotient(*modulus, divisor)) return remainder(e->args[0], by);
  }
  return raw_binary(Op::index_mod, DType::i64, e, by);
}

// ---- putting quotients and remainders together again

Term without(const Term& term, std::size_t atom) {
  Term result = term;
  result.atoms.erase(result.atoms.begin() + static_cast<std::ptrdiff_t>(atom));
  return result;
}

bool same(const Term& a, const Term& b) { return a.coefficient == b.coefficient && a.atoms == b.atoms; }

/// What K*(y mod b) and `other` add up to: K*y if `other` is K*b*(y div b), K*(y mod b*c) if it is K*b*((y div b) mod c).
std::optional<Terms> joined(const Term& factor, const Expr& mod, const Term& other) {
  const std::optional<Term> by = divisor_term(mod->args[1]);
  if (!by) return std::nullopt;
  const Expr quotient = divide(mod->args[0], mod->args[1]);
  const Term wanted = product(factor, *by);
  for (std::size_t i = 0; i < other.atoms.size(); ++i) {
    if (!same(without(other, i), wanted)) continue;
    const Expr& atom = other.atoms[i];
    if (atom == quotient) return product(Terms{factor}, terms_of(mod->args[0]));
    if (is_index_op(atom, Op::index_mod) && atom->args[0] == quotient) {
      const Expr whole = remainder(mod->args[0], arithmetic(Op::mul, mod->args[1], atom->args[1]));
      return product(Terms{factor}, terms_of(whole));
    }
  }
  return std::nullopt;
}

/// Applies the first join that is possible; false if there is none.
bool join_once(Terms& terms) {
  for (std::size_t i = 0; i < terms.size(); ++i) {
    for (std::size_t a = 0; a < terms[i].atoms.size(); ++a) {
      const Expr mod = terms[i].atoms[a];
      if (!is_index_op(mod, Op::index_mod)) continue;
      for (std::size_t j = 0; j < terms.size(); ++j) {
        if (i == j) continue;
        const std::optional<Terms> replacement = joined(without(terms[i], a), mod, terms[j]);
        if (!replacement) continue;
        terms.erase(terms.begin() + static_cast<std::ptrdiff_t>(std::max(i, j)));
        terms.erase(terms.begin() + static_cast<std::ptrdiff_t>(std::min(i, j)));
        terms = sum(terms, *replacement);
        return true;
      }
    }
  }
  return false;
}

}  // namespace

Expr arithmetic(Op op, const Expr& a, const Expr& b) {
  const Terms x = terms_of(a);
  const Terms y = terms_of(b);
  if (op == Op::mul && !can_multiply_out(x, y)) return opaque_product(a, b);
  Terms terms = op == Op::mul ? product(x, y) : sum(x, y, op == Op::add ? 1 : -1);
  while (join_once(terms)) {
  }
  return expression_of(terms);
}

Expr divide(const Expr& a, const Expr& b) {
  if (const auto x = constant_value(a), y = constant_value(b); x && y && *x >= 0 && *y > 0) return index_constant(*x / *y);
  const std::optional<Term> divisor = divisor_term(b);
  if (!divisor) return a == b ? index_constant(1) : raw_binary(Op::index_div, DType::i64, a, b);
  auto [quotient, rest] = split(terms_of(a), *divisor);
  // c*q + r divides to q + r div c only if r is not negative.
  if (!quotient.empty() && !non_negative(rest)) return raw_binary(Op::index_div, DType::i64, a, b);
  if (rest.empty() || (non_negative(rest) && less(rest, {*divisor}))) return expression_of(quotient);
  const Expr fraction = divide_rest(rest, *divisor);
  return quotient.empty() ? fraction : arithmetic(Op::add, expression_of(quotient), fraction);
}

Expr remainder(const Expr& a, const Expr& b) {
  if (const auto x = constant_value(a), y = constant_value(b); x && y && *x >= 0 && *y > 0) return index_constant(*x % *y);
  const std::optional<Term> divisor = divisor_term(b);
  if (!divisor) return a == b ? index_constant(0) : raw_binary(Op::index_mod, DType::i64, a, b);
  auto [quotient, rest] = split(terms_of(a), *divisor);
  if (!quotient.empty() && !non_negative(rest)) return raw_binary(Op::index_mod, DType::i64, a, b);
  if (rest.empty() || (non_negative(rest) && less(rest, {*divisor}))) return expression_of(rest);
  return remainder_rest(rest, *divisor);
}

}  // namespace index

bool known_non_negative(const Expr& e) { return index::non_negative(index::terms_of(e)); }

bool known_less(const Expr& a, const Expr& b) { return index::less(index::terms_of(a), index::terms_of(b)); }

std::optional<Linear> linear_in(const Expr& e, int var) {
  if (!depends_on(e, var)) return Linear{index_constant(0), e};
  if (e->dtype != DType::i64) return std::nullopt;
  index::Terms stride, rest;
  for (const index::Term& term : index::terms_of(e)) {
    const auto is_var = [&](const Expr& atom) { return atom->kind == ExprKind::var && atom->var == var; };
    const auto at = std::find_if(term.atoms.begin(), term.atoms.end(), is_var);
    if (at == term.atoms.end()) {
      if (depends_on(index::expression_of(term), var)) return std::nullopt;
      index::add_term(rest, term);
      continue;
    }
    const index::Term factor = index::without(term, static_cast<std::size_t>(at - term.atoms.begin()));
    if (depends_on(index::expression_of(factor), var)) return std::nullopt;
    index::add_term(stride, factor);
  }
  return Linear{index::expression_of(stride), index::expression_of(rest)};
}

}  // namespace intaglio::kernel
