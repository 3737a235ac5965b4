// Reductions: reduce_sum, reduce_mean, reduce_max, reduce_min, reduce_prod over any axes of any layout.
#include <algorithm>

#include "codegen/schedule/loops_group.h"
#include "support/diagnostics.h"

namespace intaglio::loops {

using kernel::Expr;
using kernel::Op;

namespace {

std::vector<int> reduced_axes(const Node& root) {
  const auto& axes = root.integers("axes");
  return {axes.begin(), axes.end()};
}

Op fold_op(const Node& root, DType dtype) {
  const std::string_view name = root.op_name();
  if (name == "reduce_sum" || name == "reduce_mean") return Op::add;
  if (name == "reduce_prod") return Op::mul;
  const bool is_boolean = dtype == DType::boolean;
  if (name == "reduce_max") return is_boolean ? Op::logical_or : Op::max;
  internal_check(name == "reduce_min", "{} is no reduction", name);
  return is_boolean ? Op::logical_and : Op::min;
}

/// The index of the operand for an index of the result, 0 along the reduced axes.
Index operand_index(const Node& root, const std::vector<int>& axes, const Index& result) {
  const int rank = root.operand(0)->type.rank();
  const bool keeps = root.integer("keepdims") != 0;
  Index index(rank, kernel::index_constant(0));
  std::size_t next = 0;
  for (int d = 0; d < rank; ++d) {
    const bool is_reduced = std::find(axes.begin(), axes.end(), d) != axes.end();
    if (!is_reduced) index[d] = result[next];
    if (!is_reduced || keeps) ++next;
  }
  return index;
}

}  // namespace

void bind_reduction(Group& group, const Node& root) {
  const auto element = [&group, &root](const Index& index) -> Expr {
    const Type& type = root.operand(0)->type;
    const std::vector<int> axes = reduced_axes(root);
    const auto at = [&](const Index& i) { return group.pull.operand(root, 0, i); };
    const Fold fold = group.make_fold(type, axes, operand_index(root, axes, index), at);
    const Expr total = group.folded(fold_op(root, type.dtype), fold, fold.body);
    if (!root.is("reduce_mean")) return total;
    return kernel::binary(Op::div, total, kernel::cast(kernel::from_dim(fold.count()), total->dtype));
  };
  group.pull.bind(*root.result(), element);
}

}  // namespace intaglio::loops
