// Replaces shape arithmetic with what it is known to yield. The contents of small integer values are known as expressions over the symbols
// of the inputs' shapes, so `Shape - Gather - Concat` becomes a constant or a `dims` node, and the arithmetic is dead.
#include "ir/op.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

/// The tensor of an integer type that holds `contents`, or nothing if a symbol occurs in them.
std::optional<Tensor> as_tensor(const Type& type, const std::vector<Dim>& contents) {
  std::vector<std::int64_t> values;
  for (const Dim& dim : contents) {
    if (!dim.is_constant()) return std::nullopt;
    values.push_back(dim.value());
  }
  const auto extents = static_extents(type.shape);
  if (type.dtype == DType::i64) return Tensor::of<std::int64_t>(DType::i64, extents, values);
  return Tensor::of<std::int32_t>(DType::i32, extents, std::vector<std::int32_t>(values.begin(), values.end()));
}

bool is_shape_arithmetic(const Node& node) {
  if (node.is("const") || node.is("dims") || node.is("kernel") || node.result_count() != 1) return false;
  const Type& type = node.result()->type;
  if (type.dtype != DType::i64 && type.dtype != DType::i32) return false;
  return is_static(type.shape) && !node.result()->uses().empty();
}

/// The value to read instead of `node`'s result, or null.
Value* known_value(Graph& graph, Node& node) {
  const auto contents = symbolic_contents(*node.result());
  if (!contents) return nullptr;
  const Type& type = node.result()->type;
  Builder b(graph, node.origins, &node);
  if (auto tensor = as_tensor(type, *contents)) return b.constant(std::move(*tensor));
  // Other ranks and i32 would need nodes around `dims`: no better than the arithmetic, which the fused kernel computes.
  if (type.dtype != DType::i64 || type.rank() != 1) return nullptr;
  return b.op("dims", {}, {{"values", Shape(*contents)}});
}

}  // namespace

bool fold_shapes(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.nodes()) {
    if (!is_shape_arithmetic(*node)) continue;
    Value* known = known_value(graph, *node);
    if (!known) continue;
    node->result()->replace_all_uses_with(known);
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
