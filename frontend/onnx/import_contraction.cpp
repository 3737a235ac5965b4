// Convolution and matrix products.
#include "frontend/onnx/importers.h"
#include "frontend/onnx/window.h"

namespace intaglio {

Values import_conv(NodeContext& node) {
  std::vector<Value*> operands{node.input(0), node.input(1)};
  if (Value* bias = node.optional_input(2)) operands.push_back(bias);
  return {node.b.op("conv", std::move(operands), read_conv(node, 1))};
}

/// alpha * A * B + beta * C, both factors perhaps transposed.
Values import_gemm(NodeContext& node) {
  node.require(node.rank(0) == 2 && node.rank(1) == 2, "both factors must be matrices", "[M,K] and [K,N]", to_text(node.shape(0)) + " and " + to_text(node.shape(1)));
  Value* a = node.integer("transA", 0) ? node.b.transpose(node.input(0), {1, 0}) : node.input(0);
  Value* b = node.integer("transB", 0) ? node.b.transpose(node.input(1), {1, 0}) : node.input(1);
  const auto scaled = [&](Value* value, double factor) { return factor == 1 ? value : node.b.mul(value, node.b.scalar(value->type.dtype, factor)); };
  Value* product = scaled(node.b.op("matmul", {a, b}), node.real("alpha", 1));
  Value* c = node.optional_input(2);
  return {c ? node.b.add(product, scaled(c, node.real("beta", 1))) : product};
}

/// Vectors are matrices of one row or column.
Values import_matmul(NodeContext& node) {
  Value *a = node.input(0), *b = node.input(1);
  node.require(a->type.rank() >= 1 && b->type.rank() >= 1, "a scalar has no matrix product");
  const bool row = a->type.rank() == 1, column = b->type.rank() == 1;
  if (row) a = node.b.reshape(a, {1, a->type.shape[0]});
  if (column) b = node.b.reshape(b, {b->type.shape[0], 1});
  Value* product = node.b.op("matmul", {a, b});
  if (!row && !column) return {product};
  Shape shape = product->type.shape;
  if (column) shape.pop_back();
  if (row) shape.erase(shape.end() - (column ? 1 : 2));
  return {node.b.reshape(product, std::move(shape))};
}

}  // namespace intaglio
