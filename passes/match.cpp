// See match.h.
#include "passes/match.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "support/elements.h"

namespace intaglio {
namespace {

/// True if all elements have the same bits.
bool is_uniform(const Tensor& tensor) {
  const auto bytes = tensor.bytes();
  const auto step = static_cast<std::size_t>(dtype_bits(tensor.dtype())) / 8;
  const auto* data = static_cast<const char*>(tensor.data());
  // Equal to itself moved by one element.
  return std::memcmp(data, data + step, bytes - step) == 0;
}

}  // namespace

bool are_constant(std::initializer_list<const Value*> values) {
  return std::all_of(values.begin(), values.end(), [](const Value* v) { return !v || v->is_constant(); });
}

bool is_constant_expression(const Value& value) {
  const Node* node = value.producer();
  if (!node) return false;
  if (node->is("const")) return true;
  // `dims` and the like stand for symbols.
  if (node->operand_count() == 0) return false;
  return std::all_of(node->operands().begin(), node->operands().end(), [](const Value* v) { return !v || is_constant_expression(*v); });
}

std::optional<double> splat(const Value* value) {
  if (!value || !value->is_constant()) return std::nullopt;
  const Tensor& tensor = value->constant();
  if (tensor.elements() == 0) return std::nullopt;
  // Strings and complex numbers have no real value, elements under a byte no address.
  const bool is_number = is_float(tensor.dtype()) || is_integer(tensor.dtype()) || tensor.dtype() == DType::boolean;
  if (!is_number || dtype_bits(tensor.dtype()) < 8 || !is_uniform(tensor)) return std::nullopt;
  return get_real(tensor, 0);
}

bool is_splat(const Value* value, double number) { return splat(value) == number; }

bool has_shape(const Value* value, const Shape& shape) { return value->type.shape == shape; }

bool is_single_element(const Type& type) { return element_count(type.shape) == Dim(1); }

bool is_elementwise(const Node& node) { return node.op().op_class == OpClass::elementwise; }

bool is_movement(const Node& node) { return node.op().op_class == OpClass::movement; }

bool is_graph_result(const Value& value) {
  return std::any_of(value.uses().begin(), value.uses().end(), [](const Value::Use& use) { return use.user == nullptr; });
}

int constant_operand(const Node& node) {
  for (int i = 0; i < 2; ++i) {
    if (is_constant_expression(*node.operand(i))) return i;
  }
  return -1;
}

const Node* stored_contraction(const Value& value) {
  const Node* node = value.producer();
  if (!node) return nullptr;
  if (node->op().op_class == OpClass::contraction) return dtype_bits(node->operand(0)->type.dtype) == 8 ? node : nullptr;
  if (node->is("cast")) return stored_contraction(*node->operand(0));
  if (!node->is("mul") && !node->is("add") && !node->is("min") && !node->is("max")) return nullptr;
  const int constant = constant_operand(*node);
  return constant < 0 ? nullptr : stored_contraction(*node->operand(1 - constant));
}

Value* repeat_constant(const Value& value, Node* before) {
  Value* copy = before->graph()->add_constant(value.constant(), {}, before);
  copy->origin = value.origin;
  copy->producer()->origins = value.producer()->origins;
  return copy;
}

bool is_dead(const Node& node) {
  for (int i = 0; i < node.result_count(); ++i) {
    if (!node.result(i)->uses().empty()) return false;
  }
  return true;
}

void erase_with_dead_operands(Node* node) {
  std::set<Node*> pending{node};
  while (!pending.empty()) {
    Node* next = *pending.begin();
    pending.erase(pending.begin());
    if (!is_dead(*next)) continue;
    for (Value* operand : next->operands()) {
      if (operand && operand->producer()) pending.insert(operand->producer());
    }
    next->graph()->erase(next);
  }
}

std::vector<std::int64_t> inverse_permutation(const std::vector<std::int64_t>& perm) {
  std::vector<std::int64_t> inverse(perm.size());
  for (std::size_t i = 0; i < perm.size(); ++i) inverse[static_cast<std::size_t>(perm[i])] = static_cast<std::int64_t>(i);
  return inverse;
}

}  // namespace intaglio
