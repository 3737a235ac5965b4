// What the records of elementwise operators of two operands share.
#pragma once

#include "ir/ops/element.h"

namespace intaglio::ops {

using BinaryKernel = Tensor (*)(const Tensor&, const Tensor&);

template <BinaryKernel kernel_function>
std::vector<Tensor> evaluate_binary(const Node&, const std::vector<Tensor>& operands, const std::vector<Type>&) {
  return {kernel_function(operands[0], operands[1])};
}

template <kernel::Op op>
kernel::Expr pull_binary(PullContext& context, const Node& node, const Index& index) {
  return kernel::binary(op, broadcast_operand(context, node, 0, index), broadcast_operand(context, node, 1, index));
}

template <kernel::Op op>
kernel::Expr pull_compare(PullContext& context, const Node& node, const Index& index) {
  return kernel::compare(op, broadcast_operand(context, node, 0, index), broadcast_operand(context, node, 1, index));
}

}  // namespace intaglio::ops
