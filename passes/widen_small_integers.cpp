// Computed integers of 4 and 2 bits become bytes of the same values: memory is addressed in bytes, and tasks that shared one would have to wait for each
// other. Only constants are stored packed.
#include <algorithm>
#include <map>

#include "ir/op.h"
#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

bool is_small(const Value* value) { return value && is_integer(value->type.dtype) && dtype_bits(value->type.dtype) < 8; }
DType byte_of(DType dtype) { return is_signed_integer(dtype) ? DType::i8 : DType::u8; }

class Widener {
 public:
  explicit Widener(Graph& graph) : graph_(graph) {}

  bool run() {
    for (Node* node : graph_.nodes()) {
      if (!is_small(node->result())) {
        read_bytes(*node);
      } else if (!is_constant_expression(*node->result()) && !is_graph_result(*node->result())) {
        bytes_[node->result()] = computed(*node);
      }
    }
    return !bytes_.empty();
  }

 private:
  /// The bytes that stand for an operand of `node`; the operand itself if it has no small integers.
  Value* widened(Builder& b, Value* operand) const {
    if (!is_small(operand)) return operand;
    const auto found = bytes_.find(operand);
    return found != bytes_.end() ? found->second : b.cast(operand, byte_of(operand->type.dtype));
  }

  std::vector<Value*> widened_operands(Builder& b, const Node& node) const {
    std::vector<Value*> operands;
    for (Value* operand : node.operands()) operands.push_back(widened(b, operand));
    return operands;
  }

  /// A node with other results, whose operands are all widened if one of them is: dtypes of operands have to agree.
  void read_bytes(Node& node) const {
    if (std::ranges::none_of(node.operands(), [&](Value* operand) { return bytes_.contains(operand); })) return;
    Builder b(graph_, node.origins, &node);
    const auto operands = widened_operands(b, node);
    for (int i = 0; i < node.operand_count(); ++i) node.set_operand(i, operands[static_cast<std::size_t>(i)]);
  }

  /// What `node` computes, in bytes.
  Value* computed(const Node& node) const {
    Builder b(graph_, node.origins, const_cast<Node*>(&node));
    const DType dtype = node.result()->type.dtype;
    if (node.is("cast") && !is_float(node.operand(0)->type.dtype)) return wrapped(b, widened(b, node.operand(0)), dtype);
    Attributes attributes = node.attributes;
    const bool saturates = node.is("quantize") || node.is("cast");
    if (saturates) attributes.insert_or_assign("to", byte_of(dtype));
    Value* bytes = b.op(node.op_name(), widened_operands(b, node), std::move(attributes));
    return saturates ? bounded(b, bytes, dtype) : bytes;
  }

  static Value* bounded(Builder& b, Value* bytes, DType dtype) {
    const bool is_signed = is_signed_integer(dtype);
    const double values = 1 << dtype_bits(dtype);
    if (is_signed) bytes = b.op("max", {bytes, b.scalar(bytes->type.dtype, -values / 2)});
    return b.op("min", {bytes, b.scalar(bytes->type.dtype, is_signed ? values / 2 - 1 : values - 1)});
  }

  /// Integers wrap: the low bits, the highest of them taken for the sign.
  static Value* wrapped(Builder& b, Value* integers, DType dtype) {
    const double values = 1 << dtype_bits(dtype);
    Value* bias = b.scalar(DType::i32, is_signed_integer(dtype) ? values / 2 : 0);
    Value* low = b.op("mod", {b.add(b.cast(integers, DType::i32), bias), b.scalar(DType::i32, values)});
    return b.cast(b.sub(low, bias), byte_of(dtype));
  }

  Graph& graph_;
  std::map<const Value*, Value*> bytes_;  ///< what stands for computed small integers
};

}  // namespace

bool widen_small_integers(Graph& graph, const PassContext&) { return Widener(graph).run(); }

}  // namespace intaglio
