// Operators that act on each element: most are one core operator under another name.
#include <algorithm>
#include <array>
#include <limits>

#include <fmt/format.h>

#include "frontend/onnx/importers.h"
#include "frontend/onnx/tensor_proto.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

struct CoreName {
  std::string_view onnx;
  std::string_view core;
};

constexpr std::array kUnary = {
    CoreName{"Abs", "abs"},         CoreName{"Ceil", "ceil"},       CoreName{"Cos", "cos"},     CoreName{"Erf", "erf"},   CoreName{"Exp", "exp"},
    CoreName{"Floor", "floor"},     CoreName{"IsNaN", "is_nan"},    CoreName{"Log", "log"},     CoreName{"Neg", "neg"},   CoreName{"Not", "logical_not"},
    CoreName{"Relu", "relu"},       CoreName{"Round", "round"},     CoreName{"Sigmoid", "sigmoid"}, CoreName{"Sin", "sin"}, CoreName{"Sqrt", "sqrt"},
    CoreName{"Tanh", "tanh"},
};

constexpr std::array kBinary = {
    CoreName{"Add", "add"},         CoreName{"And", "logical_and"}, CoreName{"Div", "div"},   CoreName{"Equal", "equal"},
    CoreName{"Greater", "greater"}, CoreName{"GreaterOrEqual", "greater_equal"}, CoreName{"Less", "less"}, CoreName{"LessOrEqual", "less_equal"},
    CoreName{"Max", "max"},         CoreName{"Min", "min"},         CoreName{"Mul", "mul"},   CoreName{"Or", "logical_or"},
    CoreName{"Sub", "sub"},         CoreName{"Sum", "add"},         CoreName{"Xor", "logical_xor"},
};

template <std::size_t Size>
std::string_view core_name(const std::array<CoreName, Size>& names, std::string_view onnx) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const CoreName& name) { return name.onnx == onnx; });
  internal_check(found != names.end(), "{} is in the import table under the wrong function", onnx);
  return found->core;
}

/// The broadcast combination of all inputs, from the left.
Value* combine(NodeContext& node, std::string_view core) {
  Value* result = node.input(0);
  for (int i = 1; i < node.input_count(); ++i) result = node.b.op(core, {result, node.input(i)});
  return result;
}

void require_saturation(const NodeContext& node) {
  if (node.integer("saturate", 1) != 1) node.fail("casts that do not saturate are not supported yet", "saturate = 1", "saturate = 0");
  const std::string rounding = node.string("round_mode", "up");
  if (rounding != "up") node.fail("this rounding of casts to f8e8m0 is not supported yet", "round_mode = 'up'", fmt::format("'{}'", rounding));
}

Value* clip(NodeContext& node, Value* low, Value* high) {
  Value* x = node.input(0);
  // In this order the upper bound wins where the two contradict each other.
  if (low) x = node.b.op("max", {x, low});
  return high ? node.b.op("min", {x, high}) : x;
}

}  // namespace

Values import_unary(NodeContext& node) { return {node.b.op(core_name(kUnary, node.op_type()), {node.input(0)})}; }

Values import_binary(NodeContext& node) { return {node.b.op(core_name(kBinary, node.op_type()), {node.input(0), node.input(1)})}; }

Values import_variadic(NodeContext& node) { return {combine(node, core_name(kBinary, node.op_type()))}; }

Values import_mean(NodeContext& node) {
  return {node.b.div(combine(node, "add"), node.b.scalar(node.dtype(0), node.input_count()))};
}

Values import_mod(NodeContext& node) {
  return {node.b.op("mod", {node.input(0), node.input(1)}, {{"fmod", node.integer("fmod", 0)}})};
}

Values import_pow(NodeContext& node) {
  Value* base = node.input(0);
  Value* exponent = node.input(1);
  const DType dtype = node.dtype(0);
  if (node.dtype(1) == dtype) return {node.b.op("pow", {base, exponent})};
  // The result has the base's type, but an integer to a fractional power is computed as a real number.
  if (is_float(node.dtype(1)) && !is_float(dtype)) return {node.b.cast(node.b.op("pow", {node.b.cast(base, node.dtype(1)), exponent}), dtype)};
  return {node.b.op("pow", {base, node.b.cast(exponent, dtype)})};
}

Values import_reciprocal(NodeContext& node) { return {node.b.div(node.b.scalar(node.dtype(0), 1), node.input(0))}; }

Values import_sign(NodeContext& node) {
  Value* x = node.input(0);
  Value* zero = node.b.scalar(node.dtype(0), 0);
  Value* one = node.b.scalar(node.dtype(0), 1);
  // What is neither above nor below zero stays: zero and NaN.
  Value* result = x;
  if (!is_unsigned_integer(node.dtype(0))) result = node.b.op("where", {node.b.op("less", {x, zero}), node.b.scalar(node.dtype(0), -1), result});
  return {node.b.op("where", {node.b.op("greater", {x, zero}), one, result})};
}

Values import_is_inf(NodeContext& node) {
  Value* x = node.input(0);
  Value* infinity = node.b.scalar(node.dtype(0), std::numeric_limits<double>::infinity());
  const bool negative = node.integer("detect_negative", 1) != 0;
  const bool positive = node.integer("detect_positive", 1) != 0;
  if (negative && positive) return {node.b.op("equal", {node.b.op("abs", {x}), infinity})};
  if (positive) return {node.b.op("equal", {x, infinity})};
  if (negative) return {node.b.op("equal", {node.b.op("neg", {x}), infinity})};
  Value* never = node.b.constant(Tensor::of<std::uint8_t>(DType::boolean, {}, {0}));
  return {node.b.op("expand", {never}, {{"shape", node.shape(0)}})};
}

Values import_where(NodeContext& node) { return {node.b.op("where", {node.input(0), node.input(1), node.input(2)})}; }

Values import_cast(NodeContext& node) {
  require_saturation(node);
  const std::optional<DType> to = node.dtype_attribute("to");
  if (!to) node.fail("attribute 'to' names no element type");
  return {node.b.cast(node.input(0), *to)};
}

Values import_cast_like(NodeContext& node) {
  require_saturation(node);
  return {node.b.cast(node.input(0), node.dtype(1))};
}

Values import_clip_attributes(NodeContext& node) {
  // These defaults are the standard's: an infinity becomes the largest number.
  const double low = node.real("min", std::numeric_limits<float>::lowest());
  const double high = node.real("max", std::numeric_limits<float>::max());
  return {clip(node, node.b.scalar(node.dtype(0), low), node.b.scalar(node.dtype(0), high))};
}

Values import_clip(NodeContext& node) { return {clip(node, node.optional_input(1), node.optional_input(2))}; }

Values import_identity(NodeContext& node) { return {node.input(0)}; }

Values import_dropout(NodeContext& node) {
  if (Value* training = node.optional_input(2)) {
    const bool off = training->is_constant() && integer_elements(training->constant()) == std::vector<std::int64_t>{0};
    if (!off) node.fail("dropout in training is not supported", "training_mode = false, or absent", to_text(training->type), "export the model in inference mode");
  }
  if (!node.wants_output(1)) return {node.input(0)};
  Value* kept = node.b.constant(Tensor::of<std::uint8_t>(DType::boolean, {}, {1}));
  return {node.input(0), node.b.op("expand", {kept}, {{"shape", node.shape(0)}})};
}

}  // namespace intaglio
