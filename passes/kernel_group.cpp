// How a group of nodes grows and becomes a kernel; see kernel_group.h.
#include "passes/kernel_group.h"

#include <algorithm>
#include <set>

#include "ir/view.h"
#include "passes/match.h"

namespace intaglio {
namespace {

/// Beyond this, code is long to compile and registers run out; what is cut off costs one pass over memory.
constexpr std::size_t kMaxNodes = 96;

bool is_contraction(const Node& node) { return node.op().op_class == OpClass::contraction; }

/// True if recomputing an element costs about as much as loading it.
bool is_cheap(const Node& node) {
  static const std::set<std::string_view> kExpensive{"div",  "mod", "pow", "sqrt", "exp",     "log",
                                                     "tanh", "sin", "cos", "erf",  "sigmoid", "batch_norm"};
  return !kExpensive.contains(node.op_name());
}

/// True if computing one element of `reader` reads about one element of operand `i`, so that the elements of the operand are each computed
/// once.
bool reads_once(const Node& reader, int i) {
  switch (reader.op().op_class) {
    case OpClass::elementwise:
      return has_shape(reader.operand(i), reader.result()->type.shape);
    case OpClass::movement:
      return !reader.is("gather") && !reader.is("gather_elements") && !reader.is("expand");
    case OpClass::reduction:
    case OpClass::row:
    case OpClass::window:
      return i == 0;
    default:
      return false;
  }
}

/// Windows overlap, and both sides of a border are computed before one is chosen.
bool reads_wastefully(const Node& reader) { return reader.op().op_class == OpClass::window || reader.is("concat") || reader.is("pad"); }

/// True for a reshape that only adds or removes dimensions of extent 1.
bool moves_ones_only(const Node& reshape) {
  const auto wide = [](const Shape& shape) {
    Shape rest;
    std::copy_if(shape.begin(), shape.end(), std::back_inserter(rest), [](const Dim& dim) { return dim != Dim(1); });
    return rest;
  };
  return wide(reshape.operand(0)->type.shape) == wide(reshape.result()->type.shape);
}

/// A view whose index arithmetic is a permutation: elementwise code computes through it at no cost.
bool is_light_view(const Node& node) { return is_view(node) && (!node.is("reshape") || moves_ones_only(node)); }

/// True if the elements at the end of `views` (the last one first) lie at constant strides in the memory of `producer`'s operand.
bool is_strided(const Node& producer, const std::vector<Node*>& views) {
  if (producer.operand_count() == 0) return false;
  auto view = view_through(producer, own_memory(*producer.operand(0)));
  for (auto it = views.rbegin(); view && it != views.rend(); ++it) view = view_through(**it, *view);
  return view.has_value();
}

/// A cast or dequantization that reads fewer bytes than it makes.
bool is_widening(const Node& node) {
  return (node.is("cast") || node.is("dequantize")) && is_float(node.result()->type.dtype) && dtype_bits(node.operand(0)->type.dtype) < dtype_bits(node.result()->type.dtype);
}

/// What is worth repeating in each reader: movement that costs an address, conversions that cost less than the load of their result.
bool is_free_to_repeat(const Node& node) { return node.is("slice") || node.is("expand") || node.is("iota") || is_widening(node); }

/// True if all that reads the value takes in a conversion that makes it, which then is repeated.
bool is_converted_by_readers(const Value& value) {
  return std::ranges::all_of(value.uses(), [](const Value::Use& use) {
    if (!use.user) return false;
    const OpClass op_class = use.user->op().op_class;
    return op_class == OpClass::elementwise || op_class == OpClass::reduction || op_class == OpClass::row;
  });
}

bool is_one_element_constant(const Value& value) { return value.is_constant() && value.constant().elements() == 1; }

}  // namespace

bool KernelGroup::is_internal(const Value& value) const {
  return std::all_of(value.uses().begin(), value.uses().end(), [&](const Value::Use& use) {
    if (!use.user) return false;
    return contains(use.user) || (is_light_view(*use.user) && is_internal(*use.user->result()));
  });
}

KernelGroup::Role KernelGroup::role_from_uses(const Value& value) const {
  Role role;
  for (const Value::Use& use : value.uses()) {
    if (!use.user) continue;
    if (const auto reader = roles_.find(use.user); reader != roles_.end()) {
      role.once &= reader->second.once && reads_once(*use.user, use.operand);
      role.cheap_only |= reader->second.cheap_only || reads_wastefully(*use.user);
    } else if (is_light_view(*use.user)) {
      const Role through = role_from_uses(*use.user->result());
      role.once &= through.once;
      role.cheap_only |= through.cheap_only;
    }
  }
  return role;
}

std::vector<const Node*> KernelGroup::leaving() const {
  std::vector<const Node*> nodes;
  for (const auto& [node, role] : roles_) {
    const auto& uses = node->result()->uses();
    if (std::any_of(uses.begin(), uses.end(), [&](const Value::Use& use) { return !use.user || !contains(use.user); }))
      nodes.push_back(node);
  }
  return nodes;
}

std::vector<Node*> KernelGroup::epilogue_candidates(bool same_memory_order) const {
  const Type& type = first_->result()->type;
  std::set<Node*> found;
  std::vector<const Value*> frontier{result_};
  while (!frontier.empty() && found.size() < kMaxNodes) {
    const Value* value = frontier.back();
    frontier.pop_back();
    for (const Value::Use& use : value->uses()) {
      if (!use.user || !is_elementwise(*use.user) || use.user->result_count() != 1) continue;
      const Type& next = use.user->result()->type;
      if (next.shape != type.shape || (same_memory_order && !same_order(next.shape, next.layout, type.layout))) continue;
      if (found.insert(use.user).second) frontier.push_back(use.user->result());
    }
  }
  std::vector<Node*> candidates(found.begin(), found.end());
  std::sort(candidates.begin(), candidates.end(), [&](const Node* a, const Node* b) { return order_.at(a) < order_.at(b); });
  return candidates;
}

void KernelGroup::absorb_epilogue(bool same_memory_order) {
  const auto candidates = epilogue_candidates(same_memory_order);
  const auto before = roles_;
  // With one value leaving, the last one, nothing outside that the group reads can depend on the group.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    roles_[candidates[i]] = {};
    const auto out = leaving();
    // What a dequantization reads takes fewer bytes to store, and its readers repeat it.
    const bool is_repeated = candidates[i]->is("dequantize") || (is_widening(*candidates[i]) && is_converted_by_readers(*candidates[i]->result()));
    if (out.size() == 1 && out[0] == candidates[i] && !is_repeated) kept = i + 1;
  }
  roles_ = before;
  for (std::size_t i = 0; i < kept; ++i) roles_[candidates[i]] = {};
  if (kept > 0) result_ = candidates[kept - 1]->result();
}

bool KernelGroup::may_absorb(const Node& producer, const std::vector<Node*>& views, const Node& reader) const {
  const bool light = std::all_of(views.begin(), views.end(), [](const Node* view) { return is_light_view(*view); });
  if (is_movement(producer)) {
    if (!light && !is_strided(producer, views)) return false;
    if (is_free_to_repeat(producer)) return true;
    // Choosing among pieces for each element pays where it saves a pass over memory, not inside loops that read several times.
    if (producer.is("concat") && !is_elementwise(reader)) return false;
    return light && is_internal(*producer.result());
  }
  if (!is_elementwise(producer) || !light) return false;
  // What a quantization writes takes fewer bytes than what it reads: it belongs to the contraction before it, if there is one.
  if (producer.is("quantize") && is_contraction(*first_)) return false;
  if (is_free_to_repeat(producer)) return true;
  // What a contraction of integers is multiplied by is part of that contraction.
  if (is_contraction(*first_) && stored_contraction(*producer.result())) return false;
  if (!is_internal(*producer.result())) return false;
  const Role role = role_from_uses(*producer.result());
  return role.once && (!role.cheap_only || is_cheap(producer));
}

bool KernelGroup::absorb_producer_of(const Node& reader, int operand) {
  std::vector<Node*> views;
  const Value* value = reader.operand(operand);
  Node* producer = value ? value->producer() : nullptr;
  while (producer && !contains(producer) && is_view(*producer)) {
    views.push_back(producer);
    producer = producer->operand(0)->producer();
  }
  if (!producer || producer->result_count() != 1) return false;
  const bool inside = contains(producer);
  if (inside && views.empty()) return false;
  if (roles_.size() >= kMaxNodes || !may_absorb(*producer, views, reader)) return false;

  // The producer first: what a view's role is follows from its readers, what the producer's is from the views.
  for (Node* view : views) roles_[view] = role_from_uses(*view->result());
  if (!inside) roles_[producer] = role_from_uses(*producer->result());
  return true;
}

void KernelGroup::absorb_producers() {
  for (bool changed = true; changed;) {
    changed = false;
    for (Node* node : in_order()) {
      if (is_contraction(*node)) continue;
      for (int i = 0; i < node->operand_count(); ++i) changed |= absorb_producer_of(*node, i);
    }
  }
}

void KernelGroup::absorb_strided_operand(int i) {
  const StridedView view = strided_view(*first_->operand(i));
  std::vector<Node*> chain;
  std::size_t taken = 0;
  for (Value* value = first_->operand(i); value != view.base; value = value->producer()->operand(0)) {
    chain.push_back(value->producer());
    // Views of what is in memory anyway stay outside, where others may share them.
    if (!is_view(*chain.back())) taken = chain.size();
  }
  // Along neither of the inner dimensions do elements follow each other: reading them would be slower than a copy.
  const std::size_t rank = view.strides.size();
  if (rank < 2) return;
  const bool is_conv = first_->is("conv");
  const auto dense = [&](std::size_t d) { return view.strides[d] == Dim(1) || first_->operand(i)->type.shape[d] == Dim(1); };
  if (is_conv ? !dense(1) : !dense(rank - 1) && !dense(rank - 2)) return;
  for (std::size_t k = 0; k < taken; ++k) roles_[chain[k]] = {};
}

void KernelGroup::absorb_packed_weights() {
  std::vector<Node*> chain;
  for (Node* node = first_->operand(1)->producer(); node; node = node->operand(0)->producer()) {
    chain.push_back(node);
    if (node->is("dequantize") && node->operand(0)->type.dtype == DType::i4) {
      for (Node* absorbed : chain) roles_[absorbed] = {};
      return;
    }
    if (!is_view(*node)) return;
  }
}

std::vector<Node*> KernelGroup::in_order() const {
  std::vector<Node*> nodes;
  for (const auto& [node, role] : roles_) nodes.push_back(const_cast<Node*>(node));
  std::sort(nodes.begin(), nodes.end(), [&](const Node* a, const Node* b) { return order_.at(a) < order_.at(b); });
  return nodes;
}

void KernelGroup::materialize() {
  const auto nodes = in_order();
  auto region = std::make_unique<Graph>(std::string(first_->op_name()));
  std::map<const Value*, Value*> inside;
  std::vector<Value*> operands;
  Origins origins;

  const auto enter = [&](Value* value) -> Value* {
    if (!value) return nullptr;
    if (const auto it = inside.find(value); it != inside.end()) return it->second;
    // Scalars are part of what the kernel computes: kernels differ by them, and code folds them.
    if (is_one_element_constant(*value)) return inside[value] = region->add_constant(value->constant(), value->name);
    operands.push_back(value);
    return inside[value] = region->add_argument(value->type, value->name);
  };

  for (Node* node : nodes) {
    std::vector<Value*> inputs;
    for (Value* operand : node->operands()) inputs.push_back(enter(operand));
    Node* copy = region->add_node_typed(node->op_name(), std::move(inputs), node->attributes, {node->result()->type});
    copy->origins = node->origins;
    copy->result()->name = node->result()->name;
    copy->result()->origin = node->result()->origin;
    inside[node->result()] = copy->result();
    origins = merge(origins, node->origins);
  }
  region->add_result(inside.at(result_), {});

  Node* kernel = graph_.add_node_typed("kernel", std::move(operands), {}, {result_->type}, std::move(region), result_->producer());
  kernel->origins = std::move(origins);
  kernel->result()->name = result_->name;
  result_->replace_all_uses_with(kernel->result());
  // Movement that other groups read too stays for them.
  for (auto it = nodes.rbegin(); it != nodes.rend(); ++it) {
    if (is_dead(**it)) graph_.erase(*it);
  }
}

}  // namespace intaglio
