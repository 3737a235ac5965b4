// What consecutive lanes of a loop variable have in common: by how much an index grows from lane to lane, and what divides it. It is what tells a vector
// load from single ones.
#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "ir/kernel/expr.h"

namespace intaglio {

/// What each loop variable or local is a multiple of, by its number; 1 where nothing is known.
using Multiples = std::unordered_map<int, std::int64_t>;

/// A number that divides the index `e` whatever its variables are; 0 for an `e` that is 0.
std::int64_t known_divisor(const kernel::Expr& e, const Multiples& multiples);

/// `count` consecutive values of the loop variable `var`: lane l has var + l in its place.
struct Lanes {
  int var = -1;
  int count = 1;
  /// Locals of which each lane has its own, and the name of the array that holds them.
  std::unordered_map<int, std::string> locals;
};

/// How expressions change from lane to lane.
class LaneStrides {
 public:
  /// Both must outlive this.
  LaneStrides(const Lanes& lanes, const Multiples& multiples) : lanes_(lanes), multiples_(multiples) {}

  /// By how much `e` grows from one lane to the next; nothing if that is no constant. 0 is proven: all lanes have one value.
  std::optional<std::int64_t> of(const kernel::Expr& e);
  bool is_uniform(const kernel::Expr& e) { return of(e) == 0; }

 private:
  std::optional<std::int64_t> compute(const kernel::Expr& e);
  bool stays_in_one_block(const kernel::Expr& a, std::int64_t stride, const kernel::Expr& block) const;

  const Lanes& lanes_;
  const Multiples& multiples_;
  std::unordered_map<const kernel::ExprNode*, std::optional<std::int64_t>> known_;
};

}  // namespace intaglio
