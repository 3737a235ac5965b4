// The algebraic identities that `simplify` applies, one function each; the tables are in simplify_arithmetic.cpp, simplify_movement.cpp and
// simplify_quantize.cpp.
#pragma once

#include <span>
#include <string_view>

#include "ir/graph.h"

namespace intaglio {

/// An identity for nodes of one operator.
struct SimplifyRule {
  std::string_view op;
  /// What to read instead of the node's result, of equal type; or null. New nodes go to `b`, which adds before the node.
  Value* (*apply)(Node& node, Builder& b);
};

std::span<const SimplifyRule> arithmetic_rules();
std::span<const SimplifyRule> movement_rules();
std::span<const SimplifyRule> quantize_rules();

}  // namespace intaglio
