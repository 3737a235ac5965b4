// See precision_rules.h.
#include "passes/precision_rules.h"

#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <ranges>

#include "ir/op.h"
#include "passes/match.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

/// Operators that stay in f32, with the reason. All others are contractions, whose operands are rounded and whose sums are not, or follow
/// their operands.
struct WideOperator {
  std::string_view op;
  std::string_view reason;
};
constexpr std::array kWide{
    WideOperator{"iota", "positions beyond 2048 (f16) or 256 (bf16) are no longer distinct"},
    WideOperator{"sin", "its argument is a position as a rule"},
    WideOperator{"cos", "its argument is a position as a rule"},
    WideOperator{"pow", "squares of activations exceed f16"},
    WideOperator{"exp", "exceeds f16 from 11.1 on"},
    WideOperator{"log", "its argument is a sum of exponentials as a rule"},
    WideOperator{"reduce_sum", "exceeds f16 where its terms do not"},
    WideOperator{"reduce_prod", "exceeds f16 where its factors do not"},
    WideOperator{"reduce_mean", "a norm adds an epsilon to it that f16 rounds to zero"},
    WideOperator{"batch_norm", "what is left of them has statistics of any range"},
    WideOperator{"quantize", "scales and rounding are part of the model's meaning"},
    WideOperator{"dequantize", "scales are part of the model's meaning"},
};

bool matches(const LayerPrecision& layer, const std::string& name) { return fnmatch(layer.glob.c_str(), name.c_str(), 0) == 0; }

bool is_wide(const Node& node) { return std::ranges::find(kWide, node.op_name(), &WideOperator::op) != kWide.end(); }
bool is_f32(const Value* value) { return value && value->type.dtype == DType::f32; }

/// A contraction of quantized values: its kernel computes in integers, or sums up 8-bit floats.
bool is_quantized(const Node& node) {
  if (node.op().op_class != OpClass::contraction) return false;
  return node.operand(0)->type.dtype == DType::f8e4m3fn || node.operand(0)->producer("dequantize");
}

class Chooser {
 public:
  Chooser(const Graph& graph, const PassContext& context) : graph_(graph), context_(context) {}

  std::map<const Node*, DType> choose() {
    const auto nodes = graph_.nodes();
    for (const Node* node : nodes) {
      if (!node->is("const") && has_f32(*node)) chosen_[node] = choose(*node);
    }
    // Movement is cheaper after the rounding: the cast joins what computes the value.
    for (const Node* node : std::views::reverse(nodes)) {
      if (is_movement(*node) && chosen_.contains(node)) narrow_movement(*node);
    }
    return std::move(chosen_);
  }

 private:
  DType choose(const Node& node) const {
    if (const auto asked = asked_precision(node, context_.layer_precision)) {
      if (*asked != DType::f32 && (is_quantized(node) || node.is("quantize") || node.is("dequantize"))) {
        throw CompileError(ErrorCode::invalid, Diagnostic{"--layer-precision", fmt::format("node '{}' is quantized: it has no {} to compute in", node.origins.empty() ? "" : node.origins[0], dtype_name(*asked))});
      }
      return *asked;
    }
    // Weights of 4 bits are unpacked to what is multiplied.
    if (node.is("dequantize") && node.operand(0)->type.dtype == DType::i4) return context_.precision;
    if (is_wide(node) || is_quantized(node)) return DType::f32;
    return node.op().op_class == OpClass::contraction ? context_.precision : like_operands(node);
  }

  /// f32 where every computed operand is. Comparisons need one type for both sides, and f32 holds either.
  DType like_operands(const Node& node) const {
    int wide = 0, narrow = 0;
    for (const Value* operand : node.operands()) {
      if (!is_f32(operand) || is_constant_expression(*operand)) continue;
      const auto found = operand->producer() ? chosen_.find(operand->producer()) : chosen_.end();
      (found != chosen_.end() && found->second == DType::f32 ? wide : narrow)++;
    }
    const bool compares = !is_f32(node.result()) && node.operand_count() == 2;
    if (compares && wide > 0) return DType::f32;
    if (wide + narrow > 0) return narrow == 0 ? DType::f32 : context_.precision;
    // Token ids and positions; a mask of booleans is 0 or 1.
    const bool counts = node.is("cast") && is_integer(node.operand(0)->type.dtype);
    return counts ? DType::f32 : context_.precision;
  }

  void narrow_movement(const Node& node) {
    if (chosen_.at(&node) != DType::f32 || asked_precision(node, context_.layer_precision)) return;
    std::optional<DType> wanted;
    for (const Value::Use& use : node.result()->uses()) {
      const auto reader = use.user ? chosen_.find(use.user) : chosen_.end();
      if (reader == chosen_.end() || reader->second == DType::f32 || (wanted && *wanted != reader->second)) return;
      wanted = reader->second;
    }
    if (wanted) chosen_[&node] = *wanted;
  }

  const Graph& graph_;
  const PassContext& context_;
  std::map<const Node*, DType> chosen_;
};

}  // namespace

bool matches_origin(const LayerPrecision& layer, const Node& node) {
  return std::ranges::any_of(node.origins, [&](const std::string& name) { return matches(layer, name); });
}

bool has_f32(const Node& node) {
  for (int i = 0; i < node.result_count(); ++i) {
    if (is_f32(node.result(i))) return true;
  }
  return std::ranges::any_of(node.operands(), is_f32);
}

std::optional<DType> asked_precision(const Node& node, const std::vector<LayerPrecision>& layers) {
  std::optional<DType> asked;
  std::string by;
  for (const std::string& origin : node.origins) {
    const auto reversed = layers | std::views::reverse;
    const auto last = std::ranges::find_if(reversed, [&](const LayerPrecision& layer) { return matches(layer, origin); });
    if (last == reversed.end()) continue;
    if (asked && *asked != last->dtype) {
      throw CompileError(ErrorCode::invalid, Diagnostic{"--layer-precision", fmt::format("nodes '{}' and '{}' are computed as one", by, origin), "the same precision for both",
                                                        fmt::format("{} and {}", dtype_name(*asked), dtype_name(last->dtype)),
                                                        "name both in one --layer-precision after those that differ: the last that matches a node counts"});
    }
    asked = last->dtype;
    by = origin;
  }
  return asked;
}

void check_layers_apply(const Graph& graph, const std::vector<LayerPrecision>& layers) {
  for (const LayerPrecision& layer : layers) {
    const auto applies = [&](const Node* node) { return !node->is("const") && has_f32(*node) && matches_origin(layer, *node); };
    if (std::ranges::any_of(graph.nodes(), applies)) continue;
    throw CompileError(ErrorCode::invalid, Diagnostic{"--layer-precision", fmt::format("no node that '{}' matches computes floats at run time", layer.glob), {}, {},
                                                      "constants and shapes are computed by the compiler; --emit graph shows the nodes and, after ';', their ONNX names"});
  }
}

std::map<const Node*, DType> choose_precision(const Graph& graph, const PassContext& context) { return Chooser(graph, context).choose(); }

}  // namespace intaglio
