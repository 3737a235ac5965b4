// A dimension: an integer, or an expression over symbols that the inputs' shapes bind at run time.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace intaglio {

/// An immutable integer expression in canonical form, so that equal expressions compare and print equal: a sum of products of atoms,
/// where an atom is a symbol, or floordiv, mod, min, max or bcast of two expressions. Symbols stand for extents: they are >= 0.
class Dim {
 public:
  enum class AtomKind { symbol, floordiv, mod, min, max, bcast };
  struct Atom;
  using AtomRef = std::shared_ptr<const Atom>;
  /// A product of atoms, sorted by their text, times a coefficient that is not 0.
  struct Term {
    std::vector<AtomRef> atoms;
    std::int64_t coefficient;
  };

  Dim() : Dim(std::int64_t{0}) {}
  Dim(std::int64_t value);  // NOLINT: an integer is a dimension
  Dim(int value) : Dim(static_cast<std::int64_t>(value)) {}  // NOLINT
  static Dim symbol(const std::string& name);

  bool is_constant() const;
  /// The value of a constant dimension; internal error otherwise.
  std::int64_t value() const;
  std::optional<std::int64_t> constant() const;
  /// The symbol's name if this is one symbol and nothing else.
  std::optional<std::string> as_symbol() const;

  /// The terms in canonical order; the constant is the term without atoms.
  const std::vector<Term>& terms() const { return terms_; }

  friend Dim operator+(const Dim& a, const Dim& b);
  friend Dim operator-(const Dim& a, const Dim& b);
  friend Dim operator*(const Dim& a, const Dim& b);
  friend bool operator==(const Dim& a, const Dim& b);
  friend bool operator!=(const Dim& a, const Dim& b) { return !(a == b); }

  /// Rounds towards minus infinity; exact division of every term simplifies. A constant divisor must not be 0.
  static Dim floordiv(const Dim& a, const Dim& b);
  static Dim ceildiv(const Dim& a, const Dim& b);
  /// The remainder of floordiv.
  static Dim mod(const Dim& a, const Dim& b);
  static Dim min(const Dim& a, const Dim& b);
  static Dim max(const Dim& a, const Dim& b);
  /// The extent of a broadcast of two extents: equal ones, or the other one where one is 1. Constants decide at once; two different constants, neither 1, are refused by the caller.
  static Dim bcast(const Dim& a, const Dim& b);

  /// "2*S+1", "floordiv(H,2)". parse_dim reads it back.
  std::string text() const;
  /// The value with the symbols bound; internal error if one is missing.
  std::int64_t evaluate(const std::function<std::int64_t(const std::string&)>& symbol_value) const;
  /// Replaces symbols; those that `replacement` has no value for stay.
  Dim substitute(const std::map<std::string, Dim>& replacement) const;
  /// Adds the names of the symbols in order of first appearance, each once.
  void collect_symbols(std::vector<std::string>& names) const;
  /// True if the value is known to be at least 1 for any extents >= 1 of its symbols.
  bool is_known_positive() const;

 private:
  explicit Dim(std::vector<Term> terms) : terms_(std::move(terms)) {}
  static Dim of_atom(AtomKind kind, const Dim& a, const Dim& b);
  std::vector<Term> terms_;
};

struct Dim::Atom {
  AtomKind kind;
  std::string name;        ///< of a symbol
  std::vector<Dim> args;   ///< the two operands of the others
  std::string text;        ///< canonical text, the sorting and equality key
};

using Shape = std::vector<Dim>;

/// The product of the dimensions.
Dim element_count(const Shape& shape);
/// "[N,3,224,224]"
std::string to_text(const Shape& shape);
bool is_static(const Shape& shape);
/// The extents of a static shape; internal error otherwise.
std::vector<std::int64_t> static_extents(const Shape& shape);
Shape to_shape(std::span<const std::int64_t> extents);

/// Reads the text of a dimension; nothing if it is not one.
std::optional<Dim> parse_dim(std::string_view text);

/// Opcodes of the postfix programs in the plan (plan.fbs, table Dim).
enum class DimOp : std::int64_t { constant = 0, symbol = 1, add = 2, multiply = 3, floordiv = 4, mod = 5, min = 6, max = 7, bcast = 8 };
/// The postfix program of `dim`; `symbol_index` numbers the symbols.
std::vector<std::int64_t> to_program(const Dim& dim, const std::function<std::int64_t(const std::string&)>& symbol_index);

}  // namespace intaglio
