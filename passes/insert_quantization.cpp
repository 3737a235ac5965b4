// Quantizes contractions with constant weights in the explicit form: each reads dequantize(quantize(activation)) and dequantized weights, so that the
// graph says what is computed whether or not a kernel computes it in integers.
//  - i8: activations u8 with a zero point for each tensor; weights i8 with a scale for each output channel; bias i32 with the product of both scales.
//  - f8e4m3fn: the same with scales alone.
//  - i4: weights alone, in blocks along what is summed; see int4_weights.h.
// Arithmetic on weights is nodes, which fold_constants evaluates.
#include <algorithm>
#include <cmath>

#include "passes/int4_weights.h"
#include "passes/match.h"
#include "passes/passes.h"
#include "passes/quantization_rules.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

constexpr double kLargestI8 = 127;
constexpr double kLargestF8 = 448;

class Inserter {
 public:
  Inserter(Graph& graph, const PassContext& context) : graph_(graph), storage_(context.quantization.storage), ranges_(context.quantization.ranges) {}

  bool run(const std::vector<QuantizationChoice>& choices) {
    bool changed = false;
    for (const QuantizationChoice& choice : choices) {
      if (!choice.reason.empty()) continue;
      if (storage_ == DType::i4) {
        pack_int4_weights(*choice.node);
      } else {
        quantize_contraction(*choice.node, *choice.activation);
      }
      changed = true;
    }
    for (const auto& [value, quantized] : activations_) read_quantized(*value, quantized);
    return changed;
  }

 private:
  /// What quantize and dequantize of an activation share.
  struct Quantized {
    Value* stored = nullptr;
    Value* scale = nullptr;
    Value* zero_point = nullptr;
    double step = 1;  ///< the scale
  };

  void quantize_contraction(Node& node, Value& activation) {
    const Quantized& x = quantized(activation);
    std::vector<Node*> moves;
    for (Value* value = node.operand(0); value != &activation; value = value->producer()->operand(0)) moves.push_back(value->producer());
    Builder b(graph_, node.origins, &node);
    Value* stored = x.stored;
    for (auto it = moves.rbegin(); it != moves.rend(); ++it) stored = b.op((*it)->op_name(), {stored}, (*it)->attributes);
    node.set_operand(0, dequantized(b, stored, x));
    for (Node* move : moves) {
      if (is_dead(*move)) graph_.erase(move);
    }
    quantize_weights(node, x.step);
  }

  /// The quantized activation, made once, right behind what computes it.
  const Quantized& quantized(Value& activation) {
    for (auto& [value, made] : activations_) {
      if (value == &activation) return made;
    }
    Node* producer = activation.producer();
    Node* before = node_after(producer);
    Builder b(graph_, producer ? producer->origins : before->origins, before);
    const auto found = ranges_.find(activation.name);
    internal_check(found != ranges_.end(), "no range of %{} is known", activation.name);
    const double low = std::min(found->second.low, 0.0), high = std::max(found->second.high, 0.0);
    Quantized made;
    const bool integers = storage_ == DType::i8;
    const double width = integers ? (high - low) / 255 : std::max(-low, high) / kLargestF8;
    made.step = static_cast<double>(static_cast<float>(width > 0 ? width : 1));
    made.scale = b.scalar(DType::f32, made.step);
    std::vector<Value*> operands{&activation, made.scale};
    if (integers) {
      made.zero_point = b.scalar(DType::u8, std::clamp(std::nearbyint(-low / made.step), 0.0, 255.0));
      operands.push_back(made.zero_point);
    }
    made.stored = b.op("quantize", std::move(operands), {{"to", integers ? DType::u8 : storage_}});
    activations_.emplace_back(&activation, made);
    return activations_.back().second;
  }

  static Value* dequantized(Builder& b, Value* stored, const Quantized& x) {
    std::vector<Value*> operands{stored, x.scale};
    if (x.zero_point) operands.push_back(x.zero_point);
    return b.op("dequantize", std::move(operands));
  }

  Node* node_after(const Node* producer) const {
    const auto nodes = graph_.nodes();
    if (!producer) return nodes.front();
    return *(std::find(nodes.begin(), nodes.end(), producer) + 1);
  }

  void quantize_weights(Node& node, double step) {
    Builder b(graph_, node.origins, &node);
    Value* weight = node.operand(1);
    const int rank = weight->type.rank();
    const std::int64_t channel_axis = node.is("conv") ? 0 : rank - 1;
    std::vector<std::int64_t> others;
    for (std::int64_t axis = 0; axis < rank; ++axis) {
      if (axis != channel_axis) others.push_back(axis);
    }
    Value* largest = b.op("reduce_max", {b.op("abs", {weight})}, {{"axes", others}, {"keepdims", std::int64_t{0}}});
    Value* scale = b.div(largest, b.scalar(DType::f32, storage_ == DType::i8 ? kLargestI8 : kLargestF8));
    // Weights of zero have any scale.
    scale = b.op("max", {scale, b.scalar(DType::f32, 1e-30)});
    Value* bias = node.is("conv") ? node.operand(2) : nullptr;
    const bool has_integer_bias = bias && bias->is_constant() && storage_ == DType::i8;
    // A channel of tiny weights takes a coarser scale, so that its bias fits 31 bits.
    if (has_integer_bias) scale = b.op("max", {scale, b.mul(b.op("abs", {bias}), b.scalar(DType::f32, std::ldexp(1.0, -30) / step))});
    Value* stored = b.op("quantize", {weight, scale}, {{"axis", channel_axis}, {"to", storage_}});
    node.set_operand(1, b.op("dequantize", {stored, scale}, {{"axis", channel_axis}}));
    if (!has_integer_bias) return;
    Value* bias_scale = b.mul(scale, b.scalar(DType::f32, step));
    Value* stored_bias = b.cast(b.op("round", {b.div(bias, bias_scale)}), DType::i32);
    node.set_operand(2, b.op("dequantize", {stored_bias, bias_scale}, {{"axis", std::int64_t{0}}}));
  }

  /// Makes the other readers of an activation read what the contractions read: it then lies in memory once, in few bits.
  void read_quantized(Value& activation, const Quantized& x) {
    if (!activation.producer() || is_graph_result(activation)) return;
    const auto uses = activation.uses();
    for (const Value::Use& use : uses) {
      if (use.user == x.stored->producer()) continue;
      Builder b(graph_, use.user->origins, use.user);
      use.user->set_operand(use.operand, dequantized(b, x.stored, x));
    }
  }

  Graph& graph_;
  const DType storage_;
  const std::map<std::string, ValueRange>& ranges_;
  std::vector<std::pair<Value*, Quantized>> activations_;  ///< in the order of their first reader
};

}  // namespace

bool insert_quantization(Graph& graph, const PassContext& context) {
  if (context.quantization.storage == DType::undefined) return false;
  return Inserter(graph, context).run(choose_quantized(graph, context));
}

}  // namespace intaglio
