// reshape: the same elements in order under another shape.
#include "ir/ops/contents.h"
#include "ir/ops/element.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"

namespace intaglio::ops {

using kernel::Expr;
using kernel::Op;

namespace {

std::vector<Type> infer_reshape(InferContext& context) {
  const Type& x = context.operand(0);
  const Shape& shape = context.node().dims("shape");
  for (const Dim& dim : shape) {
    const bool is_negative = dim.is_constant() && dim.value() < 0;
    context.require(!is_negative, "C1", "the shape has a negative extent", {}, to_text(shape));
  }
  context.require_equal(element_count(x.shape), element_count(shape), "C2",
                        fmt::format("the numbers of elements of {} and {}", to_text(x.shape), to_text(shape)));
  return {{x.dtype, shape}};
}

/// The dimensions of `shape` that are not 1.
std::vector<std::size_t> wide_dimensions(const Shape& shape) {
  std::vector<std::size_t> wide;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != Dim(1)) wide.push_back(d);
  }
  return wide;
}

/// Dimensions that hold the same elements before and after: [from_begin, from_end) of the operand's wide ones, [to_begin, to_end) of the
/// result's.
struct Block {
  std::size_t from_begin, from_end, to_begin, to_end;
};

/// The smallest block that starts here. Extents may be symbols, so products are compared, never ordered; what does not match to the end is
/// one block.
Block next_block(const Shape& from, const std::vector<std::size_t>& from_wide, std::size_t from_begin,  //
                 const Shape& to, const std::vector<std::size_t>& to_wide, std::size_t to_begin) {
  Dim from_product = 1;
  for (std::size_t i = from_begin; i < from_wide.size(); ++i) {
    from_product = from_product * from[from_wide[i]];
    Dim to_product = 1;
    for (std::size_t j = to_begin; j < to_wide.size(); ++j) {
      to_product = to_product * to[to_wide[j]];
      if (from_product == to_product) return {from_begin, i + 1, to_begin, j + 1};
    }
  }
  return {from_begin, from_wide.size(), to_begin, to_wide.size()};
}

/// The index into the operand. Within a block: the result's dimensions are joined to one position, which is split into the operand's.
Index reshape_index(const Shape& from, const Shape& to, const Index& index) {
  const auto from_wide = wide_dimensions(from);
  const auto to_wide = wide_dimensions(to);
  Index result(from.size(), kernel::index_constant(0));
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < from_wide.size()) {
    const Block block = next_block(from, from_wide, i, to, to_wide, j);
    Expr position = kernel::index_constant(0);
    for (std::size_t k = block.to_begin; k < block.to_end; ++k) {
      position = index_add(index_mul(position, kernel::from_dim(to[to_wide[k]])), index[to_wide[k]]);
    }
    for (std::size_t k = block.from_end; k-- > block.from_begin + 1;) {
      const Expr extent = kernel::from_dim(from[from_wide[k]]);
      result[from_wide[k]] = kernel::binary(Op::index_mod, position, extent);
      position = kernel::binary(Op::index_div, position, extent);
    }
    result[from_wide[block.from_begin]] = position;
    i = block.from_end;
    j = block.to_end;
  }
  return result;
}

}  // namespace

OpRecord reshape_record() {
  return {
      .name = "reshape",
      .op_class = OpClass::movement,
      .doc = "The same elements, in row-major order, under another shape.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {{"shape", AttributeKind::dims, {}, "the result's shape, fully resolved: no 0 for `keep`, no -1 for `infer`"}},
      .constraints = {"C1: no extent is negative", "C2: both shapes have the same number of elements"},
      .infer = infer_reshape,
      .evaluate = [](const Node&, const std::vector<Tensor>& operands,
                     const std::vector<Type>& types) { return std::vector{operands[0].reshaped(static_extents(types[0].shape))}; },
      .pull =
          [](PullContext& context, const Node& node, const Index& index) {
            return context.operand(node, 0, reshape_index(node.operand(0)->type.shape, node.result()->type.shape, index));
          },
      .contents = [](const Node&, const OperandContents& operands) { return operands[0]; },
  };
}

}  // namespace intaglio::ops
