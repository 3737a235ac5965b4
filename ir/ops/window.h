// What convolution and pooling share: windows that move over the spatial axes (those from 2 on).
#pragma once

#include "ir/ops/infer.h"
#include "runtime/host/host.h"

namespace intaglio::ops {

/// The attributes strides, pads and dilations of a node with their meaning where they are left out; `kernel_shape` as given.
host::Window window_of(const Node& node, std::vector<std::int64_t> kernel_shape);

/// Checks rank (`rank_constraint`) and the attributes strides, pads, dilations (`attribute_constraint`) of the windows over operand 0.
void check_window(const InferContext& context, std::string_view rank_constraint, std::string_view attribute_constraint);

/// How many windows of `taps` taps fit along spatial axis `i` of an input of extent `extent`. With `ceil_mode` a last one may reach beyond
/// the padding at the end, but not start in it.
Dim window_count(const host::Window& window, std::size_t i, const Dim& extent, const Dim& taps, bool ceil_mode);

/// Requires at least one window along spatial axis `i`: decided now or noted as an equation.
void require_window(InferContext& context, const Dim& count, std::size_t i, std::string_view constraint);

}  // namespace intaglio::ops
