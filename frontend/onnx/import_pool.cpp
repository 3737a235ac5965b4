// Pooling over windows and over whole images.
#include "frontend/onnx/importers.h"
#include "frontend/onnx/window.h"

namespace intaglio {
namespace {

Attributes pool_attributes(NodeContext& node) {
  const WindowAttributes window = read_window(node, {});
  return {{"kernel_shape", window.kernel_shape},
          {"strides", window.strides},
          {"pads", window.pads},
          {"dilations", window.dilations},
          {"ceil_mode", std::int64_t{node.integer("ceil_mode", 0) != 0}}};
}

Values reduce_image(NodeContext& node, std::string_view core) {
  node.require(node.rank(0) >= 3, "the input must have spatial dimensions", "[N,C,..]", to_text(node.shape(0)));
  std::vector<std::int64_t> axes;
  for (int i = 2; i < node.rank(0); ++i) axes.push_back(i);
  return {node.b.op(core, {node.input(0)}, {{"axes", axes}, {"keepdims", std::int64_t{1}}})};
}

}  // namespace

Values import_max_pool(NodeContext& node) {
  if (node.wants_output(1)) node.fail("the indices of MaxPool are not supported yet", "a model that reads its first output only");
  return {node.b.op("max_pool", {node.input(0)}, pool_attributes(node))};
}

Values import_average_pool(NodeContext& node) {
  Attributes attributes = pool_attributes(node);
  attributes["count_include_pad"] = std::int64_t{node.integer("count_include_pad", 0) != 0};
  return {node.b.op("average_pool", {node.input(0)}, std::move(attributes))};
}

Values import_global_average_pool(NodeContext& node) { return reduce_image(node, "reduce_mean"); }
Values import_global_max_pool(NodeContext& node) { return reduce_image(node, "reduce_max"); }

}  // namespace intaglio
