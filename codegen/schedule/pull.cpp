// Pulls elements of fused values: follows operators back to loads from the region's arguments.
#include "codegen/schedule/pull.h"

#include "support/diagnostics.h"
#include "support/elements.h"

namespace intaglio {
namespace {

/// Types narrower than what arithmetic is done in.
bool is_storage_only(DType dtype) { return is_float(dtype) && dtype != DType::f32 && dtype != DType::f64; }

/// The one element of a scalar constant.
kernel::Expr scalar_constant(const Tensor& tensor) {
  internal_check(tensor.elements() == 1, "a constant of {} elements stands inside a fused group; it must be an operand", tensor.elements());
  const auto first = [&]<typename T>(T) { return tensor.span<T>()[0]; };
  switch (tensor.dtype()) {
    case DType::f32:
      return kernel::constant(DType::f32, static_cast<double>(first(float{})));
    case DType::f64:
      return kernel::constant(DType::f64, first(double{}));
    // The bits are the constant; the cast to f32 is what a load would have had.
    case DType::f16:
    case DType::bf16:
      return kernel::cast(kernel::bitcast(kernel::integer_constant(DType::u16, first(std::uint16_t{})), tensor.dtype()), DType::f32);
    case DType::f8e4m3fn:
    case DType::f8e5m2:
      return kernel::cast(kernel::bitcast(kernel::integer_constant(DType::u8, first(std::uint8_t{})), tensor.dtype()), DType::f32);
    default:
      return kernel::integer_constant(tensor.dtype(), get_integer(tensor, 0));
  }
}

void add_symbols(const Type& type, std::vector<std::string>& names) {
  for (const Dim& dim : type.shape) dim.collect_symbols(names);
}

void add_symbols(const Node& node, std::vector<std::string>& names) {
  for (int i = 0; i < node.result_count(); ++i) add_symbols(node.result(i)->type, names);
  for (const auto& [name, attribute] : node.attributes) {
    const auto* dims = std::get_if<Shape>(&attribute);
    if (!dims) continue;
    for (const Dim& dim : *dims) dim.collect_symbols(names);
  }
}

bool is_root(const Node& node) {
  switch (node.op().op_class) {
    case OpClass::constant:
    case OpClass::elementwise:
    case OpClass::movement:
      return false;
    default:
      return true;
  }
}

}  // namespace

void RegionPull::bind(const Value& value, std::function<kernel::Expr(const Index&)> element) {
  bound_[&value] = std::move(element);
  pulled_.clear();
}

kernel::Expr RegionPull::value(const Value& value, const Index& index) {
  internal_check(index.size() == value.type.shape.size(), "{} indices into {}", index.size(), to_text(value.type));
  const auto key = std::pair(&value, index);
  if (const auto known = pulled_.find(key); known != pulled_.end()) return known->second;
  kernel::Expr element = pull(value, index);
  pulled_.emplace(key, element);
  return element;
}

kernel::Expr RegionPull::pull(const Value& value, const Index& index) {
  if (const auto bound = bound_.find(&value); bound != bound_.end()) return bound->second(index);
  const Node* node = value.producer();
  if (!node) {
    kernel::Expr element = kernel::load(value.index(), value.type.dtype, linear_offset(value.type, index));
    return is_storage_only(value.type.dtype) ? kernel::cast(element, DType::f32) : element;
  }
  if (node->is("const")) return scalar_constant(value.constant());
  internal_check(node->op().pull, "{} has no element of its own; the schedule binds it", node->op_name());
  return node->op().pull(*this, *node, index);
}

kernel::Expr RegionPull::operand(const Node& node, int i, const Index& index) {
  const Value* operand = node.operand(i);
  internal_check(operand, "operand {} of {} is absent", i, node.op_name());
  return value(*operand, index);
}

kernel::Expr RegionPull::checked_index(const kernel::Expr& value, const kernel::Expr& high) { return kernel::checked(value, high); }

kernel::Expr linear_offset(const Type& type, const Index& index) {
  const std::vector<Dim> stride = strides(type);
  kernel::Expr offset = kernel::index_constant(0);
  for (std::size_t d = 0; d < index.size(); ++d) {
    offset = kernel::binary(kernel::Op::add, offset, kernel::binary(kernel::Op::mul, index[d], kernel::from_dim(stride[d])));
  }
  return offset;
}

std::vector<kernel::Buffer> region_buffers(const Graph& region) {
  std::vector<kernel::Buffer> buffers;
  const auto add = [&](const std::string& name, const Type& type, bool written) {
    buffers.push_back({name, type.dtype, element_count(type.shape), written});
  };
  // Numbered, not named after values: kernels that do the same print the same.
  for (const auto& argument : region.arguments()) add(fmt::format("in{}", argument->index()), argument->type, false);
  for (std::size_t i = 0; i < region.results().size(); ++i) add(fmt::format("out{}", i), region.results()[i]->type, true);
  return buffers;
}

std::vector<std::string> region_symbols(const Graph& region) {
  std::vector<std::string> names;
  for (const auto& argument : region.arguments()) add_symbols(argument->type, names);
  for (const Node* node : region.nodes()) add_symbols(*node, names);
  return names;
}

const Node* region_root(const Graph& region) {
  const Node* root = nullptr;
  for (const Node* node : region.nodes()) {
    if (!is_root(*node)) continue;
    internal_check(!root, "a fused group has two roots, {} and {}", root->op_name(), node->op_name());
    root = node;
  }
  return root;
}

}  // namespace intaglio
