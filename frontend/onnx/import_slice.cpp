// Parts of axes, and padding of them.
#include <fmt/format.h>

#include "frontend/onnx/importers.h"
#include "frontend/onnx/shape_arithmetic.h"
#include "frontend/onnx/tensor_proto.h"

namespace intaglio {
namespace {

/// Bounds that take everything.
struct Bounds {
  Shape starts, sizes;
  std::vector<std::int64_t> steps;
  explicit Bounds(const Shape& shape) : starts(shape.size(), Dim(0)), sizes(shape), steps(shape.size(), 1) {}
};

Value* slice(NodeContext& node, Bounds bounds) {
  return node.b.op("slice", {node.input(0)}, {{"starts", std::move(bounds.starts)}, {"sizes", std::move(bounds.sizes)}, {"steps", std::move(bounds.steps)}});
}

std::vector<Dim> to_dims(const std::optional<std::vector<std::int64_t>>& values) { return values ? std::vector<Dim>(values->begin(), values->end()) : std::vector<Dim>{}; }

/// Pad's amounts for all axes: begins and ends.
std::pair<Shape, Shape> pad_amounts(NodeContext& node) {
  const std::size_t rank = static_cast<std::size_t>(node.rank(0));
  const std::vector<Dim> pads = node.opset() >= 11 ? node.contents(1) : to_dims(node.integers("pads"));
  std::vector<std::int64_t> axes;
  if (node.optional_input(3)) {
    axes = node.axes(node.constant_contents(3), node.rank(0));
  } else {
    for (std::size_t i = 0; i < rank; ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  node.require(pads.size() == 2 * axes.size(), "pads must have two entries for each axis", std::to_string(2 * axes.size()), std::to_string(pads.size()));
  Shape begins(rank, Dim(0)), ends(rank, Dim(0));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    begins[static_cast<std::size_t>(axes[i])] = pads[i];
    ends[static_cast<std::size_t>(axes[i])] = pads[axes.size() + i];
  }
  return {begins, ends};
}

}  // namespace

Values import_slice(NodeContext& node) {
  const bool inputs = node.opset() >= 10;
  node.require(inputs || (node.has_attribute("starts") && node.has_attribute("ends")), "attribute 'starts' or 'ends' is missing");
  const std::vector<Dim> starts = inputs ? node.contents(1) : to_dims(node.integers("starts"));
  const std::vector<Dim> ends = inputs ? node.contents(2) : to_dims(node.integers("ends"));
  std::vector<std::int64_t> axes;
  if (inputs && node.optional_input(3)) {
    axes = node.constant_contents(3);
  } else if (!inputs && node.integers("axes")) {
    axes = *node.integers("axes");
  } else {
    for (std::size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<std::int64_t>(i));
  }
  axes = node.axes(axes, node.rank(0));
  const std::vector<std::int64_t> steps = inputs && node.optional_input(4) ? node.constant_contents(4) : std::vector<std::int64_t>(starts.size(), 1);
  node.require(starts.size() == axes.size() && ends.size() == axes.size() && steps.size() == axes.size(), "starts, ends, axes and steps must have equally many entries");
  Bounds bounds(node.shape(0));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    node.require(steps[i] != 0, "a step is 0", "any other integer", "0");
    const auto axis = static_cast<std::size_t>(axes[i]);
    const SliceBounds resolved = resolve_slice(starts[i], ends[i], steps[i], node.shape(0)[axis]);
    bounds.starts[axis] = resolved.start;
    bounds.sizes[axis] = resolved.size;
    bounds.steps[axis] = resolved.step;
  }
  return {slice(node, std::move(bounds))};
}

Values import_split(NodeContext& node) {
  const auto axis = static_cast<std::size_t>(node.axis(node.integer("axis", 0), node.rank(0)));
  const Dim extent = node.shape(0)[axis];
  std::vector<Dim> sizes;
  if (node.opset() >= 13 && node.optional_input(1)) {
    sizes = node.contents(1);
  } else if (node.opset() < 13 && node.integers("split")) {
    sizes = to_dims(node.integers("split"));
  } else {
    const std::int64_t count = node.integer("num_outputs", node.output_count());
    node.require(count > 0 && count <= node.output_count(), "the number of parts does not fit the outputs", std::to_string(node.output_count()), std::to_string(count));
    const Dim size = Dim::ceildiv(extent, count);
    for (std::int64_t i = 0; i + 1 < count; ++i) sizes.push_back(size);
    sizes.push_back(extent - size * (count - 1));
  }
  node.require(static_cast<int>(sizes.size()) >= node.output_count(), "there are fewer parts than outputs", std::to_string(node.output_count()), std::to_string(sizes.size()));
  Dim total = 0;
  for (const Dim& size : sizes) total = total + size;
  node.require_equal(total, extent, "the parts of a split must add up to the axis");
  Values results;
  Dim start = 0;
  for (const Dim& size : sizes) {
    Bounds bounds(node.shape(0));
    bounds.starts[axis] = start;
    bounds.sizes[axis] = size;
    results.push_back(slice(node, std::move(bounds)));
    start = start + size;
  }
  return results;
}

Values import_pad(NodeContext& node) {
  const std::string mode = node.string("mode", "constant");
  node.require(mode == "constant" || mode == "edge" || mode == "reflect", "this padding mode is not supported yet", "constant, edge or reflect", mode);
  auto [begins, ends] = pad_amounts(node);
  Value* fill = node.opset() >= 11 ? node.optional_input(2) : node.b.scalar(node.dtype(0), node.real("value", 0));
  std::vector<Value*> operands{node.input(0)};
  if (fill && mode == "constant") operands.push_back(fill->type.rank() == 0 ? fill : node.b.reshape(fill, {}));
  return {node.b.op("pad", std::move(operands), {{"begins", std::move(begins)}, {"ends", std::move(ends)}, {"mode", mode}})};
}

}  // namespace intaglio
