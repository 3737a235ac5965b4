// Typed access to an ONNX node; every access to something that is not there or not of its type is refused with a sentence.
#include "frontend/onnx/node_context.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "frontend/onnx/tensor_proto.h"
#include "ir/op.h"
#include "support/diagnostics.h"

namespace intaglio {

void NodeContext::fail(std::string message, std::string expected, std::string got, std::string help) const {
  throw CompileError(ErrorCode::invalid, Diagnostic{"", std::move(message), std::move(expected), std::move(got), std::move(help)});
}

void NodeContext::require_equal(const Dim& got, const Dim& expected, const std::string& what) {
  if (got == expected) return;
  if (got.is_constant() && expected.is_constant()) fail(what, expected.text(), got.text());
  b.graph().equations.push_back({got, expected, fmt::format("{}: {}", label_, what)});
}

Value* NodeContext::input(int i) const {
  Value* value = optional_input(i);
  if (!value) fail(fmt::format("input {} is missing", i));
  return value;
}

onnx::AttributeProto* NodeContext::find(std::string_view name) const {
  for (onnx::AttributeProto& attribute : *proto_.mutable_attribute()) {
    if (attribute.name() == name) return &attribute;
  }
  return nullptr;
}

onnx::AttributeProto* NodeContext::find(std::string_view name, onnx::AttributeProto::AttributeType type) const {
  onnx::AttributeProto* attribute = find(name);
  if (!attribute) return nullptr;
  if (!attribute->ref_attr_name().empty()) fail(fmt::format("attribute '{}' refers to an attribute of a function", name), "a value");
  if (attribute->type() != type) {
    fail(fmt::format("attribute '{}' has the wrong type", name), onnx::AttributeProto::AttributeType_Name(type),
         onnx::AttributeProto::AttributeType_Name(attribute->type()));
  }
  return attribute;
}

std::int64_t NodeContext::integer(std::string_view name, std::int64_t fallback) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::INT);
  return attribute ? attribute->i() : fallback;
}

double NodeContext::real(std::string_view name, double fallback) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::FLOAT);
  return attribute ? static_cast<double>(attribute->f()) : fallback;
}

std::string NodeContext::string(std::string_view name, std::string_view fallback) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::STRING);
  return attribute ? attribute->s() : std::string(fallback);
}

std::optional<std::vector<std::int64_t>> NodeContext::integers(std::string_view name) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::INTS);
  if (!attribute) return std::nullopt;
  return std::vector<std::int64_t>(attribute->ints().begin(), attribute->ints().end());
}

std::optional<std::vector<double>> NodeContext::reals(std::string_view name) const {
  const onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::FLOATS);
  if (!attribute) return std::nullopt;
  return std::vector<double>(attribute->floats().begin(), attribute->floats().end());
}

std::optional<Tensor> NodeContext::tensor(std::string_view name) const {
  onnx::AttributeProto* attribute = find(name, onnx::AttributeProto::TENSOR);
  if (!attribute) return std::nullopt;
  return import_tensor(*attribute->mutable_t());
}

std::optional<DType> NodeContext::dtype_attribute(std::string_view name) const {
  const std::int64_t number = integer(name, 0);
  if (number == 0) return std::nullopt;
  return import_dtype(number);
}

std::string NodeContext::input_text(int i) const {
  return fmt::format("'{}' {}", i < proto_.input_size() ? proto_.input(i) : "", to_text(input(i)->type));
}

std::vector<Dim> NodeContext::contents(int i) const {
  const Value& value = *input(i);
  require(is_integer(value.type.dtype), fmt::format("input {} must hold integers", i), "i64", input_text(i));
  if (value.is_constant()) {
    // Read here and not by symbolic_contents, which knows small constants only.
    const std::optional<std::vector<std::int64_t>> elements = integer_elements(value.constant());
    if (elements) return {elements->begin(), elements->end()};
  }
  if (std::optional<std::vector<Dim>> known = symbolic_contents(value)) return *std::move(known);
  fail(fmt::format("the values of input {} decide about shapes here, and are not known when compiling", i), "a constant, or integers computed from shapes",
       input_text(i), "shapes that depend on data are not supported yet");
}

std::vector<std::int64_t> NodeContext::constant_contents(int i) const {
  std::vector<std::int64_t> constants;
  for (const Dim& dim : contents(i)) {
    if (!dim.is_constant()) fail(fmt::format("input {} must be constant", i), "integers", fmt::format("{} with {}", input_text(i), dim.text()));
    constants.push_back(dim.value());
  }
  return constants;
}

Dim NodeContext::scalar_contents(int i) const {
  const std::vector<Dim> values = contents(i);
  require(values.size() == 1, fmt::format("input {} must have one element", i), "1 element", input_text(i));
  return values.front();
}

int NodeContext::axis(std::int64_t axis, int rank) const {
  if (axis < -rank || axis >= rank) {
    fail("the axis is out of range", fmt::format("-{} <= axis < {}, for rank {}", rank, rank, rank), fmt::format("axis = {}", axis));
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

std::vector<std::int64_t> NodeContext::axes(std::vector<std::int64_t> axes, int rank) const {
  std::vector<bool> seen(static_cast<std::size_t>(rank));
  for (std::int64_t& entry : axes) {
    entry = axis(entry, rank);
    if (seen[static_cast<std::size_t>(entry)]) fail(fmt::format("axis {} is named twice", entry));
    seen[static_cast<std::size_t>(entry)] = true;
  }
  return axes;
}

std::optional<std::vector<std::int64_t>> NodeContext::axes_by_opset(int input_since) const {
  if (opset_ < input_since) return integers("axes");
  if (!optional_input(1)) return std::nullopt;
  return constant_contents(1);
}

}  // namespace intaglio
