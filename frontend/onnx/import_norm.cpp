// Normalizations and softmax.
#include <fmt/format.h>

#include "frontend/onnx/importers.h"

namespace intaglio {
namespace {

Value* reduce(NodeContext& node, std::string_view core, Value* x, std::vector<std::int64_t> axes) {
  return node.b.op(core, {x}, {{"axes", std::move(axes)}, {"keepdims", std::int64_t{1}}});
}

std::vector<std::int64_t> axes_from(int first, int rank) {
  std::vector<std::int64_t> axes;
  for (int i = first; i < rank; ++i) axes.push_back(i);
  return axes;
}

/// (x - mean) / sqrt(var + epsilon) over `axes`.
Value* standardized(NodeContext& node, Value* x, const std::vector<std::int64_t>& axes, double epsilon) {
  Value* centred = node.b.sub(x, reduce(node, "reduce_mean", x, axes));
  Value* variance = reduce(node, "reduce_mean", node.b.mul(centred, centred), axes);
  return node.b.div(centred, node.b.sqrt(node.b.add(variance, node.b.scalar(x->type.dtype, epsilon))));
}

/// A vector with one entry a channel, broadcast against [N,C,..].
Value* per_channel(NodeContext& node, Value* vector, int rank) {
  node.require(vector->type.rank() == 1, "scale and bias must have one entry for each channel", "[C]", to_text(vector->type.shape));
  Shape shape(static_cast<std::size_t>(rank), Dim(1));
  shape[1] = vector->type.shape.at(0);
  return node.b.reshape(vector, std::move(shape));
}

/// Softmax before opset 13: over all axes from `axis` on, as one.
Value* flattened(NodeContext& node, Value* (*apply)(NodeContext&, Value*, std::int64_t)) {
  const int rank = node.rank(0);
  const int axis = node.axis(node.integer("axis", 1), rank);
  const Shape shape = node.shape(0);
  Dim outer = 1, inner = 1;
  for (int i = 0; i < rank; ++i) (i < axis ? outer : inner) = (i < axis ? outer : inner) * shape[static_cast<std::size_t>(i)];
  return node.b.reshape(apply(node, node.b.reshape(node.input(0), {outer, inner}), 1), shape);
}

Value* softmax(NodeContext& node, Value* x, std::int64_t axis) { return node.b.op("softmax", {x}, {{"axis", axis}}); }

/// x - max - log(sum(exp(x - max))).
Value* log_softmax(NodeContext& node, Value* x, std::int64_t axis) {
  Value* shifted = node.b.sub(x, reduce(node, "reduce_max", x, {axis}));
  return node.b.sub(shifted, node.b.op("log", {reduce(node, "reduce_sum", node.b.op("exp", {shifted}), {axis})}));
}

}  // namespace

Values import_batch_normalization(NodeContext& node) {
  node.require(node.integer("training_mode", 0) == 0, "batch normalization in training is not supported", "training_mode = 0", "1");
  return {node.b.op("batch_norm", {node.input(0), node.input(1), node.input(2), node.input(3), node.input(4)}, {{"epsilon", node.real("epsilon", 1e-5)}})};
}

Values import_layer_normalization(NodeContext& node) {
  if (node.wants_output(1) || node.wants_output(2)) node.fail("the mean and deviation of LayerNormalization are not supported yet", "a model that reads its first output only");
  std::vector<Value*> operands{node.input(0), node.input(1)};
  if (Value* bias = node.optional_input(2)) operands.push_back(bias);
  const std::int64_t axis = node.axis(node.integer("axis", -1), node.rank(0));
  return {node.b.op("layer_norm", std::move(operands), {{"axis", axis}, {"epsilon", node.real("epsilon", 1e-5)}})};
}

Values import_rms_normalization(NodeContext& node) {
  Value* x = node.input(0);
  const auto axes = axes_from(node.axis(node.integer("axis", -1), node.rank(0)), node.rank(0));
  Value* mean = reduce(node, "reduce_mean", node.b.mul(x, x), axes);
  Value* deviation = node.b.sqrt(node.b.add(mean, node.b.scalar(node.dtype(0), node.real("epsilon", 1e-5))));
  return {node.b.mul(node.b.div(x, deviation), node.input(1))};
}

Values import_instance_normalization(NodeContext& node) {
  Value* x = node.input(0);
  node.require(node.rank(0) >= 3, "the input must have spatial dimensions", "[N,C,..]", to_text(node.shape(0)));
  Value* normal = standardized(node, x, axes_from(2, node.rank(0)), node.real("epsilon", 1e-5));
  return {node.b.add(node.b.mul(normal, per_channel(node, node.input(1), node.rank(0))), per_channel(node, node.input(2), node.rank(0)))};
}

Values import_group_normalization(NodeContext& node) {
  Value* x = node.input(0);
  const Shape shape = node.shape(0);
  const std::int64_t groups = node.integer("num_groups", 0);
  node.require(groups > 0 && shape.size() >= 2, "attribute 'num_groups' must be positive", "num_groups >= 1", std::to_string(groups));
  node.require_equal(Dim::mod(shape[1], groups), 0, "the channels must divide into the groups");
  Shape split{shape[0], groups, Dim::floordiv(shape[1], groups)};
  split.insert(split.end(), shape.begin() + 2, shape.end());
  Value* grouped = node.b.reshape(x, split);
  Value* normal = node.b.reshape(standardized(node, grouped, axes_from(2, static_cast<int>(split.size())), node.real("epsilon", 1e-5)), shape);
  node.require(node.opset() >= 21, "scale and bias per group are not supported", "opset 21 or newer", std::to_string(node.opset()));
  return {node.b.add(node.b.mul(normal, per_channel(node, node.input(1), node.rank(0))), per_channel(node, node.input(2), node.rank(0)))};
}

Values import_softmax(NodeContext& node) { return {softmax(node, node.input(0), node.axis(node.integer("axis", -1), node.rank(0)))}; }
Values import_softmax_flattened(NodeContext& node) { return {flattened(node, softmax)}; }
Values import_log_softmax(NodeContext& node) { return {log_softmax(node, node.input(0), node.axis(node.integer("axis", -1), node.rank(0)))}; }
Values import_log_softmax_flattened(NodeContext& node) { return {flattened(node, log_softmax)}; }

}  // namespace intaglio
