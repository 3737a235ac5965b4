// The operator table: one record per core operator, listed by hand in ir/ops/table.cpp.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "ir/kernel/expr.h"

namespace intaglio {

/// What fusion and scheduling need to know of an operator.
enum class OpClass {
  constant,     ///< const
  elementwise,  ///< each element of the result from the broadcast elements of the operands
  movement,     ///< each element of the result from one element of an operand, at another index
  reduction,    ///< folds some axes
  row,          ///< softmax, layer_norm: several passes over the same axes
  window,       ///< pooling
  contraction,  ///< matmul, conv
  kernel,       ///< a fused group
};

struct AttributeSpec {
  std::string_view name;
  AttributeKind kind;
  /// Nothing: the attribute must be given.
  std::optional<Attribute> fallback;
  std::string_view doc;
};

/// What shape inference sees of a node: operand types, known contents of small integer operands, attributes.
class InferContext {
 public:
  explicit InferContext(const Node& node) : node_(node) {}
  const Node& node() const { return node_; }
  const Type& operand(int i) const { return node_.operand(i)->type; }
  bool has_operand(int i) const { return node_.operand(i) != nullptr; }

  /// Refuses the node: `constraint` is the number in the record, "C2".
  [[noreturn]] void fail(std::string_view constraint, std::string message, std::string expected = {}, std::string got = {}, std::string help = {}) const;
  void require(bool condition, std::string_view constraint, std::string message, std::string expected = {}, std::string got = {}) const {
    if (!condition) fail(constraint, std::move(message), std::move(expected), std::move(got));
  }
  /// Requires two extents to be equal: decided now if both are constants, else noted as an equation of the graph.
  void require_equal(const Dim& a, const Dim& b, std::string_view constraint, const std::string& what);
  /// `axis` counted from the front; fails under `constraint` if out of range.
  int normalized_axis(std::int64_t axis, int rank, std::string_view constraint) const;
  /// The broadcast of two shapes by ONNX's rules (aligned at the end).
  Shape broadcast(const Shape& a, const Shape& b, std::string_view constraint);

  std::vector<Graph::Equation> equations;

 private:
  const Node& node_;
};

/// The element of a node's result at an index, in terms of elements of its operands: how elementwise and movement operators are lowered, and how
/// reductions read what they fold. See ir/kernel/pull.h.
class PullContext {
 public:
  virtual ~PullContext() = default;
  /// The element of operand `i` of `node` at `index` (logical order, as many as its rank).
  virtual kernel::Expr operand(const Node& node, int i, const std::vector<kernel::Expr>& index) = 0;
  /// Notes that generated code must check `low <= value < high` where it computes this element.
  virtual kernel::Expr checked_index(const kernel::Expr& value, const kernel::Expr& high) = 0;
};

struct OpRecord {
  std::string_view name;
  OpClass op_class;
  /// One line for docs/operators.md.
  std::string_view doc;
  int min_operands;
  /// -1: any number.
  int max_operands;
  std::vector<AttributeSpec> attributes;
  /// "C1: ..", what inference checks and cites.
  std::vector<std::string_view> constraints;
  /// The types of the results.
  std::vector<Type> (*infer)(InferContext& context);
  /// The results, by the reference kernels of runtime/host/. Operands that are absent are undefined tensors.
  std::vector<Tensor> (*evaluate)(const Node& node, const std::vector<Tensor>& operands, const std::vector<Type>& result_types);
  /// One element of the result. For elementwise and movement; null for those whose loops the schedule builds.
  kernel::Expr (*pull)(PullContext& context, const Node& node, const std::vector<kernel::Expr>& index) = nullptr;
  /// The contents of an integer result of at most 64 elements as expressions over symbols, from those of the operands; empty if unknown. Null: never known.
  std::optional<std::vector<Dim>> (*contents)(const Node& node, const std::vector<std::optional<std::vector<Dim>>>& operands) = nullptr;
};

/// All operators, sorted by name.
std::span<const OpRecord> op_table();
/// Null for an unknown name.
const OpRecord* find_op(std::string_view name);

/// The symbolic contents of a small integer value, computed through its producers; nothing if unknown.
std::optional<std::vector<Dim>> symbolic_contents(const Value& value);

}  // namespace intaglio
