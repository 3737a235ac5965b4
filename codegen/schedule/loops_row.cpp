// Row operators: softmax and layer_norm, which fold a row more than once and then compute each of its elements.
#include <numeric>

#include "codegen/schedule/loops_group.h"
#include "support/diagnostics.h"

namespace intaglio::loops {

using kernel::Expr;
using kernel::ExprKind;
using kernel::ExprNode;
using kernel::Op;

namespace {

/// True if computing the element again costs more than writing it and reading it back.
bool is_expensive(const Expr& element) {
  bool expensive = false;
  visit(element, [&](const ExprNode& node) {
    if (node.kind == ExprKind::reduce) expensive = true;
    if (node.kind == ExprKind::unary) expensive = expensive || (node.op >= Op::exp && node.op <= Op::sigmoid);
    if (node.kind == ExprKind::binary) expensive = expensive || node.op == Op::pow;
  });
  return expensive;
}

/// The element of a fold in the result, once it is there.
Expr kept_element(const Group& group, const Fold& fold) {
  return kernel::load(static_cast<int>(group.region.arguments().size()), DType::f32, fold.result_offset);
}

/// `index` moved to the operand `i` of a norm, which broadcasts to the type of its first operand.
Index broadcast_index(const Node& root, int i, const Index& index) {
  const Shape& shape = root.operand(i)->type.shape;
  Index moved(index.end() - static_cast<std::ptrdiff_t>(shape.size()), index.end());
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == Dim(1)) moved[d] = kernel::index_constant(0);
  }
  return moved;
}

}  // namespace

/// softmax(x) = exp(x - max) / sum(exp(x - max)): exponents are computed once where the result can hold them.
void bind_softmax(Group& group, const Node& root) {
  const auto element = [&group, &root](const Index& index) -> Expr {
    const Type& type = root.operand(0)->type;
    const auto at = [&](const Index& i) { return group.pull.operand(root, 0, i); };
    const Fold row = group.make_fold(type, {static_cast<int>(root.integer("axis"))}, index, at);
    const Expr largest = group.folded(Op::max, row, row.body);
    const auto exponential = [&](const Expr& x) { return kernel::unary(Op::exp, kernel::binary(Op::sub, x, largest)); };
    const bool keep = row.result_offset && row.axes.size() == 1;
    const Expr total = group.folded(Op::add, row, exponential(row.body), keep);
    const Expr scale = group.assigned(kernel::binary(Op::div, kernel::constant(total->dtype, 1), total));
    return kernel::binary(Op::mul, keep ? group.load_result(index) : exponential(at(index)), scale);
  };
  group.pull.bind(*root.result(), element);
}

/// layer_norm(x) = (x - mean) / sqrt(variance + epsilon) * scale + bias over the axes from `axis` on; the variance is the mean of squared
/// differences, in a pass of its own, because the mean of squares less the squared mean cancels.
void bind_layer_norm(Group& group, const Node& root) {
  const auto element = [&group, &root](const Index& index) -> Expr {
    const Type& type = root.operand(0)->type;
    std::vector<int> axes(type.rank() - root.integer("axis"));
    std::iota(axes.begin(), axes.end(), static_cast<int>(root.integer("axis")));
    const auto at = [&](const Index& i) { return group.pull.operand(root, 0, i); };
    const Fold row = group.make_fold(type, axes, index, at);
    const bool keep = row.result_offset && row.axes.size() == 1 && is_expensive(row.body);

    const DType dtype = row.body->dtype;
    const Expr count = kernel::cast(kernel::from_dim(row.count()), dtype);
    const Expr mean = group.assigned(kernel::binary(Op::div, group.folded(Op::add, row, row.body, keep), count));
    const Expr difference = kernel::binary(Op::sub, keep ? kept_element(group, row) : row.body, mean);
    const Expr squares = group.folded(Op::add, row, kernel::binary(Op::mul, difference, difference));
    const Expr variance = kernel::binary(Op::div, squares, count);
    const Expr deviation = kernel::unary(Op::sqrt, kernel::binary(Op::add, variance, kernel::constant(dtype, root.real("epsilon"))));
    const Expr factor = group.assigned(kernel::binary(Op::div, kernel::constant(dtype, 1), deviation));

    Expr y = kernel::binary(Op::mul, kernel::binary(Op::sub, keep ? group.load_result(index) : at(index), mean), factor);
    y = kernel::binary(Op::mul, y, group.pull.operand(root, 1, broadcast_index(root, 1, index)));
    return root.operand(2) ? kernel::binary(Op::add, y, group.pull.operand(root, 2, broadcast_index(root, 2, index))) : y;
  };
  group.pull.bind(*root.result(), element);
}

}  // namespace intaglio::loops
