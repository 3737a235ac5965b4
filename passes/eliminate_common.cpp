// Makes readers of equal nodes and equal constants read the first one.
#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

void mix(std::size_t& hash, std::size_t value) { hash ^= value + 0x9e3779b97f4a7c15ULL + (hash << 6) + (hash >> 2); }

/// Of the dtype, the shape and some of the bytes: enough to tell weights apart; equality compares all of them.
std::size_t hash_tensor(const Tensor& tensor) {
  constexpr std::size_t kSamples = 64;
  std::size_t hash = static_cast<std::size_t>(tensor.dtype());
  for (std::int64_t extent : tensor.shape()) mix(hash, static_cast<std::size_t>(extent));
  const auto* bytes = static_cast<const unsigned char*>(tensor.data());
  const std::size_t words = tensor.bytes() / 8;
  for (std::size_t i = 0; i < std::min(kSamples, words); ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes + words * i / kSamples * 8, sizeof word);
    mix(hash, word);
  }
  for (std::size_t i = words * 8; i < tensor.bytes(); ++i) mix(hash, bytes[i]);
  return hash;
}

/// Cheap and the same for equal nodes; attributes other than constants' values are left to the comparison.
std::size_t hash_node(const Node& node) {
  if (node.is("const")) return hash_tensor(node.result()->constant());
  std::size_t hash = std::hash<std::string_view>{}(node.op_name());
  for (const Value* operand : node.operands()) mix(hash, std::hash<const Value*>{}(operand));
  return hash;
}

bool equal_attributes(const Attributes& a, const Attributes& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& x, const auto& y) { return x.first == y.first && equal(x.second, y.second); });
}

bool equal_nodes(const Node& a, const Node& b) {
  if (&a.op() != &b.op() || a.result_count() != b.result_count()) return false;
  for (int i = 0; i < a.result_count(); ++i) {
    if (a.result(i)->type != b.result(i)->type) return false;
  }
  return std::equal(a.operands().begin(), a.operands().end(), b.operands().begin(), b.operands().end()) &&
         equal_attributes(a.attributes, b.attributes);
}

}  // namespace

bool eliminate_common(Graph& graph, const PassContext&) {
  bool changed = false;
  std::unordered_multimap<std::size_t, Node*> seen;
  for (Node* node : graph.nodes()) {
    if (node->is("kernel")) continue;  // regions are compared by code generation, by the text of their loops
    const std::size_t hash = hash_node(*node);
    const auto [begin, end] = seen.equal_range(hash);
    const auto first = std::find_if(begin, end, [&](const auto& entry) { return equal_nodes(*entry.second, *node); });
    if (first == end) {
      seen.emplace(hash, node);
      continue;
    }
    first->second->origins = merge(first->second->origins, node->origins);
    for (int i = 0; i < node->result_count(); ++i) node->result(i)->replace_all_uses_with(first->second->result(i));
    graph.erase(node);
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
