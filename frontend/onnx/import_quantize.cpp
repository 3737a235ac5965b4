// Linear quantization. QuantizeLinear and DequantizeLinear core has under the same meaning; operators on quantized values become the operator on
// floats between a dequantize and a quantize, the form in which kernels that compute in integers are found.
#include <algorithm>

#include "frontend/onnx/importers.h"
#include "frontend/onnx/window.h"

namespace intaglio {
namespace {

Attributes scheme(NodeContext& node) {
  const std::int64_t block = node.integer("block_size", 0);
  // One scale for the whole tensor has no axis; the attribute's default need not be one.
  const bool per_tensor = node.rank(1) == 0 || (node.rank(1) == 1 && node.shape(1)[0] == Dim(1));
  const std::int64_t axis = per_tensor || node.rank(0) == 0 ? 0 : node.axis(node.integer("axis", 1), std::max(node.rank(0), 1));
  return {{"axis", axis}, {"block_size", block}};
}

/// dequantize of input `i`, whose scale and zero point are the inputs after it, one for each index of `axis` or one for all.
Value* dequantized(NodeContext& node, int i, std::int64_t axis) {
  std::vector<Value*> operands{node.input(i), node.input(i + 1)};
  if (Value* zero_point = node.optional_input(i + 2)) operands.push_back(zero_point);
  return node.b.op("dequantize", std::move(operands), {{"axis", axis}});
}

/// quantize as the inputs from `i` on say: scale, zero point.
Value* quantized(NodeContext& node, Value* x, int i) {
  return node.b.op("quantize", {x, node.input(i), node.input(i + 1)}, {{"axis", std::int64_t{0}}, {"to", node.dtype(i + 1)}});
}

Value* as(NodeContext& node, Value* x, DType dtype) { return x->type.dtype == dtype ? x : node.b.cast(x, dtype); }

/// Input `i` minus the zero point that input `zero` holds, in `dtype`; a vector of zero points runs along `axis`.
Value* shifted(NodeContext& node, int i, int zero, DType dtype, int axis) {
  Value* x = as(node, node.input(i), dtype);
  Value* zero_point = node.optional_input(zero);
  if (!zero_point) return x;
  zero_point = as(node, zero_point, dtype);
  if (zero_point->type.rank() == 1) {
    Shape shape(static_cast<std::size_t>(node.rank(i)), Dim(1));
    shape[static_cast<std::size_t>(axis)] = zero_point->type.shape[0];
    zero_point = node.b.reshape(zero_point, std::move(shape));
  }
  return node.b.sub(x, zero_point);
}

}  // namespace

Values import_quantize_linear(NodeContext& node) {
  node.require(node.integer("saturate", 1) == 1, "quantization that does not saturate is not supported yet", "saturate = 1", "0");
  // The division is in the scale's type, unless the node names another.
  const DType in = node.dtype_attribute("precision").value_or(node.dtype(1));
  std::vector<Value*> operands{as(node, node.input(0), in), as(node, node.input(1), in)};
  DType to = node.dtype_attribute("output_dtype").value_or(DType::u8);
  if (Value* zero_point = node.optional_input(2)) {
    operands.push_back(zero_point);
    to = zero_point->type.dtype;
  }
  Attributes attributes = scheme(node);
  attributes["to"] = to;
  return {node.b.op("quantize", std::move(operands), std::move(attributes))};
}

Values import_dequantize_linear(NodeContext& node) {
  std::vector<Value*> operands{node.input(0), node.input(1)};
  if (Value* zero_point = node.optional_input(2)) operands.push_back(zero_point);
  Value* result = node.b.op("dequantize", std::move(operands), scheme(node));
  return {as(node, result, node.dtype_attribute("output_dtype").value_or(node.dtype(1)))};
}

/// The scale of a matrix may be one for each row of the left, for each column of the right factor.
Values import_qlinear_matmul(NodeContext& node) {
  node.require(node.rank(0) >= 2 && node.rank(3) >= 2, "quantized vectors are not supported yet", "two matrices", to_text(node.shape(0)) + " and " + to_text(node.shape(3)));
  for (int scale : {1, 4}) node.require(node.rank(scale) <= 1, "scales of stacked matrices are not supported yet", "a number or a vector", to_text(node.shape(scale)));
  Value* product = node.b.op("matmul", {dequantized(node, 0, node.rank(0) - 2), dequantized(node, 3, node.rank(3) - 1)});
  return {quantized(node, product, 6)};
}

/// The bias is i32 with the product of the other scales as its own.
Values import_qlinear_conv(NodeContext& node) {
  std::vector<Value*> operands{dequantized(node, 0, 1), dequantized(node, 3, 0)};
  if (Value* bias = node.optional_input(8)) {
    Value* scale = node.b.mul(node.input(1), node.input(4));
    operands.push_back(node.b.op("dequantize", {bias, scale}, {{"axis", std::int64_t{0}}}));
  }
  Value* sum = node.b.op("conv", std::move(operands), read_conv(node, 3));
  return {quantized(node, sum, 6)};
}

Values import_matmul_integer(NodeContext& node) {
  node.require(node.rank(0) >= 2 && node.rank(1) >= 2, "vectors of integers are not supported yet", "two matrices", to_text(node.shape(0)) + " and " + to_text(node.shape(1)));
  return {node.b.op("matmul", {shifted(node, 0, 2, DType::i32, node.rank(0) - 2), shifted(node, 1, 3, DType::i32, node.rank(1) - 1)})};
}

/// Convolutions are of floats: f64 holds every sum exactly.
Values import_conv_integer(NodeContext& node) {
  Value* sum = node.b.op("conv", {shifted(node, 0, 2, DType::f64, 1), shifted(node, 1, 3, DType::f64, 0)}, read_conv(node, 1));
  return {node.b.cast(sum, DType::i32)};
}

/// u8 over the range of x and zero; the results are y, its scale and its zero point.
Values import_dynamic_quantize_linear(NodeContext& node) {
  Value* x = node.input(0);
  std::vector<std::int64_t> axes;
  for (int i = 0; i < node.rank(0); ++i) axes.push_back(i);
  const Attributes all{{"axes", axes}, {"keepdims", std::int64_t{0}}};
  Value* zero = node.b.scalar(DType::f32, 0);
  Value* low = node.b.op("min", {node.b.op("reduce_min", {x}, all), zero});
  Value* high = node.b.op("max", {node.b.op("reduce_max", {x}, all), zero});
  Value* scale = node.b.div(node.b.sub(high, low), node.b.scalar(DType::f32, 255));
  // Nothing but zeros has any scale.
  scale = node.b.op("where", {node.b.op("equal", {scale, zero}), node.b.scalar(DType::f32, 1), scale});
  Value* zero_point = node.b.cast(node.b.op("round", {node.b.div(node.b.op("neg", {low}), scale)}), DType::u8);
  Value* y = node.b.op("quantize", {x, scale, zero_point}, {{"axis", std::int64_t{0}}, {"to", DType::u8}});
  return {y, scale, zero_point};
}

}  // namespace intaglio
