// Runs graphs with the reference kernels.

#include "ir/graph.h"
#include "ir/op.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

using Binding = std::map<std::string, Dim>;

std::int64_t bound(const Dim& dim, const Binding& binding) { return dim.substitute(binding).value(); }

/// Binds the symbols that stand alone in the arguments' shapes, then checks all the other extents.
Binding bind(const Graph& graph, const std::vector<Tensor>& inputs) {
  Binding binding;
  const auto& arguments = graph.arguments();
  internal_check(inputs.size() == arguments.size(), "{} inputs for {} arguments", inputs.size(), arguments.size());
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Type& type = arguments[i]->type;
    internal_check(inputs[i].dtype() == type.dtype && inputs[i].rank() == type.rank(), "input {} does not fit {}", i, to_text(type));
    for (int d = 0; d < type.rank(); ++d) {
      if (const auto symbol = type.shape[d].as_symbol()) binding.try_emplace(*symbol, inputs[i].shape()[d]);
    }
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    for (int d = 0; d < arguments[i]->type.rank(); ++d) {
      internal_check(bound(arguments[i]->type.shape[d], binding) == inputs[i].shape()[d], "input {} does not fit {}", i, to_text(arguments[i]->type));
    }
  }
  for (const Graph::Equation& equation : graph.equations) {
    internal_check(bound(equation.left, binding) == bound(equation.right, binding), "{}", equation.reason);
  }
  return binding;
}

Type bound(Type type, const Binding& binding) {
  for (Dim& dim : type.shape) dim = dim.substitute(binding);
  return type;
}

Attributes bound(const Attributes& attributes, const Binding& binding) {
  Attributes result = attributes;
  for (auto& [name, value] : result) {
    if (auto* dims = std::get_if<Shape>(&value)) {
      for (Dim& dim : *dims) dim = dim.substitute(binding);
    }
  }
  return result;
}

std::vector<Tensor> run(const Graph& graph, const std::vector<Tensor>& inputs, const Binding& binding);

/// Evaluates one node: a copy of it that has no symbols, in a graph of its own.
std::vector<Tensor> run(const Node& node, const std::vector<Tensor>& operands, const Binding& binding) {
  if (node.region()) return run(*node.region(), operands, binding);
  Graph scratch;
  std::vector<Value*> arguments;
  for (int i = 0; i < node.operand_count(); ++i) {
    arguments.push_back(node.operand(i) ? scratch.add_argument(bound(node.operand(i)->type, binding), "") : nullptr);
  }
  std::vector<Type> types;
  for (int i = 0; i < node.result_count(); ++i) types.push_back(bound(node.result(i)->type, binding));
  const Node* concrete = scratch.add_node_typed(node.op_name(), std::move(arguments), bound(node.attributes, binding), types);
  return node.op().evaluate(*concrete, operands, types);
}

std::vector<Tensor> run(const Graph& graph, const std::vector<Tensor>& inputs, const Binding& binding) {
  std::map<const Value*, Tensor> values;
  for (std::size_t i = 0; i < inputs.size(); ++i) values[graph.arguments()[i].get()] = inputs[i];
  std::map<const Value*, std::size_t> readers_left;
  for (const Node* node : graph.nodes()) {
    std::vector<Tensor> operands;
    for (const Value* operand : node->operands()) operands.push_back(operand ? values.at(operand) : Tensor());
    std::vector<Tensor> results = run(*node, operands, binding);
    for (int i = 0; i < node->result_count(); ++i) {
      values[node->result(i)] = std::move(results[static_cast<std::size_t>(i)]);
      readers_left[node->result(i)] = node->result(i)->uses().size();
    }
    // A value that nobody reads any more gives its memory back.
    for (const Value* operand : node->operands()) {
      if (operand && readers_left.contains(operand) && --readers_left[operand] == 0) values.erase(operand);
    }
  }
  std::vector<Tensor> outputs;
  for (const Value* result : graph.results()) outputs.push_back(values.at(result));
  return outputs;
}

}  // namespace

std::vector<Tensor> evaluate(const Graph& graph, const std::vector<Tensor>& inputs) { return run(graph, inputs, bind(graph, inputs)); }

}  // namespace intaglio
