// QuantizeLinear and DequantizeLinear, which core has under the same meaning.
#include <algorithm>

#include "frontend/onnx/importers.h"

namespace intaglio {
namespace {

Attributes scheme(NodeContext& node) {
  const std::int64_t block = node.integer("block_size", 0);
  const bool per_tensor = node.rank(1) == 0 || (node.rank(1) == 1 && node.shape(1)[0] == Dim(1) && node.rank(0) == 0);
  const std::int64_t axis = per_tensor || node.rank(0) == 0 ? 0 : node.axis(node.integer("axis", 1), std::max(node.rank(0), 1));
  return {{"axis", axis}, {"block_size", block}};
}

}  // namespace

Values import_quantize_linear(NodeContext& node) {
  node.require(node.integer("saturate", 1) == 1, "quantization that does not saturate is not supported yet", "saturate = 1", "0");
  std::vector<Value*> operands{node.input(0), node.input(1)};
  DType to = node.dtype_attribute("output_dtype").value_or(DType::u8);
  if (Value* zero_point = node.optional_input(2)) {
    operands.push_back(zero_point);
    to = zero_point->type.dtype;
  }
  Attributes attributes = scheme(node);
  attributes["to"] = to;
  return {node.b.op("quantize", std::move(operands), std::move(attributes))};
}

Values import_dequantize_linear(NodeContext& node) {
  std::vector<Value*> operands{node.input(0), node.input(1)};
  if (Value* zero_point = node.optional_input(2)) operands.push_back(zero_point);
  return {node.b.op("dequantize", std::move(operands), scheme(node))};
}

}  // namespace intaglio
