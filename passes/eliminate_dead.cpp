// Removes nodes that nothing reads. No operator has effects besides its results.
#include <ranges>

#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
bool eliminate_dead(Graph& graph, const PassContext&) {
  bool changed = false;
  // Last first: the readers of a dead value go before it.
  const auto nodes = graph.nodes();
  for (Node* node : std::views::reverse(nodes)) {
    if (!is_dead(*node)) continue;
    graph.erase(node);
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
