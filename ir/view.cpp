// Strides through data movement; see view.h.
#include "ir/view.h"

#include <algorithm>

#include "ir/op.h"

namespace intaglio {
namespace {

/// Dimensions that stand for the same elements on both sides of a reshape: equal products of extents.
struct Block {
  std::size_t from_begin, from_end;
  std::size_t to_begin, to_end;
};

bool is_one(const Dim& dim) { return dim == Dim(1); }

/// The extents without those that are 1, by position.
std::vector<std::size_t> wide_dimensions(const Shape& shape) {
  std::vector<std::size_t> wide;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (!is_one(shape[d])) wide.push_back(d);
  }
  return wide;
}

/// Finds the smallest block that starts at `from_begin` and `to_begin`; extents may be symbols, so products are compared, never ordered.
std::optional<Block> next_block(const std::vector<Dim>& from, const std::vector<Dim>& to, std::size_t from_begin, std::size_t to_begin) {
  Dim from_product = 1;
  for (std::size_t i = from_begin; i < from.size(); ++i) {
    from_product = from_product * from[i];
    Dim to_product = 1;
    for (std::size_t j = to_begin; j < to.size(); ++j) {
      to_product = to_product * to[j];
      if (from_product == to_product) return Block{from_begin, i + 1, to_begin, j + 1};
    }
  }
  return std::nullopt;
}

/// The extents of the wide dimensions.
std::vector<Dim> extents_at(const Shape& shape, const std::vector<std::size_t>& positions) {
  std::vector<Dim> extents;
  for (std::size_t p : positions) extents.push_back(shape[p]);
  return extents;
}

std::optional<std::vector<Dim>> expand_strides(const Shape& from, const std::vector<Dim>& strides, const Shape& to) {
  std::vector<Dim> result(to.size(), Dim(0));
  const std::size_t lead = to.size() - from.size();
  for (std::size_t d = 0; d < from.size(); ++d) {
    if (from[d] == to[lead + d]) {
      result[lead + d] = strides[d];
    } else if (!is_one(from[d])) {
      return std::nullopt;  // a symbol that may be 1 or the whole extent: not one stride for all bindings
    }
  }
  return result;
}

StridedView slice_view(const Node& node, StridedView view) {
  const Shape& starts = node.dims("starts");
  const auto& steps = node.integers("steps");
  for (std::size_t d = 0; d < starts.size(); ++d) {
    view.offset = view.offset + starts[d] * view.strides[d];
    view.strides[d] = view.strides[d] * Dim(steps[d]);
  }
  return view;
}

/// True if the strides agree wherever an extent is not 1.
bool strides_agree(const Shape& shape, const std::vector<Dim>& a, const std::vector<Dim>& b) {
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (!is_one(shape[d]) && a[d] != b[d]) return false;
  }
  return true;
}

bool is_relabelling(const Node& node) { return node.is("reshape") || node.is("transpose") || node.is("convert_layout"); }

}  // namespace

std::optional<std::vector<Dim>> reshape_strides(const Shape& from, const std::vector<Dim>& from_strides, const Shape& to) {
  // Dense and in order: so is the result, whatever the extents are.
  if (strides_agree(from, from_strides, strides(Type{DType::undefined, from}))) return strides(Type{DType::undefined, to});
  const auto from_at = wide_dimensions(from);
  const auto to_at = wide_dimensions(to);
  const auto from_extents = extents_at(from, from_at);
  const auto to_extents = extents_at(to, to_at);
  std::vector<Dim> result(to.size(), Dim(0));
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < from_extents.size() && j < to_extents.size()) {
    const auto block = next_block(from_extents, to_extents, i, j);
    if (!block) return std::nullopt;
    // Dimensions that merge must follow each other in memory.
    for (std::size_t k = block->from_begin; k + 1 < block->from_end; ++k) {
      if (from_strides[from_at[k]] != from_strides[from_at[k + 1]] * from_extents[k + 1]) return std::nullopt;
    }
    Dim stride = from_strides[from_at[block->from_end - 1]];
    for (std::size_t k = block->to_end; k-- > block->to_begin;) {
      result[to_at[k]] = stride;
      stride = stride * to_extents[k];
    }
    i = block->from_end;
    j = block->to_end;
  }
  if (i != from_extents.size() || j != to_extents.size()) return std::nullopt;
  return result;
}

StridedView own_memory(const Value& value) { return {&value, Dim(0), strides(value.type)}; }

std::optional<StridedView> view_through(const Node& node, const StridedView& operand) {
  const Shape& to = node.result()->type.shape;
  if (node.is("convert_layout")) return operand;
  if (node.is("transpose")) {
    StridedView view{operand.base, operand.offset, {}};
    for (std::int64_t axis : node.integers("perm")) view.strides.push_back(operand.strides[static_cast<std::size_t>(axis)]);
    return view;
  }
  if (node.is("slice")) return slice_view(node, operand);
  if (!node.is("reshape") && !node.is("expand")) return std::nullopt;

  const Shape& from = node.operand(0)->type.shape;
  auto moved = node.is("reshape") ? reshape_strides(from, operand.strides, to) : expand_strides(from, operand.strides, to);
  if (!moved) return std::nullopt;
  return StridedView{operand.base, operand.offset, std::move(*moved)};
}

StridedView strided_view(const Value& value) {
  // From the farthest producer back to the value: a chain that breaks in the middle starts anew in the memory of the value after the break.
  std::vector<const Node*> chain;
  for (const Node* node = value.producer(); node && node->op().op_class == OpClass::movement && node->operand_count() > 0;
       node = node->operand(0)->producer()) {
    chain.push_back(node);
  }
  if (chain.empty()) return own_memory(value);
  StridedView view = own_memory(*chain.back()->operand(0));
  for (auto it = chain.rbegin(); it != chain.rend(); ++it) {
    auto next = view_through(**it, view);
    view = next ? std::move(*next) : own_memory(*(*it)->result());
  }
  return view;
}

std::optional<Layout> layout_of(const Shape& shape, const std::vector<Dim>& strides) {
  std::vector<std::size_t> rest = wide_dimensions(shape);
  Layout order;  // innermost first while it grows
  Dim expected = 1;
  while (!rest.empty()) {
    const auto next = std::find_if(rest.begin(), rest.end(), [&](std::size_t d) { return strides[d] == expected; });
    if (next == rest.end()) return std::nullopt;
    order.push_back(static_cast<int>(*next));
    expected = expected * shape[*next];
    rest.erase(next);
  }
  std::reverse(order.begin(), order.end());
  // Extents of 1 go where they keep the order closest to row-major.
  for (int d = 0; d < static_cast<int>(shape.size()); ++d) {
    if (!is_one(shape[static_cast<std::size_t>(d)])) continue;
    order.insert(std::find_if(order.begin(), order.end(), [&](int placed) { return placed > d; }), d);
  }
  if (std::is_sorted(order.begin(), order.end())) return Layout{};
  return order;
}

bool same_order(const Shape& shape, const Layout& a, const Layout& b) {
  return strides_agree(shape, strides(Type{DType::undefined, shape, a}), strides(Type{DType::undefined, shape, b}));
}

std::optional<Layout> layout_as_view(const Node& node) {
  if (!is_relabelling(node)) return std::nullopt;
  const auto view = view_through(node, own_memory(*node.operand(0)));
  return view ? layout_of(node.result()->type.shape, view->strides) : std::nullopt;
}

bool is_view(const Node& node) {
  if (!is_relabelling(node)) return false;
  const auto view = view_through(node, own_memory(*node.operand(0)));
  const Type& type = node.result()->type;
  return view && strides_agree(type.shape, view->strides, strides(type));
}

}  // namespace intaglio
