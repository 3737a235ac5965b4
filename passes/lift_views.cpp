// Moves a reshape or transpose of a matrix product's rows before the product: view(x w + b) = view(x) w + b. Exporters flatten the rows of
// a product and restore them after the bias; with the view out of the way the residual addition stands next to its product, where fusion
// finds it.
#include <algorithm>

#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

/// Nodes between a product and a view of its rows, the last one first: each elementwise, and read by the next one alone.
struct Chain {
  std::vector<Node*> elementwise;
  /// The operand of each that continues the chain.
  std::vector<int> operand;
  Node* matmul = nullptr;
};

/// True if the operand keeps its meaning when the dimensions before the last one are moved: one element, or one for each column.
bool is_per_column(const Type& type) {
  return std::all_of(type.shape.begin(), type.shape.end() - (type.shape.empty() ? 0 : 1), [](const Dim& dim) { return dim == Dim(1); });
}

bool can_move_operands(const Node& node, const Shape& shape) {
  return std::all_of(node.operands().begin(), node.operands().end(),
                     [&](const Value* v) { return v && (has_shape(v, shape) || is_per_column(v->type)); });
}

/// Extends the chain from `value` up to a product with a rank-2 right side; false if there is none.
bool find_product(const Value& value, Chain& chain) {
  Node* node = value.producer();
  // Another reader needs the value with its rows as they are.
  if (!node || !value.has_one_use()) return false;
  if (node->is("matmul")) {
    chain.matmul = node;
    return node->operand(1)->type.rank() == 2;
  }
  if (!is_elementwise(*node) || node->is("batch_norm") || !can_move_operands(*node, value.type.shape)) return false;
  for (int i = 0; i < node->operand_count(); ++i) {
    if (!has_shape(node->operand(i), value.type.shape)) continue;
    chain.elementwise.push_back(node);
    chain.operand.push_back(i);
    if (find_product(*node->operand(i), chain)) return true;
    chain.elementwise.pop_back();
    chain.operand.pop_back();
  }
  return false;
}

/// True if the view leaves the columns, the last dimension, alone.
bool keeps_columns(const Node& view) {
  const Shape& from = view.operand(0)->type.shape;
  const Shape& to = view.result()->type.shape;
  if (from.size() < 2 || to.size() < 2 || from.back() != to.back()) return false;
  if (view.is("transpose")) return view.integers("perm").back() == static_cast<std::int64_t>(from.size()) - 1;
  return element_count(Shape(from.begin(), from.end() - 1)) == element_count(Shape(to.begin(), to.end() - 1));
}

/// `view` applied to another value with the same rows.
Value* apply_view(Builder& b, const Node& view, Value* value) {
  if (view.is("transpose")) return b.transpose(value, view.integers("perm"));
  Shape shape = view.result()->type.shape;
  shape.back() = value->type.shape.back();
  return b.reshape(value, std::move(shape));
}

/// An operand of an elementwise node of the chain, for the node after the view.
Value* move_operand(Builder& b, const Node& view, Value* operand, const Shape& full) {
  if (has_shape(operand, full)) return apply_view(b, view, operand);
  // Per column: without the leading 1s it broadcasts to any rows.
  return operand->type.rank() <= 1 ? operand : b.reshape(operand, {operand->type.shape.back()});
}

/// The chain computed on viewed rows.
Value* rebuild(Builder& b, const Node& view, const Chain& chain) {
  Value* value = b.op("matmul", {apply_view(b, view, chain.matmul->operand(0)), chain.matmul->operand(1)});
  for (std::size_t i = chain.elementwise.size(); i-- > 0;) {
    const Node& node = *chain.elementwise[i];
    std::vector<Value*> operands;
    for (int k = 0; k < node.operand_count(); ++k) {
      operands.push_back(k == chain.operand[i] ? value : move_operand(b, view, node.operand(k), node.result()->type.shape));
    }
    value = b.op(node.op_name(), std::move(operands), node.attributes);
  }
  return value;
}

/// The ONNX nodes of the whole chain: it is rebuilt as one.
Origins origins_of(const Chain& chain, const Node& view) {
  Origins origins = chain.matmul->origins;
  for (std::size_t i = chain.elementwise.size(); i-- > 0;) origins = merge(origins, chain.elementwise[i]->origins);
  return merge(origins, view.origins);
}

bool lift(Graph& graph, Node& view) {
  Chain chain;
  if (!keeps_columns(view) || !find_product(*view.operand(0), chain)) return false;
  Builder b(graph, origins_of(chain, view), &view);
  Value* lifted = rebuild(b, view, chain);
  view.result()->replace_all_uses_with(lifted);
  erase_with_dead_operands(&view);
  return true;
}

bool lift_one(Graph& graph) {
  for (Node* node : graph.nodes()) {
    if ((node->is("reshape") || node->is("transpose")) && lift(graph, *node)) return true;
  }
  return false;
}

}  // namespace

bool lift_views(Graph& graph, const PassContext&) {
  bool changed = false;
  // Each lift replaces several nodes, so the walk starts again; a view that has passed a product never comes back.
  while (lift_one(graph)) changed = true;
  return changed;
}

}  // namespace intaglio
