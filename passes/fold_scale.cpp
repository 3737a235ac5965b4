// Folds constant scales and shifts after a convolution into its weights and bias, and moves scalar factors of a matrix product's operands
// behind the product: (a*s) b = (a b) s. There the factor costs one multiplication in the epilogue, and the operand is read in place.
#include <algorithm>

#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

/// The constant as one value per output channel of a convolution's result (`rank` dimensions), or as one value: (M) or (1). Null if it
/// varies otherwise.
Value* per_channel(Builder& b, Value* constant, int rank) {
  if (!constant->is_constant()) return nullptr;
  const Shape& shape = constant->type.shape;
  const int lead = rank - static_cast<int>(shape.size());
  for (int d = 0; d < static_cast<int>(shape.size()); ++d) {
    if (lead + d != 1 && shape[static_cast<std::size_t>(d)] != Dim(1)) return nullptr;
  }
  return b.reshape(constant, {element_count(shape)});
}

/// The convolution with constant weights whose result `node` alone reads as operand 0, or null.
Node* foldable_conv(const Node& node) {
  Node* conv = node.operand(0)->producer("conv");
  if (!conv || !conv->result()->has_one_use() || !has_shape(node.result(), conv->result()->type.shape)) return nullptr;
  const bool is_constant = is_constant_expression(*conv->operand(1)) && (!conv->operand(2) || is_constant_expression(*conv->operand(2)));
  return is_constant ? conv : nullptr;
}

/// The convolution with `node`'s multiplication or addition in its weights and bias, or null.
Value* fold_into_conv(Builder& b, const Node& node, const Node& conv) {
  Value* weight = conv.operand(1);                                              // (M, C/group, R, S)
  Value* bias = conv.operand(2);                                                // (M)
  Value* factor = per_channel(b, node.operand(1), conv.result()->type.rank());  // (M) or (1)
  if (!factor) return nullptr;
  if (node.is("mul")) {
    Shape aligned(weight->type.shape.size(), Dim(1));
    aligned[0] = factor->type.shape[0];
    weight = b.mul(weight, b.reshape(factor, aligned));
    if (bias) bias = b.mul(bias, factor);
  } else {
    bias = bias ? b.add(bias, factor) : b.op("expand", {factor}, {{"shape", Shape{weight->type.shape[0]}}});
  }
  std::vector<Value*> operands{conv.operand(0), weight};
  if (bias) operands.push_back(bias);
  return b.op("conv", std::move(operands), conv.attributes);
}

bool fold_after_conv(Graph& graph, Node& node) {
  Node* conv = foldable_conv(node);
  if (!conv) return false;
  Builder b(graph, merge(conv->origins, node.origins), &node);
  Value* folded = fold_into_conv(b, node, *conv);
  if (!folded) return false;
  node.result()->replace_all_uses_with(folded);
  graph.erase(&node);
  graph.erase(conv);
  return true;
}

/// The multiplication by a scalar constant that `operand` comes from through data movement, each value read once; null if there is none.
Node* scalar_factor(Value* operand) {
  for (Value* value = operand; value->has_one_use();) {
    Node* node = value->producer();
    if (!node) return nullptr;
    if (node->is("mul")) return node->operand(1)->is_constant() && is_single_element(node->operand(1)->type) ? node : nullptr;
    const bool passes =
        node->is("transpose") || node->is("reshape") || node->is("slice") || node->is("expand") || node->is("convert_layout");
    if (!passes) return nullptr;
    value = node->operand(0);
  }
  return nullptr;
}

bool move_factor_behind(Graph& graph, Node& matmul, Node& mul) {
  // mul(x, 1-element tensor of higher rank) has another shape than x.
  if (!has_shape(mul.operand(0), mul.result()->type.shape)) return false;
  Builder b(graph, merge(mul.origins, matmul.origins), &matmul);
  mul.result()->replace_all_uses_with(mul.operand(0));
  Value* product = b.op("matmul", {matmul.operand(0), matmul.operand(1)});
  matmul.result()->replace_all_uses_with(b.mul(product, b.reshape(mul.operand(1), {})));
  graph.erase(&matmul);
  graph.erase(&mul);
  return true;
}

/// (x * a) * b = x * (a * b), for the factors that come from both operands.
bool join_factors(Graph& graph, Node& mul) {
  Node* inner = mul.operand(0)->producer("mul");
  if (!inner || !inner->result()->has_one_use() || !inner->operand(0)->producer("matmul")) return false;
  for (const Node* node : {&mul, inner}) {
    if (!is_constant_expression(*node->operand(1)) || !is_single_element(node->operand(1)->type)) return false;
  }
  Builder b(graph, merge(inner->origins, mul.origins), &mul);
  Value* joined = b.mul(inner->operand(0), b.mul(inner->operand(1), mul.operand(1)));
  if (joined->type != mul.result()->type) return false;
  mul.result()->replace_all_uses_with(joined);
  graph.erase(&mul);
  graph.erase(inner);
  return true;
}

/// 16-bit models scale before the product so that it does not overflow.
bool has_wide_range(const Value& value) { return value.type.dtype == DType::f32 || value.type.dtype == DType::f64; }

}  // namespace

bool fold_scale(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.nodes()) {
    if (node->is("mul") || node->is("add")) changed |= fold_after_conv(graph, *node);
  }
  // Both operands may carry factors, and a moved product is a new node: repeat until none is left.
  for (bool moved = true; moved;) {
    moved = false;
    for (Node* matmul : graph.nodes("matmul")) {
      if (!has_wide_range(*matmul->result())) continue;
      Node* factor = scalar_factor(matmul->operand(0));
      if (!factor) factor = scalar_factor(matmul->operand(1));
      if (factor) moved |= move_factor_behind(graph, *matmul, *factor);
    }
    changed |= moved;
  }
  for (Node* mul : graph.nodes("mul")) changed |= has_wide_range(*mul->result()) && join_factors(graph, *mul);
  return changed;
}

}  // namespace intaglio
