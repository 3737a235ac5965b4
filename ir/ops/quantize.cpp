// quantize and dequantize: ONNX's linear quantization per tensor, per axis or per block, to integers or to 8-bit floats.
#include "ir/ops/element.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {

using kernel::Expr;
using kernel::Op;

namespace {

bool is_float8(DType dtype) { return dtype == DType::f8e4m3fn || dtype == DType::f8e5m2; }
bool is_storage(DType dtype) { return (is_integer(dtype) && dtype_bits(dtype) <= 16) || is_float8(dtype); }

/// True if one scale serves the whole tensor.
bool is_per_tensor(const Type& scale) { return scale.rank() == 0 || (scale.rank() == 1 && scale.shape[0] == Dim(1)); }

/// Checks the shape of the scale (C2, C3, C4) and that the zero point has it too (C5).
void check_scale(InferContext& context) {
  const Node& node = context.node();
  const Shape& x = context.operand(0).shape;
  const Type& scale = context.operand(1);
  const std::int64_t block = node.integer("block_size");
  context.require(block >= 0, "C4", "attribute 'block_size' is negative", {}, fmt::format("block_size = {}", block));
  if (block > 0) {
    const int axis = axis_attribute(context, "axis", static_cast<int>(x.size()), "C3");
    context.require(scale.rank() == static_cast<int>(x.size()), "C4", "the scale of blocks has another rank than x");
    for (int d = 0; d < scale.rank(); ++d) {
      const Dim extent = d == axis ? Dim::ceildiv(x[d], block) : x[d];
      context.require_equal(scale.shape[d], extent, "C4", fmt::format("the scales and the blocks along axis {}", d));
    }
  } else if (!is_per_tensor(scale)) {
    const int axis = axis_attribute(context, "axis", static_cast<int>(x.size()), "C3");
    context.require(scale.rank() == 1, "C2", "the scale is neither one number nor a vector");
    context.require_equal(scale.shape[0], x[axis], "C2", fmt::format("the number of scales and the extent of axis {}", axis));
  }
  if (!context.has_operand(2)) return;
  const Shape& zero_point = context.operand(2).shape;
  if (is_per_tensor(scale) && is_per_tensor(context.operand(2))) return;
  context.require(zero_point.size() == scale.shape.size(), "C5", "scale and zero point have different shapes");
  for (std::size_t d = 0; d < zero_point.size(); ++d) {
    context.require_equal(zero_point[d], scale.shape[d], "C5", "the shapes of scale and zero point");
  }
}

std::vector<Type> infer_quantize(InferContext& context) {
  require_float(context, 0, "C1");
  context.require(context.operand(1).dtype == context.operand(0).dtype, "C1", "x and scale have different dtypes");
  check_scale(context);
  const DType to = context.node().dtype("to");
  context.require(is_storage(to), "C6", "there is no quantization to this dtype", {}, std::string(dtype_name(to)));
  if (context.has_operand(2)) context.require(context.operand(2).dtype == to, "C6", "the zero point has another dtype than the result");
  return {{to, context.operand(0).shape}};
}

std::vector<Type> infer_dequantize(InferContext& context) {
  const Type& x = context.operand(0);
  context.require(is_storage(x.dtype) || x.dtype == DType::i32, "C1", "operand 0 holds no quantized values");
  require_float(context, 1, "C6");
  check_scale(context);
  if (context.has_operand(2)) context.require(context.operand(2).dtype == x.dtype, "C1", "the zero point has another dtype than x");
  return {{context.operand(1).dtype, x.shape}};
}

/// The element of scale or zero point, operand `i`, that belongs to `index`.
Expr pull_parameter(PullContext& context, const Node& node, int i, const Index& index) {
  const Type& type = node.operand(i)->type;
  if (is_per_tensor(type)) return context.operand(node, i, Index(type.shape.size(), kernel::index_constant(0)));
  const std::int64_t axis = node.integer("axis");
  const std::int64_t block = node.integer("block_size");
  if (block == 0) return context.operand(node, i, {index[axis]});
  Index of_block = index;
  of_block[axis] = kernel::binary(Op::index_div, index[axis], kernel::index_constant(block));
  return context.operand(node, i, of_block);
}

/// In floats throughout, to 8-bit floats without a zero point. Zero points and bounds have at most 16 bits, and where f32 rounds the sum, it is out of bounds anyway.
Expr pull_quantize(PullContext& context, const Node& node, const Index& index) {
  const Expr x = context.operand(node, 0, index);
  const DType to = node.dtype("to");
  Expr y = kernel::binary(Op::div, x, pull_parameter(context, node, 1, index));
  if (is_float8(to)) return rounded_storage(y, to);
  y = kernel::unary(Op::round_even, y);
  if (node.operand(2)) y = kernel::binary(Op::add, y, kernel::cast(pull_parameter(context, node, 2, index), x->dtype));
  return kernel::cast(y, to);  // which saturates
}

Expr pull_dequantize(PullContext& context, const Node& node, const Index& index) {
  const DType from = node.operand(0)->type.dtype;
  if (is_float8(from)) {
    const Expr scale = pull_parameter(context, node, 1, index);
    return kernel::binary(Op::mul, kernel::cast(context.operand(node, 0, index), scale->dtype), scale);
  }
  Expr x = kernel::cast(context.operand(node, 0, index), DType::i32);
  if (node.operand(2)) x = kernel::binary(Op::sub, x, kernel::cast(pull_parameter(context, node, 2, index), DType::i32));
  const Expr scale = pull_parameter(context, node, 1, index);
  return kernel::binary(Op::mul, kernel::cast(x, scale->dtype), scale);
}

}  // namespace

OpRecord quantize_record() {
  return {
      .name = "quantize",
      .op_class = OpClass::elementwise,
      .doc = "saturate(round(x / scale) + zero_point), halves rounded to even; operands x, scale, zero_point (optional, else 0). 8-bit floats round to "
             "their own places and have no other zero point than 0.",
      .min_operands = 2,
      .max_operands = 3,
      .attributes = {{"axis", AttributeKind::integer, std::int64_t{1}, "the axis that scales belong to"},
                     {"block_size", AttributeKind::integer, std::int64_t{0},
                      "how many indices of `axis` share a scale; 0: each has its own"},
                     {"to", AttributeKind::dtype, {}, "the result's dtype"}},
      .constraints = {"C1: x and scale hold floats of one dtype", "C2: without blocks, scale is one number or has shape [x.shape[axis]]",
                      "C3: 0 <= axis < rank of x, unless scale is one number",
                      "C4: with block_size > 0, scale has the shape of x but ceildiv(x.shape[axis], block_size) along axis",
                      "C5: zero_point has the shape of scale", "C6: `to` is an integer dtype of at most 16 bits, f8e4m3fn or f8e5m2, that of zero_point"},
      .infer = infer_quantize,
      .evaluate =
          [](const Node& node, const std::vector<Tensor>& x, const auto&) {
            return std::vector{host::quantize(x[0], x[1], x.size() > 2 ? x[2] : Tensor(), static_cast<int>(node.integer("axis")),
                                              node.integer("block_size"), node.dtype("to"))};
          },
      .pull = pull_quantize,
  };
}

OpRecord dequantize_record() {
  return {
      .name = "dequantize",
      .op_class = OpClass::elementwise,
      .doc = "(x - zero_point) * scale; operands x, scale, zero_point (optional, else 0).",
      .min_operands = 2,
      .max_operands = 3,
      .attributes = {{"axis", AttributeKind::integer, std::int64_t{1}, "the axis that scales belong to"},
                     {"block_size", AttributeKind::integer, std::int64_t{0},
                      "how many indices of `axis` share a scale; 0: each has its own"}},
      .constraints = {"C1: x holds integers of at most 16 bits, i32, f8e4m3fn or f8e5m2, zero_point the same",
                      "C2: without blocks, scale is one number or has shape [x.shape[axis]]",
                      "C3: 0 <= axis < rank of x, unless scale is one number",
                      "C4: with block_size > 0, scale has the shape of x but ceildiv(x.shape[axis], block_size) along axis",
                      "C5: zero_point has the shape of scale", "C6: scale holds floats, the result's dtype"},
      .infer = infer_dequantize,
      .evaluate =
          [](const Node& node, const std::vector<Tensor>& x, const auto&) {
            return std::vector{host::dequantize(x[0], x[1], x.size() > 2 ? x[2] : Tensor(), static_cast<int>(node.integer("axis")),
                                                node.integer("block_size"))};
          },
      .pull = pull_dequantize,
  };
}

}  // namespace intaglio::ops
