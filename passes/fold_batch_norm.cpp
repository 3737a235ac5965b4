// Folds a batch norm into the convolution before it: bn(w*x + b) = (s*w)*x + s*(b - mean) + beta, s = gamma / sqrt(var + eps).
// The norm comes after the convolution's padding, so padded borders stay exact.
#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

/// The convolution that may absorb `bn`, or null.
Node* foldable_conv(const Node& bn) {
  Node* conv = bn.operand(0)->producer("conv");
  // Another reader still needs the value from before the norm.
  if (!conv || !conv->result()->has_one_use()) return nullptr;
  // Weights that are graph inputs change from run to run.
  if (!are_constant({conv->operand(1), conv->operand(2)})) return nullptr;
  if (!are_constant({bn.operand(1), bn.operand(2), bn.operand(3), bn.operand(4)})) return nullptr;
  // f32 statistics beside f16 weights: folding would round them.
  const DType dtype = conv->operand(1)->type.dtype;
  return bn.operand(1)->type.dtype == dtype && bn.operand(4)->type.dtype == dtype ? conv : nullptr;
}

/// {M, 1, 1, ..}, to scale weights by output channel.
Shape per_output_channel(const Type& weight) {
  Shape shape(weight.shape.size(), Dim(1));
  shape[0] = weight.shape[0];
  return shape;
}

}  // namespace

bool fold_batch_norm(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* bn : graph.nodes("batch_norm")) {
    Node* conv = foldable_conv(*bn);
    if (!conv) continue;
    // Plain nodes on constants: fold_constants evaluates them, and refit can evaluate them again.
    Builder b(graph, merge(conv->origins, bn->origins), bn);
    Value* weight = conv->operand(1);  // (M, C/group, R, S)
    Value* epsilon = b.scalar(bn->operand(4)->type.dtype, bn->real("epsilon"));
    Value* scale = b.div(bn->operand(1), b.sqrt(b.add(bn->operand(4), epsilon)));                                 // (M)
    Value* centred = conv->operand(2) ? b.sub(conv->operand(2), bn->operand(3)) : b.op("neg", {bn->operand(3)});  // (M)
    Value* bias = b.add(b.mul(centred, scale), bn->operand(2));                                                   // (M)
    Value* scaled = b.mul(weight, b.reshape(scale, per_output_channel(weight->type)));                            // (M, C/group, R, S)
    Value* folded = b.op("conv", {conv->operand(0), scaled, bias}, conv->attributes);
    bn->result()->replace_all_uses_with(folded);
    graph.erase(bn);
    graph.erase(conv);
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
