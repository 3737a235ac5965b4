// The graph IR: a typed SSA graph of core operators. What the operators mean is in ir/ops/ and docs/ir.md:
//  - NaN, infinity and denormals are kept; FMA contraction is the only fast-math.
//  - Integers wrap; float to integer saturates (NaN becomes 0); nothing traps.
//  - 16- and 8-bit floats compute in f32 and round where a value is stored or cast.
//  - Values are immutable: no operator writes to an operand.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/attribute.h"
#include "ir/type.h"

namespace intaglio {

class Graph;
class Node;
struct OpRecord;

/// The ONNX nodes that a node came from, by name, in order of first appearance.
using Origins = std::vector<std::string>;
/// Joins without repeating.
Origins merge(const Origins& a, const Origins& b);

/// One SSA value: the result of a node, or an argument of the graph.
class Value {
 public:
  Type type;
  /// The name in IR text; unique in its graph, given by the printer when empty.
  std::string name;
  /// The ONNX tensor that this value equals, if any.
  std::string origin;

  /// Null for an argument of the graph.
  Node* producer() const { return producer_; }
  /// The producer if it is of this operator, else null.
  Node* producer(std::string_view op) const;
  /// Which result of its producer, or which argument of its graph.
  int index() const { return index_; }

  struct Use {
    Node* user;   ///< null: the graph returns it
    int operand;  ///< position in the user's operands, or in the graph's results
  };
  const std::vector<Use>& uses() const { return uses_; }
  bool has_one_use() const { return uses_.size() == 1; }
  bool is_constant() const;
  /// The tensor of a constant; internal error for any other value.
  const Tensor& constant() const;

  /// Makes every user read `other` instead, and hands this value's origin on if `other` has none.
  void replace_all_uses_with(Value* other);

 private:
  friend class Graph;
  friend class Node;
  Node* producer_ = nullptr;
  Graph* graph_ = nullptr;
  int index_ = 0;
  std::vector<Use> uses_;
};

/// One operation. Owned by its graph.
class Node {
 public:
  const OpRecord& op() const { return *op_; }
  std::string_view op_name() const;
  bool is(std::string_view name) const { return op_name() == name; }

  std::span<Value* const> operands() const { return operands_; }
  int operand_count() const { return static_cast<int>(operands_.size()); }
  /// Null if the operand is optional and absent.
  Value* operand(int i) const { return i < operand_count() ? operands_[i] : nullptr; }
  void set_operand(int i, Value* value);
  int result_count() const { return static_cast<int>(results_.size()); }
  Value* result(int i = 0) const { return results_[i].get(); }

  /// Attributes, those that are left out replaced by the record's defaults; internal error if there is none of this kind.
  std::int64_t integer(std::string_view name) const;
  double real(std::string_view name) const;
  const std::string& string(std::string_view name) const;
  DType dtype(std::string_view name) const;
  const std::vector<std::int64_t>& integers(std::string_view name) const;
  const Shape& dims(std::string_view name) const;
  bool has(std::string_view name) const { return attributes.find(name) != attributes.end(); }
  /// Null if the attribute is neither set nor has a default.
  const Attribute* find(std::string_view name) const;
  Attributes attributes;

  /// The region of a `kernel` node, whose arguments stand for the operands; null for others.
  Graph* region() const { return region_.get(); }
  Origins origins;
  Graph* graph() const { return graph_; }

 private:
  friend class Graph;
  const OpRecord* op_ = nullptr;
  Graph* graph_ = nullptr;
  std::vector<Value*> operands_;
  std::vector<std::unique_ptr<Value>> results_;
  std::unique_ptr<Graph> region_;
  std::list<std::unique_ptr<Node>>::iterator position_;
};

/// A graph: arguments, nodes in an order where each value is defined before it is used, results.
class Graph {
 public:
  Graph() = default;
  explicit Graph(std::string graph_name) : name(std::move(graph_name)) {}
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  std::string name = "main";

  Value* add_argument(Type type, std::string name);
  const std::vector<std::unique_ptr<Value>>& arguments() const { return arguments_; }

  /// Appends a value to what the graph returns; `name` is what the user calls it.
  void add_result(Value* value, std::string name);
  const std::vector<Value*>& results() const { return results_; }
  const std::vector<std::string>& result_names() const { return result_names_; }
  void set_result(int i, Value* value);

  /// Appends a node, or inserts it before another, and infers its result types (CompileError if the operands do not fit: message without subject).
  Node* add_node(std::string_view op, std::vector<Value*> operands, Attributes attributes = {}, Node* before = nullptr);
  /// The same with given result types and an optional region, for `kernel` and for the parser.
  Node* add_node_typed(std::string_view op, std::vector<Value*> operands, Attributes attributes, std::vector<Type> result_types,
                       std::unique_ptr<Graph> region = nullptr, Node* before = nullptr);
  /// Removes a node whose results have no uses.
  void erase(Node* node);
  /// Moves a node to stand right before another.
  void move_before(Node* node, Node* before);

  /// The nodes in order. A copy of the pointers: nodes may be added and erased while walking.
  std::vector<Node*> nodes() const;
  std::vector<Node*> nodes(std::string_view op) const;
  std::size_t node_count() const { return nodes_.size(); }
  /// The symbols of the arguments' types, in order of first appearance.
  std::vector<std::string> symbols() const;

  /// Constants added by passes and the importer.
  Value* add_constant(Tensor tensor, std::string name = {}, Node* before = nullptr);

  /// Equalities between dimensions that some operator relies on and that could not be decided: checked when shapes are bound.
  struct Equation {
    Dim left;
    Dim right;
    std::string reason;  ///< names the node
  };
  std::vector<Equation> equations;

  std::unique_ptr<Graph> clone() const;

 private:
  friend class Node;
  friend class Value;
  std::vector<std::unique_ptr<Value>> arguments_;
  std::list<std::unique_ptr<Node>> nodes_;
  std::vector<Value*> results_;
  std::vector<std::string> result_names_;
};

/// Adds nodes before a fixed node (or at the end), all with the same origins; infers types. What passes and the importer write graphs with.
class Builder {
 public:
  explicit Builder(Graph& graph, Origins origins = {}, Node* before = nullptr) : graph_(graph), origins_(std::move(origins)), before_(before) {}

  Graph& graph() { return graph_; }
  Value* op(std::string_view name, std::vector<Value*> operands, Attributes attributes = {});
  Value* constant(Tensor tensor, std::string name = {});
  /// A rank-0 constant of a float or integer type, converted from double.
  Value* scalar(DType dtype, double value);

  Value* add(Value* a, Value* b) { return op("add", {a, b}); }
  Value* sub(Value* a, Value* b) { return op("sub", {a, b}); }
  Value* mul(Value* a, Value* b) { return op("mul", {a, b}); }
  Value* div(Value* a, Value* b) { return op("div", {a, b}); }
  Value* sqrt(Value* a) { return op("sqrt", {a}); }
  Value* reshape(Value* a, Shape shape) { return op("reshape", {a}, {{"shape", std::move(shape)}}); }
  Value* transpose(Value* a, std::vector<std::int64_t> perm) { return op("transpose", {a}, {{"perm", std::move(perm)}}); }
  Value* cast(Value* a, DType to) { return op("cast", {a}, {{"to", to}}); }

 private:
  Graph& graph_;
  Origins origins_;
  Node* before_;
};

/// The text form. Constants print by reference: `const #k : type` with the data beside it, or in full when they are small.
struct PrintOptions {
  /// Constants of at most this many elements are printed with their values.
  std::int64_t constant_elements = 16;
  /// Prints `; from a, b` after nodes.
  bool origins = false;
};
std::string to_text(const Graph& graph, const PrintOptions& options = {});

/// What references to constants in IR text resolve to.
using ConstantTable = std::map<std::string, Tensor>;
/// Parses one or more graphs; CompileError with line and column otherwise. `source` names the text in messages.
std::vector<std::unique_ptr<Graph>> parse_graphs(std::string_view text, const std::string& source, const ConstantTable& constants = {});
/// The big constants of `graph` under the names that its text refers to them by.
ConstantTable constant_table(const Graph& graph, const PrintOptions& options = {});

/// Checks every rule of docs/ir.md: definitions before uses, types equal to what inference says, attributes known. InternalError names the first violation.
void verify(const Graph& graph);

/// True if the graphs are equal up to names and the order of independent nodes is the same; `why` says the first difference.
bool structurally_equal(const Graph& a, const Graph& b, std::string* why);

/// Runs the graph with the reference kernels; the plainest answer, what everything is compared with.
std::vector<Tensor> evaluate(const Graph& graph, const std::vector<Tensor>& inputs);

}  // namespace intaglio
