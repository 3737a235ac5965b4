// cast: conversion between dtypes.
#include "ir/ops/contents.h"
#include "ir/ops/element.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {

using kernel::Expr;

namespace {

bool is_convertible(DType dtype) { return is_number(dtype) || dtype == DType::boolean; }

std::vector<Type> infer_cast(InferContext& context) {
  const DType to = context.node().dtype("to");
  context.require(is_convertible(context.operand(0).dtype) && is_convertible(to), "C1", "there is no such conversion", {},
                  fmt::format("{} to {}", dtype_name(context.operand(0).dtype), dtype_name(to)));
  return {{to, context.operand(0).shape}};
}

Expr pull_cast(PullContext& context, const Node& node, const Index& index) {
  const Expr x = context.operand(node, 0, index);
  const DType to = node.dtype("to");
  if (to == DType::boolean) return kernel::compare(kernel::Op::ne, x, kernel::constant(x->dtype, 0));
  return compute_dtype(to) == to ? kernel::cast(x, to) : rounded_storage(x, to);
}

Contents cast_contents(const Node& node, const OperandContents& operands) {
  if (node.dtype("to") != DType::boolean) return operands[0];
  return map_contents(node, operands, [](const std::vector<Dim>& x) -> std::optional<Dim> {
    const auto order = known_order(x[0], Dim(0));
    return order ? std::optional(Dim(*order != 0)) : std::nullopt;
  });
}

}  // namespace

OpRecord cast_record() {
  return {
      .name = "cast",
      .op_class = OpClass::elementwise,
      .doc =
          "Converts to another dtype: float to integer truncates and saturates (NaN becomes 0), integers wrap, floats round to even, 8-bit ones saturate, "
          "boolean is x != 0.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {{"to", AttributeKind::dtype, {}, "the result's dtype"}},
      .constraints = {"C1: both dtypes are numbers or boolean"},
      .infer = infer_cast,
      .evaluate = [](const Node& node, const std::vector<Tensor>& operands,
                     const auto&) { return std::vector{host::cast(operands[0], node.dtype("to"))}; },
      .pull = pull_cast,
      .contents = cast_contents,
  };
}

}  // namespace intaglio::ops
