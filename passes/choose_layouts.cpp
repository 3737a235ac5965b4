// Gives each value the memory order that its producer and its readers work best in.
//  - Convolutions and pooling want channels innermost; what lies between them follows.
//  - A transpose or reshape becomes a relabelling of memory where its readers take any order; matrix products, elementwise nodes,
//    reductions and norms do.
//  - A matrix product or attention may write its rows in another order: [B,H,S,D] lies as [B,S,H,D] if a transpose and a reshape follow, which
//    then are free.
//  - The graph's arguments and results stay row-major. `convert_layout` stands where an order must change.
#include <algorithm>
#include <map>
#include <ranges>

#include "ir/view.h"
#include "passes/match.h"
#include "passes/passes.h"

namespace intaglio {
namespace {

/// The order that the readers of a value would like best. Absent: any, or they disagree.
using Wishes = std::map<const Value*, std::optional<Layout>>;

bool wants_channels_last(const Node& node) { return node.is("conv") || node.op().op_class == OpClass::window; }

Layout permuted(const Type& type, const std::vector<std::int64_t>& axis_of) {
  Layout layout = explicit_layout(type);
  for (int& axis : layout) axis = static_cast<int>(axis_of[static_cast<std::size_t>(axis)]);
  return layout;
}

/// The order of a reshape's operand that makes its result lie as `result` says.
std::optional<Layout> layout_before_reshape(const Node& reshape, const Type& result) {
  const Shape& from = reshape.operand(0)->type.shape;
  const auto moved = reshape_strides(result.shape, strides(result), from);
  return moved ? layout_of(from, *moved) : std::nullopt;
}

/// What `node` would like operand `i` to lie as, given what is wished of its result.
std::optional<Layout> wish_of(const Node& node, int i, const std::optional<Layout>& result_wish) {
  const Value& operand = *node.operand(i);
  if (wants_channels_last(node)) return i == 0 ? std::optional(channels_last(operand.type.rank())) : std::nullopt;
  const Type& result = node.result()->type;
  const Type wished{result.dtype, result.shape, result_wish.value_or(Layout{})};
  if (node.is("reshape")) {
    auto before = layout_before_reshape(node, wished);
    return before ? before : Layout{};
  }
  if (!result_wish) return std::nullopt;
  if (node.is("transpose")) return permuted(wished, node.integers("perm"));
  const bool keeps_axes = is_elementwise(node) || is_movement(node) || node.op().op_class == OpClass::row;
  return keeps_axes && has_shape(&operand, result.shape) ? result_wish : std::nullopt;
}

void add_wish(Wishes& wishes, const Value* value, const std::optional<Layout>& wish) {
  if (!wish) return;
  const auto [it, is_new] = wishes.emplace(value, wish);
  if (!is_new && it->second && !same_order(value->type.shape, *it->second, *wish)) it->second.reset();
}

Wishes collect_wishes(const Graph& graph) {
  Wishes wishes;
  for (const Value* result : graph.results()) add_wish(wishes, result, Layout{});
  const auto nodes = graph.nodes();
  for (const Node* node : std::views::reverse(nodes)) {
    if (node->result_count() != 1) continue;
    const auto found = wishes.find(node->result());
    const std::optional<Layout> wish = found == wishes.end() ? std::nullopt : found->second;
    for (int i = 0; i < node->operand_count(); ++i) {
      if (node->operand(i)) add_wish(wishes, node->operand(i), wish_of(*node, i, wish));
    }
  }
  return wishes;
}

/// Walks the graph forward and decides.
class LayoutChooser {
 public:
  explicit LayoutChooser(Graph& graph) : graph_(graph), wishes_(collect_wishes(graph)) {}

  bool run() {
    for (Node* node : graph_.nodes()) {
      if (node->result_count() == 1) choose(*node);
    }
    restore_results();
    return changed_;
  }

 private:
  std::optional<Layout> wish(const Value& value) const {
    const auto it = wishes_.find(&value);
    return it == wishes_.end() ? std::nullopt : it->second;
  }

  void set_layout(Value& value, Layout layout) {
    if (std::is_sorted(layout.begin(), layout.end())) layout.clear();
    if (value.type.layout == layout) return;
    value.type.layout = std::move(layout);
    changed_ = true;
  }

  /// Makes `node` read operand `i` in the given order.
  void require(Node& node, int i, const Layout& layout) {
    Value* operand = node.operand(i);
    if (same_order(operand->type.shape, operand->type.layout, layout)) return;
    node.set_operand(i, converted(*operand, layout, node.origins, &node));
  }

  Value* converted(Value& value, const Layout& layout, const Origins& origins, Node* before) {
    Builder b(graph_, origins, before);
    std::vector<std::int64_t> order;
    for (int axis : explicit_layout(Type{value.type.dtype, value.type.shape, layout})) order.push_back(axis);
    Value* result = b.op("convert_layout", {&value}, {{"layout", std::move(order)}});
    set_layout(*result, layout);
    changed_ = true;
    return result;
  }

  void choose(Node& node) {
    Value& result = *node.result();
    if (node.is("const") || node.is("kernel")) return;
    if (wants_channels_last(node)) {
      const Layout layout = channels_last(result.type.rank());
      require(node, 0, layout);
      set_layout(result, layout);
    } else if (node.is("matmul") || node.is("attention")) {
      set_layout(result, product_layout(node));
    } else if (node.is("transpose") || node.is("reshape")) {
      choose_relabelling(node);
    } else if (node.is("convert_layout")) {
      set_layout(result, Layout(node.integers("layout").begin(), node.integers("layout").end()));
    } else if (node.op().op_class == OpClass::reduction) {
      set_layout(result, layout_of_reduction(node));
    } else {
      set_layout(result, layout_like_operands(node));
    }
  }

  /// Rows may lie in any order; columns stay innermost, since vectors are stored along them.
  Layout product_layout(const Node& node) const {
    const int rank = node.result()->type.rank();
    const auto keeps_columns = [&](const Layout& layout) { return !layout.empty() && layout.back() == rank - 1; };
    if (const auto wished = wish(*node.result()); wished && keeps_columns(*wished)) return *wished;
    // With one right side for all rows the result lies as the left side does: rows that follow each other on both sides run as one.
    const Type& left = node.operand(0)->type;
    if (node.is("matmul") && node.operand(1)->type.rank() == 2 && left.rank() == rank && keeps_columns(left.layout)) return left.layout;
    return {};
  }

  /// Makes the node a view if its operand's order allows it, else converts the operand to the order that does.
  void choose_relabelling(Node& node) {
    Value& result = *node.result();
    if (!layout_as_view(node)) {
      const Type wished{result.type.dtype, result.type.shape, wish(result).value_or(Layout{})};
      require(node, 0, layout_before_reshape(node, wished).value_or(Layout{}));
    }
    set_layout(result, layout_as_view(node).value_or(Layout{}));
  }

  /// The operand's order without the axes that are folded; those that stay as 1 keep their place.
  Layout layout_of_reduction(const Node& node) const {
    const Type& operand = node.operand(0)->type;
    if (node.integer("keepdims") != 0) return operand.layout;
    const auto& axes = node.integers("axes");
    Layout layout;
    for (int axis : explicit_layout(operand)) {
      if (std::find(axes.begin(), axes.end(), axis) != axes.end()) continue;
      const auto before = std::count_if(axes.begin(), axes.end(), [&](std::int64_t folded) { return folded < axis; });
      layout.push_back(axis - static_cast<int>(before));
    }
    return layout;
  }

  /// Elementwise nodes, norms and copies write in the order in which they read. Where no operand has an opinion, the readers decide.
  Layout layout_like_operands(const Node& node) const {
    const Value& result = *node.result();
    bool computed = false;
    for (const Value* operand : node.operands()) {
      if (!operand || operand->type.rank() != result.type.rank() || !operand->producer() || operand->is_constant()) continue;
      if (!carries_order(node, *operand)) continue;
      if (!operand->type.layout.empty()) return operand->type.layout;
      computed = true;
    }
    return computed ? Layout{} : wish(result).value_or(Layout{});
  }

  /// True if reading `operand` in its order is what the node mostly does: not for broadcast ones, nor for indices.
  static bool carries_order(const Node& node, const Value& operand) {
    if (node.is("gather") || node.is("gather_elements")) return false;
    return is_movement(node) || has_shape(&operand, node.result()->type.shape);
  }

  void restore_results() {
    for (int i = 0; i < static_cast<int>(graph_.results().size()); ++i) {
      Value* value = graph_.results()[static_cast<std::size_t>(i)];
      if (same_order(value->type.shape, value->type.layout, {})) continue;
      const Origins origins = value->producer() ? value->producer()->origins : Origins{};
      graph_.set_result(i, converted(*value, {}, origins, nullptr));
    }
  }

  Graph& graph_;
  Wishes wishes_;
  bool changed_ = false;
};

}  // namespace

bool choose_layouts(Graph& graph, const PassContext& context) { return context.channels_last && LayoutChooser(graph).run(); }

}  // namespace intaglio
