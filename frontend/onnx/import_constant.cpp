// Values that come out of attributes and shapes.
#include <cmath>
#include <cstring>
#include <limits>

#include <fmt/format.h>

#include "frontend/onnx/importers.h"
#include "frontend/onnx/shape_arithmetic.h"
#include "frontend/onnx/tensor_proto.h"

namespace intaglio {
namespace {

constexpr const char* kConstantForms[] = {"value",        "sparse_value", "value_int",    "value_ints",
                                          "value_float",  "value_floats", "value_string", "value_strings"};

Tensor floats(Extents shape, const std::vector<double>& values) {
  return Tensor::of<float>(DType::f32, std::move(shape), {values.begin(), values.end()});
}

/// `extents` filled with the one element of `value`.
Tensor filled(const Tensor& value, Extents extents) {
  Tensor result(value.dtype(), std::move(extents));
  char* bytes = static_cast<char*>(result.mutable_data());
  for (std::size_t at = 0; at < result.bytes(); at += value.bytes()) std::memcpy(bytes + at, value.data(), value.bytes());
  return result;
}

/// The one number that a constant input holds.
double constant_number(const NodeContext& node, int i) {
  const Value& value = *node.input(i);
  const auto elements = value.is_constant() ? real_elements(value.constant()) : std::nullopt;
  if (!elements || elements->size() != 1) {
    node.fail(fmt::format("input {} decides about the shape of the result, and is not known when compiling", i), "a constant", to_text(value.type),
              "shapes that depend on data are not supported yet");
  }
  return elements->front();
}

/// How many numbers there are from `start` to below `limit` by integer steps.
Dim integer_range_size(const NodeContext& node, const Dim& start, const Dim& limit, const Dim& delta) {
  if (!delta.is_constant()) node.fail("the step of the range must be constant", "an integer", delta.text());
  if (delta == Dim(0)) node.fail("the step of the range is 0");
  const Dim distance = delta.value() > 0 ? limit - start : start - limit;
  return Dim::ceildiv(at_least_zero(distance), delta.value() > 0 ? delta : Dim(0) - delta);
}

Dim real_range_size(const NodeContext& node) {
  const double delta = constant_number(node, 2);
  const double size = std::ceil((constant_number(node, 1) - constant_number(node, 0)) / delta);
  constexpr double kMost = std::numeric_limits<std::int32_t>::max();
  if (!(size <= kMost)) node.fail("the range has no end", fmt::format("at most {} numbers", kMost), fmt::format("{}", size));
  return static_cast<std::int64_t>(std::max(size, 0.0));
}

}  // namespace

Values import_constant(NodeContext& node) {
  int forms = 0;
  for (const char* form : kConstantForms) forms += node.has_attribute(form) ? 1 : 0;
  if (forms != 1) node.fail("a constant holds one value", fmt::format("one of {}", fmt::join(kConstantForms, ", ")), fmt::format("{} of them", forms));
  if (auto tensor = node.tensor("value")) return {node.b.constant(*tensor)};
  if (node.has_attribute("value_int")) return {node.b.constant(Tensor::of<std::int64_t>(DType::i64, {}, {node.integer("value_int", 0)}))};
  if (node.has_attribute("value_float")) return {node.b.constant(floats({}, {node.real("value_float", 0)}))};
  if (const auto values = node.integers("value_ints")) {
    return {node.b.constant(Tensor::of<std::int64_t>(DType::i64, {static_cast<std::int64_t>(values->size())}, *values))};
  }
  if (const auto values = node.reals("value_floats")) return {node.b.constant(floats({static_cast<std::int64_t>(values->size())}, *values))};
  node.fail(node.has_attribute("sparse_value") ? "sparse tensors are not supported yet" : "tensors of strings are not supported yet");
}

Values import_constant_of_shape(NodeContext& node) {
  const Shape shape = node.contents(0);
  for (const Dim& extent : shape) node.require(!extent.is_constant() || extent.value() >= 0, "the shape has a negative extent", "0 or more", to_text(shape));
  node.require(has_possible_size(shape), "the shape is too large", fmt::format("at most {} elements", kMostElements), to_text(shape));
  const Tensor value = node.tensor("value").value_or(floats({}, {0}));
  node.require(value.elements() == 1, "attribute 'value' must have one element", "1 element", fmt::format("{}", value.elements()));
  // Small ones are often shapes themselves: as plain constants their contents are known to whoever needs them.
  constexpr std::int64_t kSmall = 64;
  const Dim count = element_count(shape);
  const bool small = count.is_constant() && count.value() <= kSmall && dtype_bits(value.dtype()) >= 8;
  if (small && is_static(shape)) return {node.b.constant(filled(value, static_extents(shape)))};
  return {node.b.op("expand", {node.b.constant(value.reshaped({}))}, {{"shape", shape}})};
}

Values import_shape(NodeContext& node) {
  const Shape& shape = node.shape(0);
  const auto rank = static_cast<std::int64_t>(shape.size());
  const auto position = [rank](std::int64_t bound) { return std::clamp<std::int64_t>(bound < 0 ? bound + rank : bound, 0, rank); };
  const std::int64_t start = position(node.integer("start", 0));
  const std::int64_t end = std::max(start, position(node.integer("end", rank)));
  return {node.b.op("dims", {}, {{"values", Shape(shape.begin() + start, shape.begin() + end)}})};
}

Values import_size(NodeContext& node) {
  Value* count = node.b.op("dims", {}, {{"values", Shape{element_count(node.shape(0))}}});
  return {node.b.reshape(count, {})};
}

Values import_range(NodeContext& node) {
  const DType dtype = node.dtype(0);
  node.require(node.dtype(1) == dtype && node.dtype(2) == dtype, "start, limit and delta must have one type");
  const Dim size =
      is_integer(dtype) ? integer_range_size(node, node.scalar_contents(0), node.scalar_contents(1), node.scalar_contents(2)) : real_range_size(node);
  const auto scalar = [&](int i) { return node.rank(i) == 0 ? node.input(i) : node.b.reshape(node.input(i), {}); };
  Value* index = node.b.op("iota", {}, {{"shape", Shape{size}}, {"axis", std::int64_t{0}}, {"dtype", dtype}});
  return {node.b.add(scalar(0), node.b.mul(index, scalar(2)))};
}

}  // namespace intaglio
