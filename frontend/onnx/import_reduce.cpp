// Reductions: five folds, and what is computed before and after them.
#include <algorithm>

#include <fmt/format.h>

#include "frontend/onnx/importers.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

/// The axes to fold: all if none are given, unless the node then asks for nothing to be done.
std::vector<std::int64_t> folded_axes(const NodeContext& node) {
  const auto given = node.axes_by_opset(node.op_type() == "ReduceSum" ? 13 : 18);
  if (given && !given->empty()) return node.axes(*given, node.rank(0));
  std::vector<std::int64_t> axes;
  if (node.integer("noop_with_empty_axes", 0) == 0) {
    for (int i = 0; i < node.rank(0); ++i) axes.push_back(i);
  }
  return axes;
}

Value* fold(NodeContext& node, std::string_view core, Value* x) {
  return node.b.op(core, {x}, {{"axes", folded_axes(node)}, {"keepdims", std::int64_t{node.integer("keepdims", 1) != 0}}});
}

}  // namespace

Values import_reduce(NodeContext& node) {
  Value* x = node.input(0);
  const std::string& type = node.op_type();
  if (type == "ReduceSum") return {fold(node, "reduce_sum", x)};
  if (type == "ReduceMean") return {fold(node, "reduce_mean", x)};
  if (type == "ReduceMax") return {fold(node, "reduce_max", x)};
  if (type == "ReduceMin") return {fold(node, "reduce_min", x)};
  if (type == "ReduceProd") return {fold(node, "reduce_prod", x)};
  if (type == "ReduceL1") return {fold(node, "reduce_sum", node.b.op("abs", {x}))};
  if (type == "ReduceL2") return {node.b.sqrt(fold(node, "reduce_sum", node.b.mul(x, x)))};
  if (type == "ReduceSumSquare") return {fold(node, "reduce_sum", node.b.mul(x, x))};
  internal_check(type == "ReduceLogSum", "{} is in the import table under the wrong function", type);
  return {node.b.op("log", {fold(node, "reduce_sum", x)})};
}

/// max + log(sum(exp(x - max))), which does not overflow.
Values import_reduce_log_sum_exp(NodeContext& node) {
  Value* x = node.input(0);
  const auto axes = folded_axes(node);
  Value* largest = node.b.op("reduce_max", {x}, {{"axes", axes}, {"keepdims", std::int64_t{1}}});
  Value* sum = node.b.op("reduce_sum", {node.b.op("exp", {node.b.sub(x, largest)})}, {{"axes", axes}, {"keepdims", std::int64_t{1}}});
  Value* result = node.b.add(largest, node.b.op("log", {sum}));
  if (node.integer("keepdims", 1) != 0) return {result};
  Shape shape;
  for (int i = 0; i < node.rank(0); ++i) {
    if (std::ranges::find(axes, i) == axes.end()) shape.push_back(node.shape(0)[static_cast<std::size_t>(i)]);
  }
  return {node.b.reshape(result, std::move(shape))};
}

}  // namespace intaglio
