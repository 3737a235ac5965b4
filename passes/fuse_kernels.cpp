// Groups nodes into `kernel` nodes, one for each piece of code that will be generated:
//  - a contraction with the elementwise nodes after it (bias, residual, activation) and the movement by which it reads its operands in
//  place;
//  - a reduction, softmax, norm or pooling with the elementwise nodes and movement before and after it;
//  - chains and graphs of elementwise nodes and movement.
// What remains outside are constants and views, for which no code runs.
#include <ranges>

#include "ir/op.h"
#include "ir/view.h"
#include "passes/kernel_group.h"
#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

NodeOrder positions(const Graph& graph) {
  NodeOrder order;
  for (const Node* node : graph.nodes()) order.emplace(node, order.size());
  return order;
}

bool needs_kernel(const Node& node) { return !node.is("const") && !node.is("kernel") && !is_view(node); }

bool is_contraction(const Node& node) { return node.op().op_class == OpClass::contraction; }

bool is_other_root(const Node& node) {
  const OpClass op_class = node.op().op_class;
  return op_class == OpClass::reduction || op_class == OpClass::row || op_class == OpClass::window;
}

void fuse_contraction(Graph& graph, const NodeOrder& order, Node* root) {
  KernelGroup group(graph, order, root);
  group.absorb_epilogue(true);
  group.absorb_producers();
  const int strided = root->is("conv") ? 1 : root->operand_count();
  for (int i = 0; i < strided; ++i) group.absorb_strided_operand(i);
  group.absorb_packed_weights();
  group.materialize();
}

void fuse_root(Graph& graph, const NodeOrder& order, Node* root) {
  KernelGroup group(graph, order, root);
  group.absorb_epilogue(false);
  group.absorb_producers();
  group.materialize();
}

/// The last node that is in no kernel yet, or null. All that reads it is fused, so the group grows towards its operands only.
Node* last_unfused(const Graph& graph) {
  const auto nodes = graph.nodes();
  for (Node* node : std::views::reverse(nodes)) {
    if (needs_kernel(*node) && !is_dead(*node)) return node;
  }
  return nullptr;
}

/// The nodes that `is_root` picks. No group takes in another root, so the list stays valid while they are fused.
std::vector<Node*> roots(const Graph& graph, bool (*is_root)(const Node&)) {
  std::vector<Node*> found = graph.nodes();
  std::erase_if(found, [&](const Node* node) { return !is_root(*node); });
  return found;
}

void fuse_all(Graph& graph, const NodeOrder& order) {
  // What takes the time chooses first.
  for (Node* root : roots(graph, is_contraction)) fuse_contraction(graph, order, root);
  for (Node* root : roots(graph, is_other_root)) fuse_root(graph, order, root);
  while (Node* last = last_unfused(graph)) {
    KernelGroup group(graph, order, last);
    group.absorb_producers();
    group.materialize();
  }
}

}  // namespace

bool fuse_kernels(Graph& graph, const PassContext& context) {
  const NodeOrder order = positions(graph);
  const auto unfused = roots(graph, needs_kernel);
  if (unfused.empty()) return false;
  if (context.optimization_level > 0) {
    fuse_all(graph, order);
  } else {
    for (Node* node : unfused) KernelGroup(graph, order, node).materialize();
  }
  // Scalars and movement that went into every kernel that reads them.
  eliminate_dead(graph, context);
  return true;
}

}  // namespace intaglio
