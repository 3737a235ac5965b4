// Moves slices before the nodes whose whole result is computed for a part of it. A classifier that reads the first token of a transformer
// needs the last layer's feed-forward network for that token alone.
#include <algorithm>

#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

using Axes = std::vector<std::size_t>;

/// The axes of which `slice` takes a part.
Axes cut_axes(const Node& slice) {
  Axes axes;
  const Shape& from = slice.operand(0)->type.shape;
  for (std::size_t d = 0; d < from.size(); ++d) {
    if (slice.dims("sizes")[d] != from[d] || slice.dims("starts")[d] != Dim(0) || slice.integers("steps")[d] != 1) axes.push_back(d);
  }
  return axes;
}

/// `value` cut as `slice` cuts, where axis `from[i]` of the slice is axis `to[i]` of the value.
Value* cut(Builder& b, const Node& slice, const Axes& from, const Axes& to, Value* value) {
  Shape starts(value->type.shape.size(), Dim(0));
  Shape sizes = value->type.shape;
  std::vector<std::int64_t> steps(sizes.size(), 1);
  for (std::size_t i = 0; i < from.size(); ++i) {
    starts[to[i]] = slice.dims("starts")[from[i]];
    sizes[to[i]] = slice.dims("sizes")[from[i]];
    steps[to[i]] = slice.integers("steps")[from[i]];
  }
  return b.op("slice", {value}, {{"starts", starts}, {"sizes", sizes}, {"steps", steps}});
}

/// An operand that broadcasts to `node`'s result, cut like it: only along the axes that it does not repeat.
Value* cut_broadcast(Builder& b, const Node& slice, const Axes& axes, const Value& result, Value* operand) {
  const auto lead = static_cast<std::size_t>(result.type.rank() - operand->type.rank());
  Axes from;
  Axes to;
  for (std::size_t axis : axes) {
    if (axis < lead || operand->type.shape[axis - lead] == Dim(1)) continue;
    from.push_back(axis);
    to.push_back(axis - lead);
  }
  return from.empty() ? operand : cut(b, slice, from, to, operand);
}

/// True if each operand either repeats along every cut axis or has the result's extent there: not decided for symbols that may be 1.
bool broadcasts_clearly(const Node& node, const Axes& axes) {
  const Type& result = node.result()->type;
  return std::all_of(node.operands().begin(), node.operands().end(), [&](const Value* v) {
    const auto lead = static_cast<std::size_t>(result.rank() - v->type.rank());
    return std::all_of(axes.begin(), axes.end(), [&](std::size_t axis) {
      return axis < lead || v->type.shape[axis - lead] == Dim(1) || v->type.shape[axis - lead] == result.shape[axis];
    });
  });
}

Value* over_elementwise(Builder& b, const Node& slice, const Axes& axes, const Node& node) {
  if (node.is("batch_norm") || node.is("quantize") || node.is("dequantize") || !broadcasts_clearly(node, axes)) return nullptr;
  std::vector<Value*> operands;
  for (Value* operand : node.operands()) operands.push_back(cut_broadcast(b, slice, axes, *node.result(), operand));
  return b.op(node.op_name(), std::move(operands), node.attributes);
}

/// Softmax and norms: the axes that they work along must stay whole.
Value* over_row(Builder& b, const Node& slice, const Axes& axes, const Node& node) {
  const auto axis = static_cast<std::size_t>(node.integer("axis"));
  const bool whole = std::none_of(axes.begin(), axes.end(), [&](std::size_t a) { return node.is("softmax") ? a == axis : a >= axis; });
  if (!whole) return nullptr;
  std::vector<Value*> operands(node.operands().begin(), node.operands().end());
  operands[0] = cut(b, slice, axes, axes, operands[0]);
  return b.op(node.op_name(), std::move(operands), node.attributes);
}

/// Rows of a product are rows of its left side; leading axes belong to both sides unless one repeats along them.
Value* over_matmul(Builder& b, const Node& slice, const Axes& axes, const Node& node) {
  Value* left = node.operand(0);
  Value* right = node.operand(1);
  const auto rank = static_cast<std::size_t>(node.result()->type.rank());
  if (static_cast<std::size_t>(left->type.rank()) != rank || axes.back() == rank - 1) return nullptr;
  Axes shared(axes.begin(), std::find(axes.begin(), axes.end(), rank - 2));
  for (std::size_t axis : axes) {
    if (left->type.shape[axis] != node.result()->type.shape[axis]) return nullptr;
  }
  if (!shared.empty() && right->type.rank() != 2) {
    if (static_cast<std::size_t>(right->type.rank()) != rank) return nullptr;
    for (std::size_t axis : shared) {
      if (right->type.shape[axis] != left->type.shape[axis]) return nullptr;
    }
    right = cut(b, slice, shared, shared, right);
  }
  return b.op("matmul", {cut(b, slice, axes, axes, left), right});
}

Value* over_transpose(Builder& b, const Node& slice, const Axes& axes, const Node& node) {
  Axes to;
  for (std::size_t axis : axes) to.push_back(static_cast<std::size_t>(node.integers("perm")[axis]));
  return b.transpose(cut(b, slice, axes, to, node.operand(0)), node.integers("perm"));
}

/// The axis of `from` that axis `axis` of `to` is, the axes before and after being regrouped; nothing if it was split or merged.
std::optional<std::size_t> same_axis(const Shape& from, const Shape& to, std::size_t axis) {
  const Dim before = element_count(Shape(to.begin(), to.begin() + static_cast<std::ptrdiff_t>(axis)));
  Dim product = 1;
  for (std::size_t d = 0; d < from.size(); ++d) {
    if (product == before && from[d] == to[axis] && from[d] != Dim(1)) return d;
    product = product * from[d];
  }
  return std::nullopt;
}

Value* over_reshape(Builder& b, const Node& slice, const Axes& axes, const Node& node) {
  Axes to;
  for (std::size_t axis : axes) {
    const auto source = same_axis(node.operand(0)->type.shape, node.result()->type.shape, axis);
    if (!source) return nullptr;
    to.push_back(*source);
  }
  return b.reshape(cut(b, slice, axes, to, node.operand(0)), slice.result()->type.shape);
}

/// The slice's result computed from slices of the operands of `node`, which it reads; or null.
Value* lifted(Builder& b, const Node& slice, const Axes& axes, const Node& node) {
  if (is_elementwise(node)) return over_elementwise(b, slice, axes, node);
  if (node.op().op_class == OpClass::row) return over_row(b, slice, axes, node);
  if (node.is("matmul")) return over_matmul(b, slice, axes, node);
  if (node.is("transpose")) return over_transpose(b, slice, axes, node);
  if (node.is("reshape")) return over_reshape(b, slice, axes, node);
  return nullptr;
}

bool lift(Graph& graph, Node& slice) {
  Node* node = slice.operand(0)->producer();
  // What another reader needs is computed anyway.
  if (!node || !slice.operand(0)->has_one_use()) return false;
  const Axes axes = cut_axes(slice);
  if (axes.empty()) return false;
  // Before the node, not before the slice: slices of one value that meet there again are found equal.
  Builder b(graph, merge(node->origins, slice.origins), node);
  Value* value = lifted(b, slice, axes, *node);
  if (!value || value->type != slice.result()->type) return false;
  slice.result()->replace_all_uses_with(value);
  graph.erase(&slice);
  graph.erase(node);
  return true;
}

}  // namespace

bool lift_slices(Graph& graph, const PassContext& context) {
  bool changed = false;
  for (bool moved = true; moved;) {
    moved = false;
    for (Node* slice : graph.nodes("slice")) moved |= lift(graph, *slice);
    // A residual is read by its branch and by the sum: once both read the same slice of it, it has one reader again.
    if (moved) eliminate_common(graph, context);
    changed |= moved;
  }
  return changed;
}

}  // namespace intaglio
