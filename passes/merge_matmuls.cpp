// Computes matrix products of one value with several constant weights as one product with the weights side by side, and slices its result:
// the activations are read once, and one larger product runs better than three small ones. Only where the slices cost nothing, because
// other products read them in place: query, key and value of attention.
#include <algorithm>
#include <map>

#include "ir/view.h"
#include "passes/match.h"
#include "passes/passes.h"
#include "passes/precision_rules.h"

namespace intaglio {
namespace {

/// x w, or x w + bias.
struct Member {
  Node* matmul;
  Node* add;    ///< null without a bias
  Value* bias;  ///< (N), or null
  Value* result() const { return add ? add->result() : matmul->result(); }
};

/// The constant that `add` adds to each column of the product, or null.
Value* column_bias(const Node& add, const Value& product) {
  if (!has_shape(add.result(), product.type.shape)) return nullptr;
  for (int i = 0; i < 2; ++i) {
    Value* bias = add.operand(i);
    if (add.operand(1 - i) != &product || !bias->is_constant() || bias->type.rank() < 1) continue;
    // One value for each column, not one for all: those would be laid side by side wrongly.
    if (bias->type.shape.back() == product.type.shape.back() && element_count(bias->type.shape) == bias->type.shape.back()) return bias;
  }
  return nullptr;
}

Member member_of(Node* matmul) {
  const Value& product = *matmul->result();
  if (product.has_one_use() && product.uses()[0].user && product.uses()[0].user->is("add")) {
    Node* add = product.uses()[0].user;
    if (Value* bias = column_bias(*add, product)) return {matmul, add, bias};
  }
  return {matmul, nullptr, nullptr};
}

/// True if all that reads `value`, which lies in memory as `view` says, reads it in place: movement up to products of two computed values.
bool is_read_in_place(const Value& value, const StridedView& view) {
  return !value.uses().empty() && std::all_of(value.uses().begin(), value.uses().end(), [&](const Value::Use& use) {
    if (!use.user) return false;
    // A product with constant weights prefers its left side dense.
    if (use.user->is("matmul")) return !are_constant({use.user->operand(1 - use.operand)});
    const auto next = view_through(*use.user, view);
    return next && is_read_in_place(*use.user->result(), *next);
  });
}

/// How the columns from `start` on lie in a product of `columns` columns.
StridedView columns_of(const Value& part, const Dim& start, const Dim& columns) {
  Type whole = part.type;
  whole.shape.back() = columns;
  return {&part, start, strides(whole)};
}

Value* slice_columns(Builder& b, Value* whole, const Dim& start, const Dim& columns) {
  Shape starts(whole->type.shape.size(), Dim(0));
  Shape sizes = whole->type.shape;
  starts.back() = start;
  sizes.back() = columns;
  return b.op("slice", {whole}, {{"starts", starts}, {"sizes", sizes}, {"steps", std::vector<std::int64_t>(sizes.size(), 1)}});
}

/// Side by side along the last axis, standing before `before`.
Value* side_by_side(Builder& b, const std::vector<Member>& members, Node* before, bool weights) {
  std::vector<Value*> parts;
  for (const Member& member : members) {
    Value* part = repeat_constant(weights ? *member.matmul->operand(1) : *member.bias, before);
    parts.push_back(weights || part->type.rank() == 1 ? part : b.reshape(part, {part->type.shape.back()}));
  }
  return b.op("concat", std::move(parts), {{"axis", std::int64_t{weights ? 1 : 0}}});
}

void merge_members(Graph& graph, const std::vector<Member>& members) {
  Node* first = members.front().matmul;
  Origins origins;
  for (const Member& member : members) {
    origins = merge(origins, member.matmul->origins);
    if (member.add) origins = merge(origins, member.add->origins);
  }
  Builder b(graph, origins, first);
  Value* whole = b.op("matmul", {first->operand(0), side_by_side(b, members, first, true)});
  if (members.front().bias) whole = b.add(whole, side_by_side(b, members, first, false));
  Dim start = 0;
  for (const Member& member : members) {
    const Dim columns = member.result()->type.shape.back();
    member.result()->replace_all_uses_with(slice_columns(b, whole, start, columns));
    start = start + columns;
  }
  // Not before: everything above is inserted before the first of them.
  for (const Member& member : members) erase_with_dead_operands(member.add ? member.add : member.matmul);
}

/// Those of `candidates` with (or without) a bias whose parts of the merged product are read in place.
std::vector<Member> mergeable(const std::vector<Node*>& candidates, bool with_bias) {
  std::vector<Member> members;
  for (Node* matmul : candidates) {
    const Member member = member_of(matmul);
    if ((member.bias != nullptr) == with_bias) members.push_back(member);
  }
  Dim columns = 0;
  for (const Member& member : members) columns = columns + member.result()->type.shape.back();
  Dim start = 0;
  std::erase_if(members, [&](const Member& member) {
    const StridedView view = columns_of(*member.result(), start, columns);
    start = start + member.result()->type.shape.back();
    return !is_read_in_place(*member.result(), view);
  });
  return members;
}

/// Products with constant rank-2 weights by what they multiply and in what precision, in the order of the first of each.
std::vector<std::vector<Node*>> products_by_input(const Graph& graph, const PassContext& context) {
  std::vector<std::vector<Node*>> groups;
  std::map<std::pair<const Value*, std::optional<DType>>, std::size_t> group_of;
  for (Node* matmul : graph.nodes("matmul")) {
    if (!matmul->operand(1)->is_constant() || matmul->operand(1)->type.rank() != 2) continue;
    const std::pair key(matmul->operand(0), asked_precision(*matmul, context.layer_precision));
    const auto [it, is_new] = group_of.emplace(key, groups.size());
    if (is_new) groups.emplace_back();
    groups[it->second].push_back(matmul);
  }
  return groups;
}

}  // namespace

bool merge_matmuls(Graph& graph, const PassContext& context) {
  bool changed = false;
  for (const auto& candidates : products_by_input(graph, context)) {
    for (bool with_bias : {false, true}) {
      const auto members = mergeable(candidates, with_bias);
      if (members.size() < 2) continue;
      merge_members(graph, members);
      changed = true;
      break;  // the candidates that were merged are gone
    }
  }
  return changed;
}

}  // namespace intaglio
