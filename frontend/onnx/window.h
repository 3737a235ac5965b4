// The attributes that convolution and pooling share.
#pragma once

#include <cstdint>
#include <vector>

#include "frontend/onnx/node_context.h"

namespace intaglio {

/// One entry for each spatial axis; pads all begins, then all ends.
struct WindowAttributes {
  std::vector<std::int64_t> kernel_shape, strides, dilations, pads;
};

/// Reads strides, dilations, pads and auto_pad, with ONNX's defaults; `kernel_shape` comes from the attribute or, for a convolution, from the weight.
WindowAttributes read_window(const NodeContext& node, std::vector<std::int64_t> kernel_shape);

/// The attributes of a core convolution whose weight is input `weight`.
Attributes read_conv(const NodeContext& node, int weight);

}  // namespace intaglio
