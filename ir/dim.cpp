// Symbolic extents in canonical form: polynomials over atoms, kept sorted by their text.

#include "ir/dim.h"

#include <algorithm>

#include "support/diagnostics.h"

namespace intaglio {
namespace {

std::string atoms_text(const std::vector<Dim::AtomRef>& atoms) {
  std::string text;
  for (const auto& atom : atoms) text += (text.empty() ? "" : "*") + atom->text;
  return text;
}

/// Collects terms with equal atoms and drops zeros; the constant comes last, the others in the order of their text.
std::vector<Dim::Term> canonical(std::vector<Dim::Term> terms) {
  std::map<std::string, Dim::Term> by_text;
  for (Dim::Term& term : terms) {
    std::ranges::sort(term.atoms, {}, [](const Dim::AtomRef& atom) -> const std::string& { return atom->text; });
    std::string key = atoms_text(term.atoms);
    const auto [found, added] = by_text.try_emplace(key, term);
    if (!added) found->second.coefficient += term.coefficient;
  }
  std::vector<Dim::Term> result;
  for (auto& [key, term] : by_text) {
    if (term.coefficient != 0 && !key.empty()) result.push_back(term);
  }
  if (const auto found = by_text.find(""); found != by_text.end() && found->second.coefficient != 0) result.push_back(found->second);
  return result;
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  internal_check(b != 0, "division of a dimension by 0");
  const std::int64_t quotient = a / b;
  return quotient * b != a && ((a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

std::string_view function_name(Dim::AtomKind kind) {
  switch (kind) {
    case Dim::AtomKind::symbol: return "";
    case Dim::AtomKind::floordiv: return "floordiv";
    case Dim::AtomKind::mod: return "mod";
    case Dim::AtomKind::min: return "min";
    case Dim::AtomKind::max: return "max";
    case Dim::AtomKind::bcast: return "bcast";
  }
  return "";
}

Dim apply(Dim::AtomKind kind, const Dim& a, const Dim& b) {
  switch (kind) {
    case Dim::AtomKind::floordiv: return Dim::floordiv(a, b);
    case Dim::AtomKind::mod: return Dim::mod(a, b);
    case Dim::AtomKind::min: return Dim::min(a, b);
    case Dim::AtomKind::max: return Dim::max(a, b);
    case Dim::AtomKind::bcast: return Dim::bcast(a, b);
    case Dim::AtomKind::symbol: break;
  }
  internal_check(false, "a symbol has no operands");
  return {};
}

std::int64_t apply(Dim::AtomKind kind, std::int64_t a, std::int64_t b) {
  switch (kind) {
    case Dim::AtomKind::floordiv: return floor_divide(a, b);
    case Dim::AtomKind::mod: return a - floor_divide(a, b) * b;
    case Dim::AtomKind::min: return std::min(a, b);
    case Dim::AtomKind::max: return std::max(a, b);
    case Dim::AtomKind::bcast: return a == 1 ? b : a;
    case Dim::AtomKind::symbol: break;
  }
  internal_check(false, "a symbol has no operands");
  return 0;
}

}  // namespace

Dim::Dim(std::int64_t value) {
  if (value != 0) terms_.push_back({{}, value});
}

Dim Dim::symbol(const std::string& name) {
  return Dim(std::vector<Term>{{{std::make_shared<Atom>(Atom{AtomKind::symbol, name, {}, name})}, 1}});
}

Dim Dim::of_atom(AtomKind kind, const Dim& a, const Dim& b) {
  const std::string text = fmt::format("{}({},{})", function_name(kind), a.text(), b.text());
  return Dim(std::vector<Term>{{{std::make_shared<Atom>(Atom{kind, "", {a, b}, text})}, 1}});
}

bool Dim::is_constant() const { return terms_.empty() || (terms_.size() == 1 && terms_[0].atoms.empty()); }

std::int64_t Dim::value() const {
  internal_check(is_constant(), "{} is not a constant", text());
  return terms_.empty() ? 0 : terms_[0].coefficient;
}

std::optional<std::int64_t> Dim::constant() const {
  if (!is_constant()) return std::nullopt;
  return value();
}

std::optional<std::string> Dim::as_symbol() const {
  if (terms_.size() != 1 || terms_[0].coefficient != 1 || terms_[0].atoms.size() != 1) return std::nullopt;
  const Atom& atom = *terms_[0].atoms[0];
  if (atom.kind != AtomKind::symbol) return std::nullopt;
  return atom.name;
}

Dim operator+(const Dim& a, const Dim& b) {
  std::vector<Dim::Term> terms = a.terms_;
  terms.insert(terms.end(), b.terms_.begin(), b.terms_.end());
  return Dim(canonical(std::move(terms)));
}

Dim operator-(const Dim& a, const Dim& b) { return a + b * Dim(-1); }

Dim operator*(const Dim& a, const Dim& b) {
  std::vector<Dim::Term> terms;
  for (const Dim::Term& x : a.terms_) {
    for (const Dim::Term& y : b.terms_) {
      Dim::Term term{x.atoms, x.coefficient * y.coefficient};
      term.atoms.insert(term.atoms.end(), y.atoms.begin(), y.atoms.end());
      terms.push_back(std::move(term));
    }
  }
  return Dim(canonical(std::move(terms)));
}

bool operator==(const Dim& a, const Dim& b) {
  return std::ranges::equal(a.terms_, b.terms_, [](const Dim::Term& x, const Dim::Term& y) {
    return x.coefficient == y.coefficient &&
           std::ranges::equal(x.atoms, y.atoms, [](const Dim::AtomRef& p, const Dim::AtomRef& q) { return p == q || p->text == q->text; });
  });
}

Dim Dim::floordiv(const Dim& a, const Dim& b) {
  if (b == Dim(1)) return a;
  if (a == b && a.is_known_positive()) return 1;
  if (const auto divisor = b.constant()) {
    internal_check(*divisor != 0, "division of {} by 0", a.text());
    if (const auto dividend = a.constant()) return floor_divide(*dividend, *divisor);
    // (c*x + r) / c = x + r/c for any integer x: split off the terms that divide exactly.
    std::vector<Term> exact, rest;
    for (const Term& term : a.terms_) {
      if (term.coefficient % *divisor == 0) {
        exact.push_back({term.atoms, term.coefficient / *divisor});
      } else {
        rest.push_back(term);
      }
    }
    if (rest.empty()) return Dim(std::move(exact));
    if (!exact.empty()) {
      const Dim remainder(std::move(rest));
      return Dim(std::move(exact)) + floordiv(remainder, b);
    }
    return of_atom(AtomKind::floordiv, a, b);
  }
  // A product divides by one of its factors exactly, if that cannot be 0.
  if (b.terms_.size() == 1 && b.is_known_positive() && a.terms_.size() == 1 && a.terms_[0].coefficient % b.terms_[0].coefficient == 0) {
    Term left{a.terms_[0].atoms, a.terms_[0].coefficient / b.terms_[0].coefficient};
    bool all = true;
    for (const AtomRef& factor : b.terms_[0].atoms) {
      const auto found = std::ranges::find(left.atoms, factor->text, [](const AtomRef& atom) -> const std::string& { return atom->text; });
      all = all && found != left.atoms.end();
      if (all) left.atoms.erase(found);
    }
    if (all) return Dim(std::vector<Term>{left});
  }
  if (a == Dim(0)) return 0;
  return of_atom(AtomKind::floordiv, a, b);
}

Dim Dim::ceildiv(const Dim& a, const Dim& b) { return floordiv(a + b - Dim(1), b); }

Dim Dim::mod(const Dim& a, const Dim& b) {
  if (b == Dim(1) || a == Dim(0)) return 0;
  const auto x = a.constant(), y = b.constant();
  if (x && y) return *x - floor_divide(*x, *y) * *y;
  if (a == b) return 0;
  if (y) {
    // Multiples of the divisor do not change the remainder.
    std::vector<Term> rest;
    for (const Term& term : a.terms_) {
      if (term.coefficient % *y != 0) rest.push_back(term);
    }
    if (rest.size() < a.terms_.size()) return mod(Dim(std::move(rest)), b);
  }
  return of_atom(AtomKind::mod, a, b);
}

Dim Dim::min(const Dim& a, const Dim& b) {
  if (a == b) return a;
  if (const auto difference = (a - b).constant()) return *difference < 0 ? a : b;
  return a.text() < b.text() ? of_atom(AtomKind::min, a, b) : of_atom(AtomKind::min, b, a);
}

Dim Dim::max(const Dim& a, const Dim& b) {
  if (a == b) return a;
  if (const auto difference = (a - b).constant()) return *difference > 0 ? a : b;
  return a.text() < b.text() ? of_atom(AtomKind::max, a, b) : of_atom(AtomKind::max, b, a);
}

Dim Dim::bcast(const Dim& a, const Dim& b) {
  if (a == b || b == Dim(1)) return a;
  if (a == Dim(1)) return b;
  // A constant over 1 is the extent: the other one must be it or 1.
  if (a.is_constant()) return a;
  if (b.is_constant()) return b;
  return a.text() < b.text() ? of_atom(AtomKind::bcast, a, b) : of_atom(AtomKind::bcast, b, a);
}

std::string Dim::text() const {
  if (terms_.empty()) return "0";
  std::string text;
  for (const Term& term : terms_) {
    if (!text.empty() && term.coefficient > 0) text += '+';
    const std::string atoms = atoms_text(term.atoms);
    if (atoms.empty()) {
      text += std::to_string(term.coefficient);
    } else if (term.coefficient == 1) {
      text += atoms;
    } else if (term.coefficient == -1) {
      text += "-" + atoms;
    } else {
      text += std::to_string(term.coefficient) + "*" + atoms;
    }
  }
  return text;
}

std::int64_t Dim::evaluate(const std::function<std::int64_t(const std::string&)>& symbol_value) const {
  std::int64_t sum = 0;
  for (const Term& term : terms_) {
    std::int64_t product = term.coefficient;
    for (const AtomRef& atom : term.atoms) {
      product *= atom->kind == AtomKind::symbol ? symbol_value(atom->name)
                                                : apply(atom->kind, atom->args[0].evaluate(symbol_value), atom->args[1].evaluate(symbol_value));
    }
    sum += product;
  }
  return sum;
}

Dim Dim::substitute(const std::map<std::string, Dim>& replacement) const {
  Dim sum;
  for (const Term& term : terms_) {
    Dim product = term.coefficient;
    for (const AtomRef& atom : term.atoms) {
      if (atom->kind != AtomKind::symbol) {
        product = product * apply(atom->kind, atom->args[0].substitute(replacement), atom->args[1].substitute(replacement));
      } else if (const auto found = replacement.find(atom->name); found != replacement.end()) {
        product = product * found->second;
      } else {
        product = product * Dim(std::vector<Term>{{{atom}, 1}});
      }
    }
    sum = sum + product;
  }
  return sum;
}

void Dim::collect_symbols(std::vector<std::string>& names) const {
  for (const Term& term : terms_) {
    for (const AtomRef& atom : term.atoms) {
      if (atom->kind == AtomKind::symbol && std::ranges::find(names, atom->name) == names.end()) names.push_back(atom->name);
      for (const Dim& arg : atom->args) arg.collect_symbols(names);
    }
  }
}

bool Dim::is_known_positive() const {
  if (terms_.empty()) return false;
  // Every term positive for symbols >= 1; min, max and bcast of positives are positive, quotients and remainders may be 0.
  for (const Term& term : terms_) {
    if (term.coefficient <= 0) return false;
    for (const AtomRef& atom : term.atoms) {
      if (atom->kind == AtomKind::symbol) continue;
      if (atom->kind == AtomKind::floordiv || atom->kind == AtomKind::mod) return false;
      if (!atom->args[0].is_known_positive() || !atom->args[1].is_known_positive()) return false;
    }
  }
  return true;
}

Dim element_count(const Shape& shape) {
  Dim count = 1;
  for (const Dim& dim : shape) count = count * dim;
  return count;
}

std::string to_text(const Shape& shape) {
  std::string text;
  for (const Dim& dim : shape) text += (text.empty() ? "" : ",") + dim.text();
  return "[" + text + "]";
}

bool is_static(const Shape& shape) { return std::ranges::all_of(shape, &Dim::is_constant); }

std::vector<std::int64_t> static_extents(const Shape& shape) {
  std::vector<std::int64_t> extents;
  for (const Dim& dim : shape) extents.push_back(dim.value());
  return extents;
}

Shape to_shape(std::span<const std::int64_t> extents) { return {extents.begin(), extents.end()}; }

std::vector<std::int64_t> to_program(const Dim& dim, const std::function<std::int64_t(const std::string&)>& symbol_index) {
  std::vector<std::int64_t> program;
  const auto push = [&](DimOp op, std::int64_t argument) { program.insert(program.end(), {static_cast<std::int64_t>(op), argument}); };
  const auto append = [&](const Dim& part) {
    const auto code = to_program(part, symbol_index);
    program.insert(program.end(), code.begin(), code.end());
  };
  if (dim.terms().empty()) push(DimOp::constant, 0);
  bool first_term = true;
  for (const Dim::Term& term : dim.terms()) {
    push(DimOp::constant, term.coefficient);
    for (const Dim::AtomRef& atom : term.atoms) {
      if (atom->kind == Dim::AtomKind::symbol) {
        push(DimOp::symbol, symbol_index(atom->name));
      } else {
        append(atom->args[0]);
        append(atom->args[1]);
        // The functions come in the same order in both enumerations.
        push(static_cast<DimOp>(static_cast<int>(DimOp::floordiv) + static_cast<int>(atom->kind) - static_cast<int>(Dim::AtomKind::floordiv)), 0);
      }
      push(DimOp::multiply, 0);
    }
    if (!first_term) push(DimOp::add, 0);
    first_term = false;
  }
  return program;
}

}  // namespace intaglio
