// Rewrites f32 values to f16 or bf16. Arguments and results of the graph keep their dtype, and casts stand at the edges; precision_rules.cpp
// says which nodes stay in f32. The operators themselves compute 16-bit floats in f32 and round what they store.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "passes/match.h"
#include "passes/passes.h"
#include "passes/precision_rules.h"

namespace intaglio {
namespace {

constexpr double kLargestF16 = 65504;

/// The finite elements of a constant that f16 cannot hold.
std::int64_t count_beyond_f16(const Tensor& tensor) {
  std::int64_t count = 0;
  for (float value : tensor.span<float>()) count += std::isfinite(value) && std::abs(value) > kLargestF16;
  return count;
}

class Converter {
 public:
  Converter(Graph& graph, const PassContext& context) : graph_(graph), context_(context), chosen_(choose_precision(graph, context)) {}

  bool run() {
    const auto nodes = graph_.nodes();
    std::vector<Value*> f32_results;
    for (Value* result : graph_.results()) f32_results.push_back(result->type.dtype == DType::f32 ? result : nullptr);
    for (Node* node : nodes) {
      if (const auto chosen = chosen_.find(node); chosen != chosen_.end()) convert(*node, chosen->second);
    }
    for (Node* node : nodes) {
      if (node->is("add")) round_stored_addend(*node);
    }
    for (std::size_t i = 0; i < f32_results.size(); ++i) {
      if (f32_results[i]) graph_.set_result(static_cast<int>(i), as(*f32_results[i], DType::f32, nullptr));
    }
    return changed_;
  }

 private:
  /// Makes the node read and write floats of `dtype` where it had f32.
  void convert(Node& node, DType dtype) {
    // A conversion to another type reads whatever its operand is; one to f32 is to what f32 has become.
    const bool converts = node.is("cast");
    for (int i = 0; i < node.operand_count(); ++i) {
      if (node.operand(i) && was_f32(*node.operand(i)) && !converts) node.set_operand(i, as(*node.operand(i), dtype, &node));
    }
    for (int i = 0; i < node.result_count(); ++i) {
      Value& result = *node.result(i);
      if (result.type.dtype != DType::f32) continue;
      f32_once_.insert(&result);
      if (dtype == DType::f32) continue;
      result.type.dtype = dtype;
      if (converts) node.attributes["to"] = dtype;
      changed_ = true;
    }
  }

  /// Of two quantized contractions that are added, one is written to memory: a kernel has one contraction, and the first takes the sum.
  void round_stored_addend(Node& add) {
    const Node *a = stored_contraction(*add.operand(0)), *b = stored_contraction(*add.operand(1));
    if (context_.precision == DType::f32 || !a || !b || a == b || add.result()->type.dtype != DType::f32) return;
    const auto nodes = graph_.nodes();
    const int stored = std::ranges::find(nodes, a) < std::ranges::find(nodes, b) ? 1 : 0;
    Value& addend = *add.operand(stored);
    if (addend.type.dtype != DType::f32 || !addend.has_one_use()) return;
    Value* rounded = as(addend, context_.precision, &add);
    add.set_operand(stored, Builder(graph_, rounded->producer()->origins, &add).cast(rounded, DType::f32));
  }

  /// True for what was f32 before this pass, whatever it is now.
  bool was_f32(const Value& value) const { return value.type.dtype == DType::f32 || f32_once_.contains(&value); }

  /// `value` as `dtype`, converted once for all that reads it.
  Value* as(Value& value, DType dtype, Node* before) {
    if (value.type.dtype == dtype) return &value;
    Value*& converted = converted_[{&value, dtype}];
    if (converted) return converted;
    Node* producer = value.producer();
    Builder b(graph_, producer ? producer->origins : before ? before->origins : Origins{}, before);
    converted = b.cast(dtype == DType::f16 ? within_f16(value, b) : &value, dtype);
    changed_ = true;
    return converted;
  }

  /// `value` clamped to what f16 holds, where it is computed in f32 because it may be large: the largest number is nearer than infinity, and a mask
  /// of -3e38 on a whole row stays a number.
  Value* within_f16(Value& value, Builder& b) {
    if (value.type.dtype != DType::f32 || !value.producer()) return &value;
    if (value.is_constant()) {
      const std::int64_t count = count_beyond_f16(value.constant());
      if (count == 0) return &value;
      if (context_.report) {
        context_.report(fmt::format("{} of {} elements of a constant{} are beyond f16 and become {}", count, value.constant().elements(),
                                    value.origin.empty() ? "" : fmt::format(", '{}',", value.origin), kLargestF16));
      }
    }
    Value* bounded = b.op("min", {&value, b.scalar(DType::f32, kLargestF16)});
    return b.op("max", {bounded, b.scalar(DType::f32, -kLargestF16)});
  }

  Graph& graph_;
  const PassContext& context_;
  const std::map<const Node*, DType> chosen_;
  std::set<const Value*> f32_once_;
  std::map<std::pair<const Value*, DType>, Value*> converted_;
  bool changed_ = false;
};

}  // namespace

bool convert_precision(Graph& graph, const PassContext& context) {
  check_layers_apply(graph, context.layer_precision);
  if (context.precision == DType::f32 && context.layer_precision.empty()) return false;
  return Converter(graph, context).run();
}

}  // namespace intaglio
