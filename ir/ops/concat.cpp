// concat: pieces one after the other along an axis.
#include "ir/ops/contents.h"
#include "ir/ops/element.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {

using kernel::Expr;

namespace {

std::vector<Type> infer_concat(InferContext& context) {
  require_equal_dtypes(context, "C1");
  Type result{context.operand(0).dtype, context.operand(0).shape};
  const int axis = axis_attribute(context, "axis", result.rank(), "C2");
  for (int i = 1; i < context.node().operand_count(); ++i) {
    const Shape& piece = context.operand(i).shape;
    context.require(piece.size() == result.shape.size(), "C3", fmt::format("operands 0 and {} have different ranks", i));
    for (int d = 0; d < result.rank(); ++d) {
      if (d == axis) {
        result.shape[d] = result.shape[d] + piece[d];
      } else {
        context.require_equal(piece[d], result.shape[d], "C3", fmt::format("the extents of axis {} of operands 0 and {}", d, i));
      }
    }
  }
  return {result};
}

/// The element of the piece that holds `index`. All pieces are read, each within its bounds, and one is chosen.
Expr pull_concat(PullContext& context, const Node& node, const Index& index) {
  const std::int64_t axis = node.integer("axis");
  Dim end = 0;

  std::vector<std::pair<Expr, Expr>> pieces;  // the end of each along the axis, and its element
  for (int i = 0; i < node.operand_count(); ++i) {
    const Dim& extent = node.operand(i)->type.shape[axis];
    if (extent == Dim(0)) continue;  // nothing to read, not even for the side that is not chosen
    Index of_piece = index;
    of_piece[axis] = clamp(index_sub(index[axis], kernel::from_dim(end)), kernel::from_dim(extent));
    end = end + extent;
    pieces.emplace_back(kernel::from_dim(end), context.operand(node, i, of_piece));
  }
  if (pieces.empty()) return context.operand(node, 0, index);  // the result is empty, too
  Expr element = pieces.back().second;
  for (std::size_t i = pieces.size() - 1; i-- > 0;) {
    element = kernel::select(kernel::compare(kernel::Op::lt, index[axis], pieces[i].first), pieces[i].second, element);
  }
  return element;
}

}  // namespace

OpRecord concat_record() {
  return {
      .name = "concat",
      .op_class = OpClass::movement,
      .doc = "The operands one after the other along an axis.",
      .min_operands = 1,
      .max_operands = -1,
      .attributes = {{"axis", AttributeKind::integer, {}, "the axis that the operands follow each other along"}},
      .constraints = {"C1: all operands have one dtype", "C2: 0 <= axis < rank", "C3: the operands agree in rank and in all other extents"},
      .infer = infer_concat,
      .evaluate = [](const Node& node, const std::vector<Tensor>& operands,
                     const auto&) { return std::vector{host::concat(operands, static_cast<int>(node.integer("axis")))}; },
      .pull = pull_concat,
      .contents = [](const Node& node, const OperandContents& operands) { return moved_contents(node, operands); },
  };
}

}  // namespace intaglio::ops
