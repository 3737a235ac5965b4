// gather and gather_elements: elements at indices that are values.
#include "ir/ops/contents.h"
#include "ir/ops/element.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {

using kernel::Expr;
using kernel::Op;

namespace {

void require_index(const InferContext& context, std::string_view constraint) {
  const DType dtype = context.operand(1).dtype;
  context.require(dtype == DType::i64 || dtype == DType::i32, constraint, "the indices are neither i64 nor i32");
}

std::vector<Type> infer_gather(InferContext& context) {
  require_index(context, "C1");
  const Shape& x = context.operand(0).shape;
  const Shape& indices = context.operand(1).shape;
  const int axis = axis_attribute(context, "axis", static_cast<int>(x.size()), "C2");
  Shape result(x.begin(), x.begin() + axis);
  result.insert(result.end(), indices.begin(), indices.end());
  result.insert(result.end(), x.begin() + axis + 1, x.end());
  return {{context.operand(0).dtype, result}};
}

std::vector<Type> infer_gather_elements(InferContext& context) {
  require_index(context, "C1");
  const Shape& x = context.operand(0).shape;
  const Shape& indices = context.operand(1).shape;
  const int axis = axis_attribute(context, "axis", static_cast<int>(x.size()), "C2");
  context.require(indices.size() == x.size(), "C3", "x and indices have different ranks");
  for (std::size_t d = 0; d < x.size(); ++d) {
    if (static_cast<int>(d) == axis) continue;
    const Dim smaller = Dim::min(indices[d], x[d]);
    context.require(!smaller.is_constant() || smaller == indices[d], "C3", fmt::format("indices is longer than x along axis {}", d));
    // indices <= x, said as an equation
    context.require_equal(smaller, indices[d], "C3", fmt::format("the extent of axis {} of indices and the smaller one of both", d));
  }
  return {{context.operand(0).dtype, indices}};
}

/// An index read from operand 1, counted from the front and checked against the extent of `axis`.
Expr checked_position(PullContext& context, const Node& node, const Index& at) {
  const Expr extent = kernel::from_dim(node.operand(0)->type.shape[node.integer("axis")]);
  const Expr given = kernel::cast(context.operand(node, 1, at), DType::i64);
  const Expr is_negative = kernel::compare(Op::lt, given, kernel::index_constant(0));
  return context.checked_index(kernel::select(is_negative, index_add(given, extent), given), extent);
}

Expr pull_gather(PullContext& context, const Node& node, const Index& index) {
  const auto axis = index.begin() + node.integer("axis");
  const auto after = axis + node.operand(1)->type.rank();
  Index from(index.begin(), axis);
  from.push_back(checked_position(context, node, Index(axis, after)));
  from.insert(from.end(), after, index.end());
  return context.operand(node, 0, from);
}

Expr pull_gather_elements(PullContext& context, const Node& node, const Index& index) {
  Index from = index;
  from[node.integer("axis")] = checked_position(context, node, index);
  return context.operand(node, 0, from);
}

Contents picked(const Node& node, const OperandContents& operands) { return moved_contents(node, operands, 1); }

}  // namespace

OpRecord gather_record() {
  return {
      .name = "gather",
      .op_class = OpClass::movement,
      .doc = "x[.., indices, ..] along an axis; negative indices count from the end, and one out of range is an error of the run.",
      .min_operands = 2,
      .max_operands = 2,
      .attributes = {{"axis", AttributeKind::integer, std::int64_t{0}, "the axis of x that indices replace"}},
      .constraints = {"C1: indices are i32 or i64", "C2: 0 <= axis < rank of x"},
      .infer = infer_gather,
      .evaluate = [](const Node& node, const std::vector<Tensor>& operands,
                     const auto&) { return std::vector{host::gather(operands[0], operands[1], static_cast<int>(node.integer("axis")))}; },
      .pull = pull_gather,
      .contents = picked,
  };
}

OpRecord gather_elements_record() {
  return {
      .name = "gather_elements",
      .op_class = OpClass::movement,
      .doc = "Element i of the result is x[i] with the coordinate of an axis replaced by indices[i]; indices as for gather.",
      .min_operands = 2,
      .max_operands = 2,
      .attributes = {{"axis", AttributeKind::integer, std::int64_t{0}, "the axis whose coordinate is replaced"}},
      .constraints = {"C1: indices are i32 or i64", "C2: 0 <= axis < rank of x",
                      "C3: indices has the rank of x, and no larger extent but along axis"},
      .infer = infer_gather_elements,
      .evaluate =
          [](const Node& node, const std::vector<Tensor>& operands, const auto&) {
            return std::vector{host::gather_elements(operands[0], operands[1], static_cast<int>(node.integer("axis")))};
          },
      .pull = pull_gather_elements,
      .contents = picked,
  };
}

}  // namespace intaglio::ops
