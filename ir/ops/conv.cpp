// conv: grouped convolution over one to three spatial axes.
#include "ir/ops/ops.h"
#include "ir/ops/window.h"

namespace intaglio::ops {
namespace {

/// C4: the weight's input channels times groups are those of x. Says which group would fit.
void check_channels(InferContext& context, std::int64_t group) {
  const Dim& channels = context.operand(0).shape[1];
  const Dim& of_group = context.operand(1).shape[1];
  const Dim covered = of_group * Dim(group);
  const auto excess = (covered - channels).constant();
  if (!excess || *excess == 0) {
    context.require_equal(covered, channels, "C4", "the input channels of weight and x");
    return;
  }
  std::string help;
  if (of_group.is_constant() && channels.is_constant() && of_group.value() > 0 && channels.value() % of_group.value() == 0) {
    help = fmt::format("group = {} would match; check attribute 'group' of this node", channels.value() / of_group.value());
  }
  context.fail("C4", "weight has the wrong number of input channels",
               fmt::format("weight.shape[1] * group == input.shape[1] = {}", channels.text()),
               fmt::format("weight.shape[1] = {}, group = {}", of_group.text(), group), help);
}

/// The dtypes of a convolution of integers (C1), and what padding counts as (C8).
void check_integers(const InferContext& context) {
  context.require(is_byte(context.operand(1).dtype), "C1", "the weight of integers does not hold u8 or i8");
  if (context.has_operand(2)) context.require(context.operand(2).dtype == DType::i32, "C1", "the bias of integers does not hold i32");
  const std::int64_t value = context.node().integer("pad_value");
  const std::int64_t low = context.operand(0).dtype == DType::u8 ? 0 : -128;
  context.require(value >= low && value < low + 256, "C8", "x cannot hold the padding", {}, fmt::format("pad_value = {}", value));
}

std::vector<Type> infer_conv(InferContext& context) {
  const Node& node = context.node();
  const bool bytes = is_byte(context.operand(0).dtype);
  if (bytes) {
    check_integers(context);
  } else {
    require_float(context, 0, "C1");
    require_equal_dtypes(context, "C1");
    context.require(context.operand(0).dtype != DType::f8e4m3fn || !context.has_operand(2), "C1", "a convolution of f8e4m3fn has a bias");
    context.require(node.integer("pad_value") == 0, "C8", "floats are padded with zeros only", {}, fmt::format("pad_value = {}", node.integer("pad_value")));
  }
  check_window(context, "C2", "C3");
  const Type& x = context.operand(0);
  const Type& w = context.operand(1);
  context.require(w.rank() == x.rank(), "C2", "the weight has another rank than the input");
  const std::int64_t group = node.integer("group");
  context.require(group >= 1, "C3", "attribute 'group' is out of range", {}, fmt::format("group = {}", group));
  check_channels(context, group);
  const Dim& outputs = w.shape[0];
  context.require_equal(Dim::mod(outputs, Dim(group)), Dim(0), "C5", "zero and the output channels modulo group");
  if (context.has_operand(2)) {
    context.require(context.operand(2).rank() == 1, "C6", "the bias is not a vector");
    context.require_equal(context.operand(2).shape[0], outputs, "C6", "the length of the bias and the output channels");
  }
  Type result{product_dtype(x.dtype), {x.shape[0], outputs}};
  const auto window = window_of(node, {});
  for (std::size_t i = 0; i + 2 < x.shape.size(); ++i) {
    result.shape.push_back(window_count(window, i, x.shape[i + 2], w.shape[i + 2], false));
    require_window(context, result.shape.back(), i, "C7");
  }
  return {result};
}

std::vector<Tensor> evaluate_conv(const Node& node, const std::vector<Tensor>& operands, const std::vector<Type>& types) {
  const Extents& w = operands[1].shape();
  const auto window = window_of(node, {w.begin() + 2, w.end()});
  const Tensor bias = operands.size() > 2 ? operands[2] : Tensor();
  return {host::conv(operands[0], operands[1], bias, window, node.integer("group"), node.integer("pad_value"), static_extents(types[0].shape))};
}

}  // namespace

OpRecord conv_record() {
  return {
      .name = "conv",
      .op_class = OpClass::contraction,
      .doc = "Cross-correlation of x (N,C,spatial..) with weight (M,C/group,kernel..) plus bias (M, optional); of u8 or i8 it is i32, of f8e4m3fn (which takes no bias) f32.",
      .min_operands = 2,
      .max_operands = 3,
      .attributes = {{"strides", AttributeKind::integers, std::vector<std::int64_t>{}, "the distance of windows; none: 1"},
                     {"pads", AttributeKind::integers, std::vector<std::int64_t>{},
                      "padding before each spatial axis, then after each; none: 0"},
                     {"pad_value", AttributeKind::integer, std::int64_t{0}, "what padding counts as: the zero point of quantized integers"},
                     {"dilations", AttributeKind::integers, std::vector<std::int64_t>{}, "the distance of taps; none: 1"},
                     {"group", AttributeKind::integer, std::int64_t{1},
                      "into how many parts the channels are split, convolved each on its own"}},
      .constraints =
          {"C1: all operands hold floats of one dtype; or x and weight hold u8 or i8, and bias i32; of f8e4m3fn there is no bias", "C2: x and weight have 1 to 3 spatial axes after the first two",
           "C3: strides and dilations have one entry for each spatial axis or none, pads two or none; pads >= 0, the others and group >= 1",
           "C4: weight.shape[1] * group = x.shape[1]", "C5: group divides weight.shape[0]", "C6: bias has shape [weight.shape[0]]",
           "C7: there is at least one window along each axis",
           "C8: pad_value is 0 or, of integers, a value that x can hold"},
      .infer = infer_conv,
      .evaluate = evaluate_conv,
  };
}

}  // namespace intaglio::ops
