// Movement of one operand's elements: transpose, expand, slice, convert_layout.
#include <algorithm>
#include <numeric>

#include "ir/ops/contents.h"
#include "ir/ops/element.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {
namespace {

Contents moved(const Node& node, const OperandContents& operands) { return moved_contents(node, operands); }

/// Requires attribute `name` to be a permutation of the axes of the operand.
void require_permutation(const InferContext& context, std::string_view name, std::string_view constraint) {
  const auto& given = context.node().integers(name);
  std::vector<std::int64_t> axes(context.operand(0).shape.size());
  std::iota(axes.begin(), axes.end(), 0);
  if (std::is_permutation(given.begin(), given.end(), axes.begin(), axes.end())) return;
  context.fail(constraint, fmt::format("attribute '{}' is not a permutation of the axes", name), {},
               fmt::format("{} = [{}]", name, fmt::join(given, ",")));
}

// --- transpose ---

std::vector<Type> infer_transpose(InferContext& context) {
  require_permutation(context, "perm", "C1");
  const Type& x = context.operand(0);
  Type result{x.dtype, {}};
  for (std::int64_t axis : context.node().integers("perm")) result.shape.push_back(x.shape[axis]);
  return {result};
}

kernel::Expr pull_transpose(PullContext& context, const Node& node, const Index& index) {
  const auto& perm = node.integers("perm");
  Index from(index.size());
  for (std::size_t d = 0; d < perm.size(); ++d) from[perm[d]] = index[d];
  return context.operand(node, 0, from);
}

// --- expand ---

std::vector<Type> infer_expand(InferContext& context) {
  const Type& x = context.operand(0);
  const Shape& shape = context.node().dims("shape");
  require_broadcastable(context, x.shape, shape, "C1", "the operand");
  return {{x.dtype, shape}};
}

// --- slice ---

/// Requires the first and the last element of axis `d` to exist, as far as the extents are known.
void require_inside(const InferContext& context, std::size_t d) {
  const Node& node = context.node();
  const auto extent = context.operand(0).shape[d].constant();
  const auto start = node.dims("starts")[d].constant();
  const auto size = node.dims("sizes")[d].constant();
  context.require(!size || *size >= 0, "C2", "a size is negative", {}, to_text(node.dims("sizes")));
  if (!extent || !start || !size || *size == 0) return;
  const std::int64_t last = *start + (*size - 1) * node.integers("steps")[d];
  const bool inside = std::min(*start, last) >= 0 && std::max(*start, last) < *extent;
  context.require(inside, "C3", fmt::format("the slice reaches outside of axis {}", d), {},
                  fmt::format("elements {} to {} of {}", *start, last, *extent));
}

std::vector<Type> infer_slice(InferContext& context) {
  const Node& node = context.node();
  const Type& x = context.operand(0);
  const std::size_t rank = x.shape.size();
  require_count(context, "steps", rank, "C1", false);
  context.require(node.dims("starts").size() == rank && node.dims("sizes").size() == rank, "C1", "starts and sizes are not one per axis",
                  {}, fmt::format("starts = {}, sizes = {}", to_text(node.dims("starts")), to_text(node.dims("sizes"))));
  for (std::size_t d = 0; d < rank; ++d) require_inside(context, d);
  return {{x.dtype, node.dims("sizes")}};
}

kernel::Expr pull_slice(PullContext& context, const Node& node, const Index& index) {
  Index from;
  for (std::size_t d = 0; d < index.size(); ++d) {
    const kernel::Expr offset = index_mul(index[d], kernel::index_constant(node.integers("steps")[d]));
    from.push_back(index_add(kernel::from_dim(node.dims("starts")[d]), offset));
  }
  return context.operand(node, 0, from);
}

// --- convert_layout ---

std::vector<Type> infer_convert_layout(InferContext& context) {
  const Type& x = context.operand(0);
  const auto& layout = context.node().integers("layout");
  if (!layout.empty()) require_permutation(context, "layout", "C1");
  Type result{x.dtype, x.shape};
  // Row-major is written as no layout.
  if (!std::is_sorted(layout.begin(), layout.end())) result.layout.assign(layout.begin(), layout.end());
  return {result};
}

}  // namespace

OpRecord transpose_record() {
  return {
      .name = "transpose",
      .op_class = OpClass::movement,
      .doc = "Axis i of the result is axis perm[i] of x.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {{"perm", AttributeKind::integers, {}, "which axis of x each axis of the result is"}},
      .constraints = {"C1: perm is a permutation of the axes of x"},
      .infer = infer_transpose,
      .evaluate = [](const Node& node, const std::vector<Tensor>& operands,
                     const auto&) { return std::vector{host::transpose(operands[0], node.integers("perm"))}; },
      .pull = pull_transpose,
      .contents = moved,
  };
}

OpRecord expand_record() {
  return {
      .name = "expand",
      .op_class = OpClass::movement,
      .doc = "x broadcast to a shape: axes of extent 1 repeat, new ones come in front.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {{"shape", AttributeKind::dims, {}, "the result's shape"}},
      .constraints = {"C1: x, aligned at the end, has extent 1 or that of shape on each axis"},
      .infer = infer_expand,
      .evaluate = [](const Node&, const std::vector<Tensor>& operands,
                     const std::vector<Type>& types) { return std::vector{host::expand(operands[0], static_extents(types[0].shape))}; },
      .pull = [](PullContext& context, const Node& node, const Index& index) { return broadcast_operand(context, node, 0, index); },
      .contents = moved,
  };
}

OpRecord slice_record() {
  return {
      .name = "slice",
      .op_class = OpClass::movement,
      .doc = "Element i of the result is x[starts + i * steps].",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {{"starts", AttributeKind::dims, {}, "the first element along each axis, counted from the front"},
                     {"sizes", AttributeKind::dims, {}, "the result's shape"},
                     {"steps", AttributeKind::integers, {}, "the distance of elements along each axis, may be negative"}},
      .constraints = {"C1: starts, sizes and steps have one entry for each axis of x", "C2: sizes >= 0",
                      "C3: the first and the last element lie in x"},
      .infer = infer_slice,
      .evaluate =
          [](const Node& node, const std::vector<Tensor>& operands, const std::vector<Type>& types) {
            return std::vector{
                host::slice(operands[0], static_extents(node.dims("starts")), static_extents(types[0].shape), node.integers("steps"))};
          },
      .pull = pull_slice,
      .contents = moved,
  };
}

OpRecord convert_layout_record() {
  return {
      .name = "convert_layout",
      .op_class = OpClass::movement,
      .doc = "x itself, stored in another order of its dimensions.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {{"layout", AttributeKind::integers, {}, "the dimensions from the outermost to the innermost; none: row-major"}},
      .constraints = {"C1: layout is empty or a permutation of the axes of x"},
      .infer = infer_convert_layout,
      .evaluate = [](const Node&, const std::vector<Tensor>& operands, const auto&) { return std::vector{operands[0]}; },
      .pull = [](PullContext& context, const Node& node, const Index& index) { return context.operand(node, 0, index); },
      .contents = [](const Node&, const OperandContents& operands) { return operands[0]; },
  };
}

}  // namespace intaglio::ops
