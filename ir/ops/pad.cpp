// pad: elements added around, or cropped.
#include "ir/ops/contents.h"
#include "ir/ops/element.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {

using kernel::Expr;
using kernel::Op;

namespace {

/// Requires axis `d` to have what mode edge or reflect copies, as far as the extents are known.
void require_source(const InferContext& context, std::size_t d) {
  const Node& node = context.node();
  const std::string& mode = node.string("mode");
  const auto extent = context.operand(0).shape[d].constant();
  if (mode == "constant" || !extent) return;
  for (const Dim& amount : {node.dims("begins")[d], node.dims("ends")[d]}) {
    const auto value = amount.constant();
    if (!value || *value <= 0) continue;
    const std::int64_t least = mode == "edge" ? 1 : *value + 1;
    context.require(*extent >= least, "C4", fmt::format("axis {} is too short for its padding", d),
                    fmt::format("an extent of at least {}", least), fmt::format("{}", *extent));
  }
}

std::vector<Type> infer_pad(InferContext& context) {
  const Node& node = context.node();
  const Type& x = context.operand(0);
  const Shape& begins = node.dims("begins");
  const Shape& ends = node.dims("ends");
  const std::string& mode = node.string("mode");
  context.require(begins.size() == x.shape.size() && ends.size() == x.shape.size(), "C1", "begins and ends are not one per axis", {},
                  fmt::format("begins = {}, ends = {}", to_text(begins), to_text(ends)));
  if (context.has_operand(1)) {
    require_equal_dtypes(context, "C2");
    context.require(context.operand(1).rank() == 0, "C2", "the padding value is not a scalar");
  }
  context.require(mode == "constant" || mode == "edge" || mode == "reflect", "C3", "there is no such mode", {},
                  fmt::format("mode = \"{}\"", mode));
  Type result{x.dtype, {}};
  for (std::size_t d = 0; d < x.shape.size(); ++d) {
    require_source(context, d);
    const Dim extent = begins[d] + x.shape[d] + ends[d];
    context.require(!extent.is_constant() || extent.value() >= 0, "C5", fmt::format("axis {} is cropped to less than nothing", d));
    result.shape.push_back(extent);
  }
  return {result};
}

/// `position` reflected at the first and the last element. One reflection is enough: padding is smaller than the extent (C4).
Expr reflected(const Expr& position, const Expr& extent) {
  const Expr zero = kernel::index_constant(0);
  const Expr last = index_sub(extent, kernel::index_constant(1));
  const Expr from_start = kernel::binary(Op::max, position, index_sub(zero, position));
  return kernel::binary(Op::min, from_start, index_sub(index_mul(kernel::index_constant(2), last), from_start));
}

/// The number that mode constant pads with.
Expr padding_value(PullContext& context, const Node& node, DType dtype) {
  return node.operand(1) ? context.operand(node, 1, {}) : kernel::constant(dtype, 0);
}

Expr pull_pad(PullContext& context, const Node& node, const Index& index) {
  const std::string& mode = node.string("mode");
  const Shape& shape = node.operand(0)->type.shape;
  Index from = index;
  Expr inside = kernel::integer_constant(DType::boolean, 1);
  for (std::size_t d = 0; d < index.size(); ++d) {
    const Dim& begin = node.dims("begins")[d];
    const bool grows = begin != Dim(0) || node.dims("ends")[d] != Dim(0);
    if (!grows) continue;
    const Expr extent = kernel::from_dim(shape[d]);
    const Expr position = index_sub(index[d], kernel::from_dim(begin));
    const Expr not_before = kernel::compare(Op::ge, position, kernel::index_constant(0));
    const Expr not_after = kernel::compare(Op::lt, position, extent);
    inside = kernel::binary(Op::logical_and, inside, kernel::binary(Op::logical_and, not_before, not_after));
    // Even where the element is not taken it is read, so the index stays in range in every mode.
    from[d] = clamp(mode == "reflect" ? reflected(position, extent) : position, extent);
  }
  if (mode != "constant") return context.operand(node, 0, from);
  const DType dtype = compute_dtype(node.result()->type.dtype);
  if (element_count(shape) == Dim(0)) return padding_value(context, node, dtype);
  return kernel::select(inside, context.operand(node, 0, from), padding_value(context, node, dtype));
}

}  // namespace

OpRecord pad_record() {
  return {
      .name = "pad",
      .op_class = OpClass::movement,
      .doc =
          "x with elements added at both ends of each axis (negative amounts crop); operands x and, for mode constant, a scalar (optional, "
          "else 0).",
      .min_operands = 1,
      .max_operands = 2,
      .attributes = {{"begins", AttributeKind::dims, {}, "how many to add before the first element of each axis"},
                     {"ends", AttributeKind::dims, {}, "how many to add after the last one"},
                     {"mode", AttributeKind::string, std::string("constant"),
                      "constant; edge repeats the border; reflect mirrors at it, without repeating it"}},
      .constraints = {"C1: begins and ends have one entry for each axis of x", "C2: the padding value is a scalar of the dtype of x",
                      "C3: mode is constant, edge or reflect",
                      "C4: edge needs one element along a padded axis, reflect one more than it adds at either end",
                      "C5: no extent of the result is negative"},
      .infer = infer_pad,
      .evaluate =
          [](const Node& node, const std::vector<Tensor>& operands, const auto&) {
            return std::vector{host::pad(operands[0], operands.size() > 1 ? operands[1] : Tensor(), static_extents(node.dims("begins")),
                                         static_extents(node.dims("ends")), node.string("mode"))};
          },
      .pull = pull_pad,
      .contents = [](const Node& node, const OperandContents& operands) { return moved_contents(node, operands); },
  };
}

}  // namespace intaglio::ops
