// Folds constant padding of the spatial axes into the convolution or pooling after it, which pads without a copy.
#include <algorithm>
#include <limits>

#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

/// The constant that `pad` fills with, if it fills with one.
std::optional<double> fill_of(const Node& pad) {
  if (pad.string("mode") != "constant") return std::nullopt;
  return pad.operand(1) ? splat(pad.operand(1)) : 0.0;
}

/// The amounts along the spatial axes, in the form of the `pads` attribute; nothing if another axis is padded, or any is unknown or crops.
std::optional<std::vector<std::int64_t>> spatial_pads(const Node& pad) {
  std::vector<std::int64_t> pads;
  for (const Shape* amounts : {&pad.dims("begins"), &pad.dims("ends")}) {
    for (std::size_t axis = 0; axis < amounts->size(); ++axis) {
      const auto amount = (*amounts)[axis].constant();
      if (!amount || *amount < 0) return std::nullopt;
      if (axis < 2 && *amount != 0) return std::nullopt;
      if (axis >= 2) pads.push_back(*amount);
    }
  }
  return pads;
}

bool pads_itself(const Node& node) {
  const auto& pads = node.integers("pads");
  return std::any_of(pads.begin(), pads.end(), [](std::int64_t amount) { return amount != 0; });
}

/// True if padding with `fill` before `node` is what node's own padding does.
bool pads_alike(const Node& node, double fill) {
  if (node.is("conv")) return fill == static_cast<double>(node.integer("pad_value"));
  // Whether the last window of ceil_mode exists depends on which side of the border is padding.
  if (node.integer("ceil_mode") != 0) return false;
  if (node.is("max_pool")) return fill == -std::numeric_limits<double>::infinity();
  // The padded elements count in the average; the pool's own must count too.
  return fill == 0 && (node.integer("count_include_pad") != 0 || !pads_itself(node));
}

bool has_empty_window(const Node& pool, const std::vector<std::int64_t>& pads) {
  const auto& kernel = pool.integers("kernel_shape");
  for (std::size_t i = 0; i < pads.size(); ++i) {
    if (pads[i] >= kernel[i % kernel.size()]) return true;
  }
  return false;
}

bool fold_into(Graph& graph, Node& node) {
  Node* pad = node.operand(0)->producer("pad");
  if (!pad) return false;
  const auto fill = fill_of(*pad);
  const auto amounts = spatial_pads(*pad);
  if (!fill || !amounts || !pads_alike(node, *fill)) return false;

  Attributes attributes = node.attributes;
  std::vector<std::int64_t> pads = node.integers("pads");
  pads.resize(amounts->size(), 0);
  for (std::size_t i = 0; i < pads.size(); ++i) pads[i] += (*amounts)[i];
  // A pool refuses windows that lie in the padding alone.
  if (!node.is("conv") && has_empty_window(node, pads)) return false;
  attributes["pads"] = pads;
  if (node.is("average_pool")) attributes["count_include_pad"] = std::int64_t{1};

  std::vector<Value*> operands(node.operands().begin(), node.operands().end());
  operands[0] = pad->operand(0);
  Builder b(graph, merge(pad->origins, node.origins), &node);
  node.result()->replace_all_uses_with(b.op(node.op_name(), std::move(operands), std::move(attributes)));
  erase_with_dead_operands(&node);
  return true;
}

}  // namespace

bool fold_pad(Graph& graph, const PassContext&) {
  bool changed = false;
  for (const char* op : {"conv", "max_pool", "average_pool"}) {
    for (Node* node : graph.nodes(op)) changed |= fold_into(graph, *node);
  }
  return changed;
}

}  // namespace intaglio
