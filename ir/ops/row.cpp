// Operators that walk a row several times: softmax, layer_norm.
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {
namespace {

std::vector<Type> infer_softmax(InferContext& context) {
  require_float(context, 0, "C1");
  const Type& x = context.operand(0);
  axis_attribute(context, "axis", x.rank(), "C2");
  return {{x.dtype, x.shape}};
}

std::vector<Type> infer_layer_norm(InferContext& context) {
  require_float(context, 0, "C1");
  require_equal_dtypes(context, "C1");
  const Type& x = context.operand(0);
  axis_attribute(context, "axis", x.rank(), "C2");
  for (int i = 1; i < context.node().operand_count(); ++i) {
    if (context.has_operand(i)) require_broadcastable(context, context.operand(i).shape, x.shape, "C3", i == 1 ? "scale" : "bias");
  }
  return {{x.dtype, x.shape}};
}

}  // namespace

OpRecord softmax_record() {
  return {
      .name = "softmax",
      .op_class = OpClass::row,
      .doc = "exp(x - max) / sum(exp(x - max)) along an axis.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {{"axis", AttributeKind::integer, {}, "the axis along which the result sums to 1"}},
      .constraints = {"C1: x holds floats", "C2: 0 <= axis < rank of x"},
      .infer = infer_softmax,
      .evaluate = [](const Node& node, const std::vector<Tensor>& operands,
                     const auto&) { return std::vector{host::softmax(operands[0], static_cast<int>(node.integer("axis")))}; },
  };
}

OpRecord layer_norm_record() {
  return {
      .name = "layer_norm",
      .op_class = OpClass::row,
      .doc =
          "(x - mean) / sqrt(variance + epsilon) * scale + bias, mean and variance over all axes from `axis` on; operands x, scale, bias "
          "(optional).",
      .min_operands = 2,
      .max_operands = 3,
      .attributes = {{"axis", AttributeKind::integer, {}, "the first axis of what is normalized together"},
                     {"epsilon", AttributeKind::real, 1e-5, "added to the variance"}},
      .constraints = {"C1: all operands hold floats of one dtype", "C2: 0 <= axis < rank of x",
                      "C3: scale and bias broadcast to the shape of x"},
      .infer = infer_layer_norm,
      .evaluate =
          [](const Node& node, const std::vector<Tensor>& x, const auto&) {
            return std::vector{
                host::layer_norm(x[0], x[1], x.size() > 2 ? x[2] : Tensor(), static_cast<int>(node.integer("axis")), node.real("epsilon"))};
          },
  };
}

}  // namespace intaglio::ops
