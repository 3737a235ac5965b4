// Turns a batch norm that no convolution absorbed into s*x + (beta - s*mean), s = gamma / sqrt(var + eps): with constant statistics s and
// the shift are constants, and what is left is a multiplication and an addition that fuse with their neighbours.
#include "passes/passes.h"

namespace intaglio {
namespace {

/// {C, 1, ..}: aligned at the end, it broadcasts along axis 1 of `input`.
Shape per_channel(const Type& input) {
  Shape shape(input.shape.size() - 1, Dim(1));
  shape[0] = input.shape[1];
  return shape;
}

}  // namespace

bool decompose_batch_norm(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* bn : graph.nodes("batch_norm")) {
    Value* x = bn->operand(0);
    // 16-bit activations with f32 statistics would be rounded differently by two nodes.
    if (x->type.rank() < 2 || x->type.dtype != bn->operand(4)->type.dtype) continue;
    Builder b(graph, bn->origins, bn);
    const Shape shape = per_channel(x->type);
    Value* epsilon = b.scalar(bn->operand(4)->type.dtype, bn->real("epsilon"));
    Value* scale = b.div(bn->operand(1), b.sqrt(b.add(bn->operand(4), epsilon)));       // (C)
    Value* shift = b.sub(bn->operand(2), b.mul(scale, bn->operand(3)));                 // (C)
    Value* result = b.add(b.mul(x, b.reshape(scale, shape)), b.reshape(shift, shape));  // (N, C, ..)
    bn->result()->replace_all_uses_with(result);
    graph.erase(bn);
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
