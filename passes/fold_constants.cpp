// Evaluates nodes whose operands are all constants, with the reference kernels.
#include <algorithm>

#include "ir/op.h"
#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

/// A result this much bigger than its operands is cheaper to compute at run time than to store, once it is over the free size.
constexpr std::size_t kMaxGrowth = 64;
constexpr std::size_t kFreeBytes = std::size_t{1} << 20;

bool has_constant_operands(const Node& node) {
  return std::all_of(node.operands().begin(), node.operands().end(), [](const Value* v) { return !v || v->is_constant(); });
}

bool has_static_results(const Node& node) {
  for (int i = 0; i < node.result_count(); ++i) {
    if (!is_static(node.result(i)->type.shape)) return false;
  }
  return true;
}

/// True for an expansion or an index sequence that would only fill the artifact.
bool grows_too_much(const Node& node) {
  std::size_t before = 0;
  for (const Value* operand : node.operands()) before += operand ? operand->constant().bytes() : 0;
  std::size_t after = 0;
  for (int i = 0; i < node.result_count(); ++i) {
    const Type& type = node.result(i)->type;
    after += static_cast<std::size_t>(element_count(type.shape).value()) * static_cast<std::size_t>(dtype_bits(type.dtype)) / 8;
  }
  return after > kFreeBytes && after > kMaxGrowth * before;
}

/// The rows of a contraction's result, products of one row with all weights, if they are known; else how few they may be, or nothing where that does not matter.
std::optional<std::int64_t> row_count(const Node& contraction, bool fewest) {
  const Shape& shape = contraction.result()->type.shape;
  const std::size_t columns = contraction.is("conv") ? 1 : shape.size() - 1;
  Dim rows = 1;
  for (std::size_t i = 0; i < shape.size(); ++i) rows = i == columns ? rows : rows * shape[i];
  return fewest ? rows.evaluate([](const std::string&) { return 1; }) : rows.constant();
}

/// True for weights of 4 bits that all their readers unpack themselves: to read few bytes is worth more there than fast arithmetic.
bool stays_packed(const Value& weights, const PassContext& context) {
  return std::ranges::all_of(weights.uses(), [&](const Value::Use& use) {
    if (!use.user) return false;
    if (use.user->is("transpose")) return stays_packed(*use.user->result(), context);
    const bool is_weight = use.user->op().op_class == OpClass::contraction && use.operand == 1;
    return is_weight && row_count(*use.user, context.target.int4_unknown_rows).value_or(context.target.int4_rows + 1) <= context.target.int4_rows;
  });
}

bool is_foldable(const Node& node) {
  if (node.is("const") || node.is("kernel")) return false;
  // `dims` and others over symbols have a constant value for no binding.
  if (!has_constant_operands(node) || !has_static_results(node)) return false;
  for (const auto& [name, attribute] : node.attributes) {
    if (kind_of(attribute) == AttributeKind::dims && !is_static(std::get<Shape>(attribute))) return false;
  }
  return !grows_too_much(node);
}

std::vector<Tensor> evaluate_node(const Node& node) {
  // The same bytes under another shape: weights stay shared.
  if (node.is("reshape")) return {node.operand(0)->constant().reshaped(static_extents(node.result()->type.shape))};
  std::vector<Tensor> operands;
  for (const Value* operand : node.operands()) operands.push_back(operand ? operand->constant() : Tensor());
  std::vector<Type> types;
  for (int i = 0; i < node.result_count(); ++i) types.push_back(node.result(i)->type);
  return node.op().evaluate(node, operands, types);
}

}  // namespace

bool fold_constants(Graph& graph, const PassContext& context) {
  bool changed = false;
  for (Node* node : graph.nodes()) {
    if (!is_foldable(*node)) continue;
    if (node->is("dequantize") && node->operand(0)->type.dtype == DType::i4 && stays_packed(*node->result(), context)) continue;
    std::vector<Tensor> results = evaluate_node(*node);
    for (int i = 0; i < node->result_count(); ++i) {
      Value* constant = graph.add_constant(std::move(results[static_cast<std::size_t>(i)]), {}, node);
      constant->producer()->origins = node->origins;
      node->result(i)->replace_all_uses_with(constant);
    }
    // At once, so that big weights are not held twice while the pass goes on.
    erase_with_dead_operands(node);
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
