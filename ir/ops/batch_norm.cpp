// batch_norm: normalization of each channel with known statistics.
#include "ir/ops/element.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {

using kernel::Expr;
using kernel::Op;

namespace {

std::vector<Type> infer_batch_norm(InferContext& context) {
  require_float(context, 0, "C1");
  require_equal_dtypes(context, "C1");
  const Type& x = context.operand(0);
  context.require(x.rank() >= 2, "C2", "the input has no channels");
  for (int i = 1; i < 5; ++i) {
    context.require(context.operand(i).rank() == 1, "C3", fmt::format("operand {} is not a vector", i));
    context.require_equal(context.operand(i).shape[0], x.shape[1], "C3", fmt::format("the length of operand {} and the channels of x", i));
  }
  return {{x.dtype, x.shape}};
}

Expr pull_batch_norm(PullContext& context, const Node& node, const Index& index) {
  const auto of_channel = [&](int i) { return context.operand(node, i, {index[1]}); };
  const Expr x = context.operand(node, 0, index);
  const Expr variance = kernel::binary(Op::add, of_channel(4), kernel::constant(x->dtype, node.real("epsilon")));
  const Expr scale = kernel::binary(Op::div, of_channel(1), kernel::unary(Op::sqrt, variance));
  return kernel::binary(Op::add, kernel::binary(Op::mul, kernel::binary(Op::sub, x, of_channel(3)), scale), of_channel(2));
}

}  // namespace

OpRecord batch_norm_record() {
  return {
      .name = "batch_norm",
      .op_class = OpClass::elementwise,
      .doc =
          "(x - mean) / sqrt(var + epsilon) * scale + bias; operands x, scale, bias, mean, var, all but x one element a channel (axis 1).",
      .min_operands = 5,
      .max_operands = 5,
      .attributes = {{"epsilon", AttributeKind::real, 1e-5, "added to the variance"}},
      .constraints = {"C1: all operands hold floats of one dtype", "C2: x has at least 2 dimensions",
                      "C3: scale, bias, mean and var have shape [x.shape[1]]"},
      .infer = infer_batch_norm,
      .evaluate = [](const Node& node, const std::vector<Tensor>& x,
                     const auto&) { return std::vector{host::batch_norm(x[0], x[1], x[2], x[3], x[4], node.real("epsilon"))}; },
      .pull = pull_batch_norm,
  };
}

}  // namespace intaglio::ops
