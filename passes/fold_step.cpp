// Moves the division of a quantization into the factors of what it quantizes, where that is a sum with the result of an integer contraction:
//   quantize(sum a + r, s) = quantize(sum a/s + r/s, 1)
// Factors and scales are constants, so a division for each element becomes none. lower_quantized does the same where nothing is added.
#include <algorithm>

#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

bool is_relu_or_sum(const Node* node) { return node && (node->is("relu") || node->is("add")); }

/// True if `value` is the sum of a contraction times its factor, or of that and other things.
bool has_stored_sum(const Value& value) {
  const Node* node = value.producer();
  if (!node || !value.has_one_use()) return false;
  if (is_relu_or_sum(node)) return std::ranges::any_of(node->operands(), [](const Value* operand) { return has_stored_sum(*operand); });
  return node->is("mul") && stored_contraction(value);
}

class Division {
 public:
  Division(Builder& b, double step) : b_(b), step_(step) {}

  /// `value` in units of the step.
  Value* divide(Value& value) {
    if (is_constant_expression(value)) return divided_constant(value);
    Node* node = value.producer();
    const bool shared = !value.has_one_use();
    if (is_relu_or_sum(node) && !shared) return divide_operands(*node);
    if (node && node->is("dequantize") && is_single_element(node->operand(1)->type) && node->operand(1)->is_constant()) return divide_scale(*node);
    if (node && node->is("mul") && !shared && constant_operand(*node) >= 0) {
      const int i = constant_operand(*node);
      return b_.mul(node->operand(1 - i), divided_constant(*node->operand(i)));
    }
    return b_.mul(&value, b_.scalar(DType::f32, 1 / step_));
  }

 private:
  Value* divide_operands(Node& node) {
    std::vector<Value*> operands;
    for (Value* operand : node.operands()) operands.push_back(divide(*operand));
    return b_.op(node.op_name(), std::move(operands), node.attributes);
  }

  Value* divide_scale(const Node& dequantize) {
    std::vector<Value*> operands(dequantize.operands().begin(), dequantize.operands().end());
    operands[1] = b_.scalar(DType::f32, *splat(operands[1]) / step_);
    return b_.op("dequantize", std::move(operands), dequantize.attributes);
  }

  /// Rounded once.
  Value* divided_constant(Value& constant) { return b_.cast(b_.div(b_.cast(&constant, DType::f64), b_.scalar(DType::f64, step_)), DType::f32); }

  Builder& b_;
  const double step_;
};

}  // namespace

bool fold_step(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* quantize : graph.nodes("quantize")) {
    Value& x = *quantize->operand(0);
    const auto step = splat(quantize->operand(1));
    // A step for each channel, and what is divided by one already.
    if (!step || !is_single_element(quantize->operand(1)->type) || !(*step > 0) || *step == 1) continue;
    // Elsewhere the quotient is the model's own.
    if (x.type.dtype != DType::f32 || !is_relu_or_sum(x.producer()) || !has_stored_sum(x)) continue;
    Builder b(graph, merge(x.producer()->origins, quantize->origins), quantize);
    quantize->set_operand(0, Division(b, *step).divide(x));
    quantize->set_operand(1, b.scalar(DType::f32, 1));
    erase_with_dead_operands(x.producer());
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
