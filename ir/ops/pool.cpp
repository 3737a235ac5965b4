// Pooling: the maximum or the average of each window.
#include "ir/ops/ops.h"
#include "ir/ops/window.h"

namespace intaglio::ops {
namespace {

/// Requires kernel_shape to have one entry >= 1 per spatial axis, and no window to lie in the padding alone.
void check_kernel_shape(const InferContext& context) {
  const Node& node = context.node();
  const auto& kernel = node.integers("kernel_shape");
  const std::size_t spatial = context.operand(0).shape.size() - 2;
  require_count(context, "kernel_shape", spatial, "C3", false);
  const auto window = window_of(node, kernel);
  for (std::size_t i = 0; i < spatial; ++i) {
    context.require(kernel[i] >= 1, "C3", "attribute 'kernel_shape' is out of range", {},
                    fmt::format("kernel_shape = [{}]", fmt::join(kernel, ",")));
    const std::int64_t reach = (kernel[i] - 1) * window.dilations[i] + 1;
    context.require(window.pads[i] < reach && window.pads[i + spatial] < reach, "C4",
                    fmt::format("a window lies in the padding of spatial axis {}", i), {},
                    fmt::format("pads = [{}], kernel_shape = [{}]", fmt::join(window.pads, ","), fmt::join(kernel, ",")));
  }
}

std::vector<Type> infer_pool(InferContext& context) {
  const Node& node = context.node();
  check_window(context, "C2", "C3");
  check_kernel_shape(context);
  const Type& x = context.operand(0);
  Type result{x.dtype, {x.shape[0], x.shape[1]}};
  const auto window = window_of(node, node.integers("kernel_shape"));
  for (std::size_t i = 0; i < window.kernel_shape.size(); ++i) {
    result.shape.push_back(window_count(window, i, x.shape[i + 2], window.kernel_shape[i], node.integer("ceil_mode") != 0));
    require_window(context, result.shape.back(), i, "C5");
  }
  return {result};
}

std::vector<Type> infer_max_pool(InferContext& context) {
  require_number(context, 0, "C1");
  return infer_pool(context);
}

std::vector<Type> infer_average_pool(InferContext& context) {
  require_float(context, 0, "C1");
  return infer_pool(context);
}

std::vector<AttributeSpec> pool_attributes() {
  return {
      {"kernel_shape", AttributeKind::integers, {}, "taps of the window along each spatial axis"},
      {"strides", AttributeKind::integers, std::vector<std::int64_t>{}, "the distance of windows; none: 1"},
      {"pads", AttributeKind::integers, std::vector<std::int64_t>{}, "padding before each spatial axis, then after each; none: 0"},
      {"dilations", AttributeKind::integers, std::vector<std::int64_t>{}, "the distance of taps; none: 1"},
      {"ceil_mode", AttributeKind::integer, std::int64_t{0}, "1: a last window may reach beyond the padding, if it does not start in it"}};
}

std::vector<std::string_view> pool_constraints(std::string_view first) {
  return {first, "C2: x has 1 to 3 spatial axes after batch and channels",
          "C3: kernel_shape has one entry for each spatial axis, strides and dilations too or none, pads two or none; pads >= 0, the "
          "others >= 1",
          "C4: pads are smaller than the window's reach, (kernel_shape - 1) * dilations + 1",
          "C5: there is at least one window along each axis"};
}

}  // namespace

OpRecord max_pool_record() {
  return {
      .name = "max_pool",
      .op_class = OpClass::window,
      .doc = "The largest element of each window, NaN if there is one.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = pool_attributes(),
      .constraints = pool_constraints("C1: x holds numbers"),
      .infer = infer_max_pool,
      .evaluate =
          [](const Node& node, const std::vector<Tensor>& operands, const std::vector<Type>& types) {
            return std::vector{host::max_pool(operands[0], window_of(node, node.integers("kernel_shape")), static_extents(types[0].shape))};
          },
  };
}

OpRecord average_pool_record() {
  auto attributes = pool_attributes();
  attributes.push_back({"count_include_pad", AttributeKind::integer, std::int64_t{0}, "1: padding counts as zeros; 0: it is left out"});
  return {
      .name = "average_pool",
      .op_class = OpClass::window,
      .doc = "The average of each window.",
      .min_operands = 1,
      .max_operands = 1,
      .attributes = std::move(attributes),
      .constraints = pool_constraints("C1: x holds floats"),
      .infer = infer_average_pool,
      .evaluate =
          [](const Node& node, const std::vector<Tensor>& operands, const std::vector<Type>& types) {
            return std::vector{host::average_pool(operands[0], window_of(node, node.integers("kernel_shape")),
                                                  node.integer("count_include_pad") != 0, static_extents(types[0].shape))};
          },
  };
}

}  // namespace intaglio::ops
