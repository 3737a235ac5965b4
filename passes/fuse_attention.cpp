// Makes softmax(q k^T * scale + mask) v one node where the target computes it as one kernel: the scores, the largest values of a transformer, are
// then never in memory.
#include <algorithm>
#include <cmath>
#include <optional>

#include "passes/match.h"
#include "passes/passes.h"
#include "passes/precision_rules.h"

namespace intaglio {
namespace {

/// The nodes of attention, and what it reads.
struct Attention {
  std::vector<Node*> nodes;  ///< from the second product backward
  Value* q = nullptr;
  Value* k_transposed = nullptr;
  Value* v = nullptr;
  Value* mask = nullptr;  ///< null without one
  double scale = 1;
};

/// The producer of `value` if it is of this operator, the attention alone reads it, and it has the shape of the scores.
Node* inner_node(const Value& value, std::string_view op, const Shape& scores) {
  Node* node = value.producer(op);
  return node && value.has_one_use() && has_shape(&value, scores) ? node : nullptr;
}

bool leads_to_product(const Value& value, const Shape& scores) {
  if (inner_node(value, "matmul", scores)) return true;
  for (const char* op : {"mul", "div"}) {
    const Node* scaled = inner_node(value, op, scores);
    if (scaled && (inner_node(*scaled->operand(0), "matmul", scores) || inner_node(*scaled->operand(1), "matmul", scores))) return true;
  }
  return false;
}

/// Takes the addition of a mask off `scores`.
Value* without_mask(Attention& found, Value* scores) {
  Node* add = inner_node(*scores, "add", scores->type.shape);
  if (!add) return scores;
  const int product = leads_to_product(*add->operand(0), scores->type.shape) ? 0 : 1;
  found.nodes.push_back(add);
  found.mask = add->operand(1 - product);
  return add->operand(product);
}

/// Takes the multiplication by one constant off `scores`.
Value* without_scale(Attention& found, Value* scores) {
  for (const char* op : {"mul", "div"}) {
    Node* node = inner_node(*scores, op, scores->type.shape);
    if (!node) continue;
    const int factor = splat(node->operand(1)) || node->is("div") ? 1 : 0;
    const auto value = splat(node->operand(factor));
    // An infinite factor makes NaN of zeros, which its inverse would not.
    if (!value || *value == 0 || !std::isfinite(*value)) return scores;
    found.nodes.push_back(node);
    found.scale = node->is("div") ? 1 / *value : *value;
    return node->operand(1 - factor);
  }
  return scores;
}

/// The attention that ends in `product`, if it is one.
std::optional<Attention> attention_before(Node& product) {
  Attention found;
  const Value& weights = *product.operand(0);
  const Shape& shape = weights.type.shape;
  Node* softmax = inner_node(weights, "softmax", shape);
  if (!softmax || softmax->integer("axis") != weights.type.rank() - 1) return std::nullopt;
  found.nodes = {&product, softmax};
  found.v = product.operand(1);
  Value* scores = softmax->operand(0);
  // A second reader of the scores needs them in memory.
  if (!scores->has_one_use()) return std::nullopt;
  scores = without_scale(found, without_mask(found, scores));
  Node* first = inner_node(*scores, "matmul", shape);
  if (!first) return std::nullopt;
  found.nodes.push_back(first);
  found.q = first->operand(0);
  found.k_transposed = first->operand(1);
  return found;
}

/// True if q, k and v have the leading extents of the scores: none is repeated along them.
bool have_equal_stacks(const Attention& found, const Value& scores) {
  const auto stack = [](const Value& value) { return Shape(value.type.shape.begin(), value.type.shape.end() - 2); };
  const Shape expected = stack(scores);
  return stack(*found.q) == expected && stack(*found.k_transposed) == expected && stack(*found.v) == expected;
}

bool fits_target(const Attention& found, const PassContext& context) {
  const DType dtype = found.q->type.dtype;
  if (dtype != DType::f32 && dtype != DType::f16 && dtype != DType::bf16) return false;
  for (const Value* operand : {found.q, found.v}) {
    const Dim& columns = operand->type.shape.back();
    if (!columns.is_constant() || columns.value() < 1 || columns.value() > context.target.attention_columns) return false;
  }
  return true;
}

/// True if the products compute in floats, all in the same precision.
bool have_one_precision(const Attention& found, const PassContext& context) {
  for (const Value* operand : {found.q, found.k_transposed, found.v}) {
    if (operand->producer("dequantize")) return false;
  }
  const auto asked = asked_precision(*found.nodes.front(), context.layer_precision);
  return std::ranges::all_of(found.nodes, [&](const Node* node) { return asked_precision(*node, context.layer_precision) == asked; });
}

void replace(Graph& graph, const Attention& found) {
  Node* product = found.nodes.front();
  Origins origins;
  for (auto node = found.nodes.rbegin(); node != found.nodes.rend(); ++node) origins = merge(origins, (*node)->origins);
  Builder b(graph, origins, product);
  const int rank = found.k_transposed->type.rank();
  std::vector<std::int64_t> perm(static_cast<std::size_t>(rank));
  for (int d = 0; d < rank; ++d) perm[static_cast<std::size_t>(d)] = d;
  std::swap(perm[perm.size() - 2], perm[perm.size() - 1]);
  // Exporters transpose k for the product: simplify joins both transposes.
  std::vector<Value*> operands{found.q, b.transpose(found.k_transposed, perm), found.v};
  if (found.mask) operands.push_back(found.mask);
  product->result()->replace_all_uses_with(b.op("attention", std::move(operands), {{"scale", found.scale}}));
  erase_with_dead_operands(product);
}

}  // namespace

bool fuse_attention(Graph& graph, const PassContext& context) {
  if (context.target.attention_columns == 0) return false;
  bool changed = false;
  for (Node* product : graph.nodes("matmul")) {
    const auto found = attention_before(*product);
    if (!found || !have_equal_stacks(*found, *product->operand(0)) || !fits_target(*found, context) || !have_one_precision(*found, context)) continue;
    replace(graph, *found);
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
