// Turns the region of a `kernel` node into expressions over elements: the one place where fused operators, layouts and views become addresses.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ir/graph.h"
#include "ir/kernel/kernel.h"
#include "ir/op.h"

namespace intaglio {

using Index = std::vector<kernel::Expr>;

/// Pulls elements of a region's values. An argument of the region is a load from its buffer (buffer number = argument number) at the offset that its
/// type's layout gives; 16-bit floats arrive cast to f32. Elementwise and movement operators are followed to their operands; the root is what `bind` says.
class RegionPull final : public PullContext {
 public:
  explicit RegionPull(const Graph& region) : region_(region) {}

  /// From now on elements of `value` are what `element` answers.
  void bind(const Value& value, std::function<kernel::Expr(const Index&)> element);
  kernel::Expr value(const Value& value, const Index& index);

  kernel::Expr operand(const Node& node, int i, const Index& index) override;
  kernel::Expr checked_index(const kernel::Expr& value, const kernel::Expr& high) override;

 private:
  const Graph& region_;
  std::map<const Value*, std::function<kernel::Expr(const Index&)>> bound_;
  /// A value with several users is pulled once per index, else the work would double with each.
  std::map<std::pair<const Value*, Index>, kernel::Expr> pulled_;

  kernel::Expr pull(const Value& value, const Index& index);
};

/// The linear offset of `index` in memory laid out as `type` says.
kernel::Expr linear_offset(const Type& type, const Index& index);
/// The buffers of a kernel: one for each argument of the region, then one for each result.
std::vector<kernel::Buffer> region_buffers(const Graph& region);
/// The symbols that the types of the region mention, in order of first appearance.
std::vector<std::string> region_symbols(const Graph& region);
/// The node of the region that is not elementwise, movement or constant, or null.
const Node* region_root(const Graph& region);

}  // namespace intaglio
