// Identities of quantize and dequantize: what only moves elements moves them in their stored form, and what rounds again what was rounded goes.
#include <algorithm>
#include <array>
#include <cmath>

#include "ir/op.h"
#include "passes/match.h"
#include "passes/simplify_rules.h"
#include "support/elements.h"

namespace intaglio {
namespace {

/// One scale and zero point for all elements.
struct Scheme {
  double scale;
  double zero_point;
  DType stored;
  bool operator==(const Scheme&) const = default;
};

/// The scheme of a quantize or dequantize node per tensor, or nothing.
std::optional<Scheme> scheme_of(const Node& node) {
  const auto scale = splat(node.operand(1));
  const auto zero_point = node.operand(2) ? splat(node.operand(2)) : std::optional(0.0);
  if (!scale || !zero_point || !is_single_element(node.operand(1)->type) || !(*scale > 0)) return std::nullopt;
  return Scheme{*scale, *zero_point, (node.is("quantize") ? node.result() : node.operand(0))->type.dtype};
}

/// Where the stored elements come from, if `value` dequantizes what `quantize` would store: for 8 bits the rounding then finds the same integers.
Value* stored_as(const Value& value, const Node& quantize) {
  const Node* dequantize = value.producer("dequantize");
  if (!dequantize || dtype_bits(dequantize->operand(0)->type.dtype) > 8) return nullptr;
  const auto scheme = scheme_of(*dequantize);
  return scheme && scheme == scheme_of(quantize) ? dequantize->operand(0) : nullptr;
}

Value* quantize_of_dequantized(Node& node, Builder&) { return stored_as(*node.operand(0), node); }

/// quantize(move(dequantize(x))) = move(x), for what moves elements or picks the largest.
Value* quantize_of_moved(Node& node, Builder& b) {
  const Node* move = node.operand(0)->producer();
  static constexpr std::array<std::string_view, 6> kMoves{"reshape", "transpose", "slice", "expand", "concat", "max_pool"};
  if (!move || std::ranges::find(kMoves, move->op_name()) == kMoves.end()) return nullptr;
  std::vector<Value*> operands;
  for (const Value* operand : move->operands()) {
    Value* stored = stored_as(*operand, node);
    if (!stored) return nullptr;
    operands.push_back(stored);
  }
  return b.op(move->op_name(), std::move(operands), move->attributes);
}

/// True for what cannot be NaN: a contraction of dequantized integers, relu or not. A NaN is the largest before it is rounded to an integer, not after.
bool is_never_nan(const Value& value) {
  const Node* node = value.producer();
  if (node && node->is("relu")) return is_never_nan(*node->operand(0));
  if (!node || node->op().op_class != OpClass::contraction) return false;
  const Node* dequantize = node->operand(0)->producer("dequantize");
  return dequantize && is_integer(dequantize->operand(0)->type.dtype);
}

/// quantize(max_pool(x)) = max_pool(quantize(x)): rounding keeps the order, and x is stored in fewer bytes.
Value* quantize_of_pooled(Node& node, Builder& b) {
  const Node* pool = node.operand(0)->producer("max_pool");
  const DType stored = node.result()->type.dtype;
  if (!pool || !pool->result(0)->has_one_use() || pool->result_count() != 1 || !scheme_of(node) || dtype_bits(stored) > 8) return nullptr;
  if (is_integer(stored) && !is_never_nan(*pool->operand(0))) return nullptr;
  std::vector<Value*> operands(node.operands().begin(), node.operands().end());
  operands[0] = pool->operand(0);
  return b.op("max_pool", {b.op("quantize", std::move(operands), node.attributes)}, pool->attributes);
}

/// A bound that saturation implies: max(x, c) where c is stored as the least integer or less, min(x, c) where it is the largest or more.
Value* quantize_of_bounded(Node& node, Builder&) {
  const Node* bound = node.operand(0)->producer();
  const auto scheme = scheme_of(node);
  if (!bound || !scheme || !is_integer(scheme->stored) || !node.operand(0)->has_one_use()) return nullptr;
  const bool is_relu = bound->is("relu");
  if (!is_relu && !bound->is("max") && !bound->is("min")) return nullptr;
  const auto limit = is_relu ? std::optional(0.0) : splat(bound->operand(1));
  if (!limit || !has_shape(bound->operand(0), node.result()->type.shape)) return nullptr;
  const double stored = std::nearbyint(static_cast<double>(static_cast<float>(*limit / scheme->scale))) + scheme->zero_point;
  const int bits = dtype_bits(scheme->stored);
  const double least = is_signed_integer(scheme->stored) ? -std::ldexp(1, bits - 1) : 0;
  const bool implied = bound->is("min") ? stored >= least + std::ldexp(1, bits) - 1 : stored <= least;
  return implied ? bound->operand(0) : nullptr;
}

/// Replaces quantize's operand by what a rule answers.
template <Value* (*rule)(Node&, Builder&)>
Value* quantize_instead(Node& node, Builder& b) {
  Value* x = rule(node, b);
  if (!x) return nullptr;
  std::vector<Value*> operands(node.operands().begin(), node.operands().end());
  operands[0] = x;
  return b.op("quantize", std::move(operands), node.attributes);
}

/// Views of dequantized elements are dequantized views: contractions then stand next to what is stored.
Value* view_of_dequantized(Node& node, Builder& b) {
  const Node* dequantize = node.operand(0)->producer("dequantize");
  if (!dequantize || dequantize->integer("block_size") > 0) return nullptr;
  Attributes attributes = dequantize->attributes;
  if (!is_single_element(dequantize->operand(1)->type)) {
    if (!node.is("transpose")) return nullptr;
    const auto& perm = node.integers("perm");
    attributes["axis"] = std::ranges::find(perm, dequantize->integer("axis")) - perm.begin();
  }
  std::vector<Value*> operands(dequantize->operands().begin(), dequantize->operands().end());
  operands[0] = b.op(node.op_name(), {operands[0]}, node.attributes);
  return b.op("dequantize", std::move(operands), std::move(attributes));
}

constexpr std::array kRules{
    SimplifyRule{"quantize", quantize_of_dequantized},
    SimplifyRule{"quantize", quantize_of_moved},
    SimplifyRule{"quantize", quantize_of_pooled},
    SimplifyRule{"quantize", quantize_instead<quantize_of_bounded>},
    SimplifyRule{"reshape", view_of_dequantized},
    SimplifyRule{"transpose", view_of_dequantized},
};

}  // namespace

std::span<const SimplifyRule> quantize_rules() { return kRules; }

}  // namespace intaglio
