// Index arithmetic of `pull` functions; see element.h.
#include "ir/ops/element.h"

namespace intaglio::ops {

using kernel::Expr;
using kernel::Op;

DType compute_dtype(DType dtype) { return is_float(dtype) && dtype != DType::f64 ? DType::f32 : dtype; }

Expr rounded_storage(const Expr& x, DType dtype) { return kernel::cast(kernel::cast(kernel::cast(x, DType::f32), dtype), DType::f32); }

Expr element_constant(DType dtype, double value) { return kernel::constant(compute_dtype(dtype), value); }

Expr index_add(const Expr& a, const Expr& b) { return kernel::binary(Op::add, a, b); }
Expr index_sub(const Expr& a, const Expr& b) { return kernel::binary(Op::sub, a, b); }
Expr index_mul(const Expr& a, const Expr& b) { return kernel::binary(Op::mul, a, b); }

Expr clamp(const Expr& index, const Expr& extent) {
  const Expr last = index_sub(extent, kernel::index_constant(1));
  // The lower bound comes last, so that an empty extent gives 0.
  return kernel::binary(Op::max, kernel::binary(Op::min, index, last), kernel::index_constant(0));
}

Index broadcast_index(const Shape& from, const Shape& to, const Index& index) {
  const std::size_t lead = to.size() - from.size();
  Index result;
  for (std::size_t d = 0; d < from.size(); ++d) {
    const Expr& i = index[lead + d];
    const Expr zero = kernel::index_constant(0);
    if (from[d] == Dim(1)) {
      result.push_back(zero);
    } else if (from[d].is_constant() || from[d] == to[lead + d]) {
      result.push_back(i);
    } else {
      // Whether this axis repeats is known at run time.
      result.push_back(kernel::select(kernel::compare(Op::eq, kernel::from_dim(from[d]), kernel::index_constant(1)), zero, i));
    }
  }
  return result;
}

Expr broadcast_operand(PullContext& context, const Node& node, int i, const Index& index) {
  return context.operand(node, i, broadcast_index(node.operand(i)->type.shape, node.result()->type.shape, index));
}

}  // namespace intaglio::ops
