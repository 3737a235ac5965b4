// Nodes that will be one kernel, while fuse_kernels gathers them.
#pragma once

#include <map>
#include <vector>

#include "ir/graph.h"

namespace intaglio {

/// The position of each node in the graph before fusion began.
using NodeOrder = std::map<const Node*, std::size_t>;

/// Grows around a first node and becomes a `kernel` node in the end. One value leaves it.
class KernelGroup {
 public:
  KernelGroup(Graph& graph, const NodeOrder& order, Node* first) : graph_(graph), order_(order), first_(first), result_(first->result()) {
    roles_[first] = {};
  }

  /// Takes in the elementwise nodes of the result's shape that follow, as far as one value leaves the group.
  /// `same_memory_order`: only nodes whose result lies in memory as the first node's does.
  void absorb_epilogue(bool same_memory_order);
  /// Takes in what computes the operands of the group's nodes, but for a contraction's own operands: movement and single-reader elementwise
  /// nodes.
  void absorb_producers();
  /// Takes in the movement by which a contraction reads operand `i` in place with strides, if some of it would else be a copy.
  void absorb_strided_operand(int i);
  /// Takes in the unpacking of weights of 4 bits that a contraction does itself.
  void absorb_packed_weights();

  /// Replaces the nodes by a `kernel` node and erases those that nothing reads any more.
  void materialize();

 private:
  /// How the elements of a node's result are read in the group.
  struct Role {
    bool once = true;         ///< each about once: nothing is computed again and again
    bool cheap_only = false;  ///< in places where what is computed may be thrown away
  };

  bool contains(const Node* node) const { return roles_.contains(node); }
  /// True if all readers are in the group, or views that are read in the group alone.
  bool is_internal(const Value& value) const;
  Role role_from_uses(const Value& value) const;
  bool absorb_producer_of(const Node& reader, int operand);
  bool may_absorb(const Node& producer, const std::vector<Node*>& views, const Node& reader) const;
  std::vector<Node*> epilogue_candidates(bool same_memory_order) const;
  /// The nodes whose results are read outside.
  std::vector<const Node*> leaving() const;
  std::vector<Node*> in_order() const;

  Graph& graph_;
  const NodeOrder& order_;
  Node* first_;
  Value* result_;
  std::map<const Node*, Role> roles_;
};

}  // namespace intaglio
