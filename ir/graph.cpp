// Ownership and use lists of the graph IR.

#include "ir/graph.h"

#include <algorithm>

#include "ir/op.h"
#include "support/diagnostics.h"

namespace intaglio {

Origins merge(const Origins& a, const Origins& b) {
  Origins result = a;
  for (const std::string& name : b) {
    if (std::ranges::find(result, name) == result.end()) result.push_back(name);
  }
  return result;
}

Node* Value::producer(std::string_view op) const { return producer_ && producer_->is(op) ? producer_ : nullptr; }

bool Value::is_constant() const { return producer("const") != nullptr; }

const Tensor& Value::constant() const {
  internal_check(is_constant(), "%{} is not a constant", name);
  return std::get<Tensor>(*producer_->find("value"));
}

void Value::replace_all_uses_with(Value* other) {
  internal_check(other != this, "a value cannot replace itself");
  if (other->origin.empty()) other->origin = origin;
  const std::vector<Use> uses = uses_;
  for (const Use& use : uses) {
    if (use.user) {
      use.user->set_operand(use.operand, other);
    } else {
      graph_->set_result(use.operand, other);
    }
  }
}

std::string_view Node::op_name() const { return op_->name; }

void Node::set_operand(int i, Value* value) {
  if (i >= operand_count()) operands_.resize(i + 1, nullptr);
  if (Value* old = operands_[i]) {
    std::erase_if(old->uses_, [&](const Value::Use& use) { return use.user == this && use.operand == i; });
  }
  operands_[i] = value;
  if (value) value->uses_.push_back({this, i});
}

const Attribute* Node::find(std::string_view name) const {
  if (const auto found = attributes.find(name); found != attributes.end()) return &found->second;
  for (const AttributeSpec& spec : op_->attributes) {
    if (spec.name == name && spec.fallback) return &*spec.fallback;
  }
  return nullptr;
}

namespace {

template <typename T>
const T& attribute_of(const Node& node, std::string_view name) {
  const Attribute* attribute = node.find(name);
  internal_check(attribute, "{} has no attribute '{}'", node.op_name(), name);
  const T* value = std::get_if<T>(attribute);
  internal_check(value, "attribute '{}' of {} is of another kind", name, node.op_name());
  return *value;
}

}  // namespace

std::int64_t Node::integer(std::string_view name) const { return attribute_of<std::int64_t>(*this, name); }
double Node::real(std::string_view name) const { return attribute_of<double>(*this, name); }
const std::string& Node::string(std::string_view name) const { return attribute_of<std::string>(*this, name); }
DType Node::dtype(std::string_view name) const { return attribute_of<DType>(*this, name); }
const std::vector<std::int64_t>& Node::integers(std::string_view name) const { return attribute_of<std::vector<std::int64_t>>(*this, name); }
const Shape& Node::dims(std::string_view name) const { return attribute_of<Shape>(*this, name); }

Value* Graph::add_argument(Type type, std::string argument_name) {
  auto value = std::make_unique<Value>();
  value->type = std::move(type);
  value->name = std::move(argument_name);
  value->graph_ = this;
  value->index_ = static_cast<int>(arguments_.size());
  arguments_.push_back(std::move(value));
  return arguments_.back().get();
}

void Graph::add_result(Value* value, std::string result_name) {
  value->uses_.push_back({nullptr, static_cast<int>(results_.size())});
  results_.push_back(value);
  result_names_.push_back(std::move(result_name));
}

void Graph::set_result(int i, Value* value) {
  std::erase_if(results_[i]->uses_, [&](const Value::Use& use) { return !use.user && use.operand == i; });
  results_[i] = value;
  value->uses_.push_back({nullptr, i});
}

Node* Graph::add_node(std::string_view op, std::vector<Value*> operands, Attributes attributes, Node* before) {
  Node* node = add_node_typed(op, std::move(operands), std::move(attributes), {}, nullptr, before);
  try {
    InferContext context(*node);
    for (Type& type : node->op_->infer(context)) {
      if (!has_possible_size(type.shape)) {
        throw CompileError(ErrorCode::invalid, Diagnostic{"", "the result has an impossible size", fmt::format("at most {} elements, extents of 0 or more", kMostElements), to_text(type)});
      }
      auto value = std::make_unique<Value>();
      value->type = std::move(type);
      value->producer_ = node;
      value->graph_ = this;
      value->index_ = node->result_count();
      node->results_.push_back(std::move(value));
    }
    for (Equation& equation : context.equations) {
      const auto same = [&](const Equation& known) { return known.left == equation.left && known.right == equation.right; };
      if (std::ranges::none_of(equations, same)) equations.push_back(std::move(equation));
    }
  } catch (...) {
    erase(node);
    throw;
  }
  return node;
}

Node* Graph::add_node_typed(std::string_view op, std::vector<Value*> operands, Attributes attributes, std::vector<Type> result_types,
                            std::unique_ptr<Graph> region, Node* before) {
  const OpRecord* record = find_op(op);
  internal_check(record, "no operator is named '{}'", op);
  auto owned = std::make_unique<Node>();
  Node* node = owned.get();
  node->op_ = record;
  node->graph_ = this;
  node->attributes = std::move(attributes);
  node->region_ = std::move(region);
  for (std::size_t i = 0; i < operands.size(); ++i) node->set_operand(static_cast<int>(i), operands[i]);
  node->operands_.resize(operands.size(), nullptr);
  for (Type& type : result_types) {
    auto value = std::make_unique<Value>();
    value->type = std::move(type);
    value->producer_ = node;
    value->graph_ = this;
    value->index_ = node->result_count();
    node->results_.push_back(std::move(value));
  }
  node->position_ = nodes_.insert(before ? before->position_ : nodes_.end(), std::move(owned));
  return node;
}

void Graph::erase(Node* node) {
  for (const auto& result : node->results_) internal_check(result->uses_.empty(), "{} is still in use", node->op_name());
  for (int i = 0; i < node->operand_count(); ++i) node->set_operand(i, nullptr);
  nodes_.erase(node->position_);
}

void Graph::move_before(Node* node, Node* before) { nodes_.splice(before->position_, nodes_, node->position_); }

std::vector<Node*> Graph::nodes() const {
  std::vector<Node*> result;
  result.reserve(nodes_.size());
  for (const auto& node : nodes_) result.push_back(node.get());
  return result;
}

std::vector<Node*> Graph::nodes(std::string_view op) const {
  std::vector<Node*> result;
  for (const auto& node : nodes_) {
    if (node->is(op)) result.push_back(node.get());
  }
  return result;
}

std::vector<std::string> Graph::symbols() const {
  std::vector<std::string> names;
  for (const auto& argument : arguments_) {
    for (const Dim& dim : argument->type.shape) dim.collect_symbols(names);
  }
  return names;
}

Value* Graph::add_constant(Tensor tensor, std::string constant_name, Node* before) {
  Value* value = add_node("const", {}, {{"value", std::move(tensor)}}, before)->result();
  value->name = std::move(constant_name);
  return value;
}

std::unique_ptr<Graph> Graph::clone() const {
  auto copy = std::make_unique<Graph>(name);
  copy->equations = equations;
  std::map<const Value*, Value*> twin;
  const auto note = [&](const Value& from, Value* to) {
    to->name = from.name;
    to->origin = from.origin;
    twin[&from] = to;
  };
  for (const auto& argument : arguments_) note(*argument, copy->add_argument(argument->type, argument->name));
  for (const auto& node : nodes_) {
    std::vector<Value*> operands;
    for (const Value* operand : node->operands()) operands.push_back(operand ? twin.at(operand) : nullptr);
    std::vector<Type> types;
    for (const auto& result : node->results_) types.push_back(result->type);
    Node* made = copy->add_node_typed(node->op_name(), std::move(operands), node->attributes, std::move(types),
                                      node->region_ ? node->region_->clone() : nullptr);
    made->origins = node->origins;
    for (int i = 0; i < node->result_count(); ++i) note(*node->result(i), made->result(i));
  }
  for (std::size_t i = 0; i < results_.size(); ++i) copy->add_result(twin.at(results_[i]), result_names_[i]);
  return copy;
}

Value* Builder::op(std::string_view op_name, std::vector<Value*> operands, Attributes attributes) {
  Node* node = graph_.add_node(op_name, std::move(operands), std::move(attributes), before_);
  node->origins = origins_;
  return node->result();
}

Value* Builder::constant(Tensor tensor, std::string constant_name) {
  Value* value = graph_.add_constant(std::move(tensor), std::move(constant_name), before_);
  value->producer()->origins = origins_;
  return value;
}

}  // namespace intaglio
