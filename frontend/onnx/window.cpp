// See window.h.
#include "frontend/onnx/window.h"

#include <algorithm>

#include <fmt/format.h>

namespace intaglio {
namespace {

/// Most that an entry can be: far above any image, far below where products overflow.
constexpr std::int64_t kMost = (1 << 24) - 1;

std::vector<std::int64_t> entries(const NodeContext& node, std::string_view name, std::size_t count, std::int64_t fallback, std::int64_t least) {
  const auto given = node.integers(name).value_or(std::vector<std::int64_t>(count, fallback));
  node.require(given.size() == count, fmt::format("attribute '{}' has the wrong number of entries", name), std::to_string(count), std::to_string(given.size()));
  for (std::int64_t value : given) {
    node.require(value >= least && value <= kMost, fmt::format("attribute '{}' has an impossible entry", name), fmt::format("{} to {}", least, kMost), std::to_string(value));
  }
  return given;
}

/// Padding that makes the output ceil(input / stride) long; the odd one goes to the end, or to the beginning for SAME_LOWER.
void pad_same(const NodeContext& node, WindowAttributes& window, bool lower) {
  const std::size_t rank = window.kernel_shape.size();
  for (std::size_t i = 0; i < rank; ++i) {
    const auto extent = node.shape(0)[i + 2].constant();
    const std::int64_t reach = (window.kernel_shape[i] - 1) * window.dilations[i] + 1;
    std::int64_t total = std::max<std::int64_t>(0, reach - window.strides[i]);
    if (extent) {
      const std::int64_t output = (*extent + window.strides[i] - 1) / window.strides[i];
      total = std::max<std::int64_t>(0, (output - 1) * window.strides[i] + reach - *extent);
    } else {
      node.require(window.strides[i] == 1, "auto_pad needs a fixed image size where strides are over 1", "a constant extent", node.shape(0)[i + 2].text());
    }
    const std::int64_t small = total / 2;
    window.pads[i] = lower ? total - small : small;
    window.pads[rank + i] = total - window.pads[i];
  }
}

}  // namespace

WindowAttributes read_window(const NodeContext& node, std::vector<std::int64_t> kernel_shape) {
  const int spatial = node.rank(0) - 2;
  node.require(spatial >= 1 && spatial <= 3, "the input must have 1 to 3 spatial dimensions", "[N,C,..]", to_text(node.shape(0)));
  const auto count = static_cast<std::size_t>(spatial);
  WindowAttributes window;
  window.kernel_shape = entries(node, "kernel_shape", count, 0, 0);
  if (!node.integers("kernel_shape")) window.kernel_shape = kernel_shape;
  node.require(window.kernel_shape.size() == count, "the kernel has the wrong number of dimensions", std::to_string(count), std::to_string(window.kernel_shape.size()));
  node.require(kernel_shape.empty() || kernel_shape == window.kernel_shape, "attribute 'kernel_shape' contradicts the weight's shape");
  for (std::int64_t extent : window.kernel_shape) node.require(extent > 0, "a kernel extent is not positive", "at least 1", std::to_string(extent));
  window.strides = entries(node, "strides", count, 1, 1);
  window.dilations = entries(node, "dilations", count, 1, 1);
  const std::string mode = node.string("auto_pad", "NOTSET");
  if (mode == "NOTSET" || mode.empty()) {
    window.pads = entries(node, "pads", 2 * count, 0, 0);
    return window;
  }
  window.pads.assign(2 * count, 0);
  node.require(mode == "VALID" || mode == "SAME_UPPER" || mode == "SAME_LOWER", "attribute 'auto_pad' has an unknown value", "NOTSET, VALID, SAME_UPPER or SAME_LOWER", mode);
  if (mode != "VALID") pad_same(node, window, mode == "SAME_LOWER");
  return window;
}

Attributes read_conv(const NodeContext& node, int weight) {
  const Shape& shape = node.shape(weight);
  node.require(shape.size() == node.shape(0).size() && shape.size() >= 3, "weight and input must have equally many dimensions", to_text(node.shape(0)), to_text(shape));
  std::vector<std::int64_t> kernel_shape;
  for (std::size_t i = 2; i < shape.size(); ++i) {
    node.require(shape[i].is_constant(), "a kernel of symbolic size is not supported yet", "a constant extent", shape[i].text());
    kernel_shape.push_back(shape[i].value());
  }
  const WindowAttributes window = read_window(node, kernel_shape);
  return {{"strides", window.strides}, {"pads", window.pads}, {"dilations", window.dilations}, {"group", node.integer("group", 1)}};
}

}  // namespace intaglio
