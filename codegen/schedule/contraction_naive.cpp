// The contraction of last resort: for each element of the result one fold over everything that is summed. Serves any rank, dtype and layout, and -O0.

#include "codegen/schedule/contraction.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

using kernel::Expr;
using kernel::Op;

Expr product(const Expr& a, const Expr& b) { return kernel::binary(Op::mul, a, b); }
Expr sum(const Expr& a, const Expr& b) { return kernel::binary(Op::add, a, b); }

/// An element of an operand in the type that is summed in.
Expr element_of(RegionPull& pull, const Node& root, int operand, const Index& index) { return kernel::cast(pull.operand(root, operand, index), sum_dtype(root)); }

/// The fold of one element of conv: sum over input channels and taps, taps outside of the input count as `pad_value`.
Expr conv_element(kernel::Kernel& kernel, RegionPull& pull, const Node& conv, const Index& out) {
  const Type& input = conv.operand(0)->type;
  const Type& weight = conv.operand(1)->type;
  const auto spatial = static_cast<std::size_t>(input.rank() - 2);
  const auto strides = entries_or(conv.integers("strides"), spatial, 1);
  const auto dilations = entries_or(conv.integers("dilations"), spatial, 1);
  const auto pads = entries_or(conv.integers("pads"), 2 * spatial, 0);
  const Dim filters = Dim::floordiv(conv.result()->type.shape[1], conv.integer("group"));
  const Expr group = kernel::binary(Op::index_div, out[1], kernel::from_dim(filters));
  const int channel_var = kernel.new_variable();
  const Expr channel = kernel::var(channel_var);

  Index a_index{out[0], sum(product(group, kernel::from_dim(weight.shape[1])), channel)};
  Index b_index{out[1], channel};
  std::vector<int> taps;
  Expr inside = kernel::constant(DType::boolean, 1);
  for (int d = 2; d < input.rank(); ++d) {
    taps.push_back(kernel.new_variable());
    const Expr tap = kernel::var(taps.back());
    const Expr extent = kernel::from_dim(input.shape[d]);
    const Expr at = sum(sum(product(out[d], kernel::index_constant(strides[d - 2])), product(tap, kernel::index_constant(dilations[d - 2]))),
                        kernel::index_constant(-pads[d - 2]));
    const Expr zero = kernel::index_constant(0);
    inside = kernel::binary(Op::logical_and, inside,
                            kernel::binary(Op::logical_and, kernel::compare(Op::ge, at, zero), kernel::compare(Op::lt, at, extent)));
    const Expr last = sum(extent, kernel::index_constant(-1));
    a_index.push_back(kernel::binary(Op::max, zero, kernel::binary(Op::min, at, last)));
    b_index.push_back(tap);
  }
  const Expr factor = element_of(pull, conv, 1, b_index);
  // Padding with 0 adds 0, to weights that are infinite too.
  const Expr padding = kernel::constant(factor->dtype, static_cast<double>(conv.integer("pad_value")));
  Expr element = kernel::select(inside, product(element_of(pull, conv, 0, a_index), factor), kernel::is_zero(padding) ? padding : product(padding, factor));
  for (int i = static_cast<int>(taps.size()) - 1; i >= 0; --i) element = kernel::reduce(Op::add, taps[i], kernel::from_dim(weight.shape[i + 2]), element);
  element = kernel::reduce(Op::add, channel_var, kernel::from_dim(weight.shape[1]), element);
  return conv.operand(2) ? sum(element, pull.operand(conv, 2, {out[1]})) : element;
}

Expr matmul_element(kernel::Kernel& kernel, RegionPull& pull, const Node& matmul, const Index& out) {
  const int k_var = kernel.new_variable();
  const auto operand_index = [&](int operand) {
    const Shape& shape = matmul.operand(operand)->type.shape;
    Index index(out.end() - static_cast<std::ptrdiff_t>(shape.size()), out.end());
    for (std::size_t i = 0; i + 2 < shape.size(); ++i) {
      if (shape[i] == Dim(1)) index[i] = kernel::index_constant(0);
    }
    index[index.size() - (operand == 0 ? 1 : 2)] = kernel::var(k_var);
    return index;
  };
  const Expr element = product(element_of(pull, matmul, 0, operand_index(0)), element_of(pull, matmul, 1, operand_index(1)));
  return kernel::reduce(Op::add, k_var, kernel::from_dim(matmul.operand(0)->type.shape.back()), element);
}

}  // namespace

kernel::Kernel lower_naive_contraction(const Node& kernel_node) {
  const Graph& region = *kernel_node.region();
  const Node& root = *region_root(region);
  const Type& type = region.results()[0]->type;

  kernel::Kernel kernel;
  kernel.name = fmt::format("{}_naive", root.op_name());
  kernel.buffers = region_buffers(region);
  kernel.symbols = region_symbols(region);
  kernel.task_var = kernel.new_variable();

  // One task for each line of the innermost dimension in memory, whose elements are computed as lanes.
  const Layout order = explicit_layout(type);
  Index index(type.rank());
  Expr rest = kernel::var(kernel.task_var);
  for (int i = type.rank() - 2; i >= 0; --i) {
    const Expr extent = kernel::from_dim(type.shape[order[i]]);
    index[order[i]] = kernel::binary(Op::index_mod, rest, extent);
    rest = kernel::binary(Op::index_div, rest, extent);
    kernel.tasks = kernel.tasks * type.shape[order[i]];
  }
  const int lane_var = kernel.new_variable();
  index[order.back()] = kernel::var(lane_var);

  RegionPull pull(region);
  pull.bind(*root.result(), [&](const Index& at) { return root.is("conv") ? conv_element(kernel, pull, root, at) : matmul_element(kernel, pull, root, at); });
  Expr value = pull.value(*region.results()[0], index);
  if (value->dtype != type.dtype) value = kernel::cast(value, type.dtype);
  const int output = static_cast<int>(kernel.buffers.size()) - 1;
  kernel.body = kernel::loop(lane_var, kernel::from_dim(type.shape[order.back()]), kernel::LoopKind::vector,
                             kernel::store(output, linear_offset(type, index), value));
  return kernel;
}

}  // namespace intaglio
