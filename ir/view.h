// Where a value's elements lie in memory that already exists: which data movement is a mere relabelling, and which can be read in place
// with strides. Passes use it to choose layouts and groups, the memory planner to alias buffers, the contraction generators to read
// operands by address.
#pragma once

#include <optional>
#include <vector>

#include "ir/graph.h"

namespace intaglio {

/// Element `i` of a value is element `offset + sum(i[d] * strides[d])` of the memory of `base`. The stride of a broadcast dimension is 0.
struct StridedView {
  const Value* base = nullptr;
  Dim offset = 0;
  std::vector<Dim> strides;
};

/// The value in its own memory, as its type's layout says.
StridedView own_memory(const Value& value);

/// What remains of `operand`, the view of a movement node's first operand, after the node: transpose, reshape, slice, expand or
/// convert_layout. Nothing if the node is of another operator, or its elements do not lie at constant strides.
std::optional<StridedView> view_through(const Node& node, const StridedView& operand);

/// `value` in the memory of the farthest value that it can be read from with strides; its own if its producer must be computed.
StridedView strided_view(const Value& value);

/// True for a reshape, transpose or convert_layout whose result, in the layout that its type names, is its operand's memory under another
/// label: no code runs for it.
bool is_view(const Node& node);

/// The layout that has these strides, if the elements are dense; dimensions of extent 1 match any stride. Row-major comes back empty.
std::optional<Layout> layout_of(const Shape& shape, const std::vector<Dim>& strides);

/// The layout in which `node`'s result is a view of its operand, if there is one.
std::optional<Layout> layout_as_view(const Node& node);

/// True if both layouts put the elements of `shape` in the same order.
bool same_order(const Shape& shape, const Layout& a, const Layout& b);

/// The strides of a value of shape `from` with the given strides after a reshape to `to`; nothing if they are not constant.
std::optional<std::vector<Dim>> reshape_strides(const Shape& from, const std::vector<Dim>& strides, const Shape& to);

}  // namespace intaglio
