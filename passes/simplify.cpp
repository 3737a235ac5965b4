// Rewrites by algebraic identities until none applies. All are exact, but for the sign of a zero in x + 0 and the last bit of pow(x, 3).
#include "passes/match.h"
#include "passes/passes.h"
#include "passes/simplify_rules.h"

namespace intaglio {
namespace {

/// More rounds than any chain of exporters' leftovers needs; it bounds the work if two identities ever undo each other.
constexpr int kMaxRounds = 32;

/// The replacement that the first fitting rule gives, or null.
Value* apply_first(std::span<const SimplifyRule> rules, Node& node, Builder& b) {
  for (const SimplifyRule& rule : rules) {
    if (!node.is(rule.op)) continue;
    Value* replacement = rule.apply(node, b);
    if (!replacement) continue;
    const Type& type = node.result()->type;
    // Extents that are equal only by what is checked at bind are not equal expressions: the readers' types would change.
    if (replacement->type.dtype != type.dtype || replacement->type.shape != type.shape) continue;
    return replacement;
  }
  return nullptr;
}

bool simplify_node(Node& node) {
  Builder b(*node.graph(), node.origins, &node);
  Value* replacement = apply_first(arithmetic_rules(), node, b);
  if (!replacement) replacement = apply_first(movement_rules(), node, b);
  if (!replacement) replacement = apply_first(quantize_rules(), node, b);
  if (!replacement) return false;
  if (Node* producer = replacement->producer(); producer && !producer->is("const"))
    producer->origins = merge(producer->origins, node.origins);
  node.result()->replace_all_uses_with(replacement);
  return true;
}

}  // namespace

bool simplify(Graph& graph, const PassContext& context) {
  bool changed = false;
  for (int round = 0; round < kMaxRounds; ++round) {
    bool changed_now = false;
    // What a rule leaves behind stays until the end of the round: the list that is walked must not lose nodes.
    for (Node* node : graph.nodes()) {
      if (node->result_count() == 1 && !is_dead(*node)) changed_now |= simplify_node(*node);
    }
    eliminate_dead(graph, context);
    if (!changed_now) break;
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
