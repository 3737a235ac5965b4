// See quantization_rules.h.
#include "passes/quantization_rules.h"

#include <fmt/format.h>

#include "ir/op.h"
#include "passes/match.h"
#include "passes/precision_rules.h"

namespace intaglio {
namespace {

/// The value that `value` shows the elements of.
Value* before_movement(Value* value) {
  while (value->producer("reshape") || value->producer("transpose")) value = value->producer()->operand(0);
  return value;
}

bool is_depthwise(const Node& node) { return node.is("conv") && node.integer("group") > 1 && node.operand(1)->type.shape[1] == Dim(1); }

std::string reason_against(const Node& node, const PassContext& context) {
  if (const auto asked = asked_precision(node, context.layer_precision)) return std::string("--layer-precision");
  if (node.result()->type.dtype != DType::f32) return fmt::format("the model computes it in {}", dtype_name(node.result()->type.dtype));
  if (node.operand(0)->producer("dequantize")) return "the model has quantized it";
  if (!node.operand(1)->is_constant()) return "both sides are computed";
  if (is_depthwise(node)) return "depthwise: a sum of a few products gains nothing from fewer bits";
  if (context.quantization.storage != DType::i4) return {};
  if (node.is("conv") && node.integer("group") > 1) return "grouped weights are not packed in four bits";
  if (node.is("matmul") && node.operand(1)->type.rank() != 2) return "stacks of weights are not packed in four bits";
  return {};
}

}  // namespace

std::vector<QuantizationChoice> choose_quantized(const Graph& graph, const PassContext& context) {
  std::vector<QuantizationChoice> choices;
  for (Node* node : graph.nodes()) {
    if (node->op().op_class != OpClass::contraction || !is_float(node->result()->type.dtype)) continue;
    QuantizationChoice choice{node};
    choice.reason = reason_against(*node, context);
    if (choice.reason.empty() && context.quantization.storage != DType::i4) choice.activation = before_movement(node->operand(0));
    choices.push_back(std::move(choice));
  }
  return choices;
}

}  // namespace intaglio
