// What the lowerings of one fused group share: its region, the kernel being made, and the nest with the steps that compute the root.
#pragma once

#include "codegen/schedule/loops.h"
#include "codegen/schedule/loops_nest.h"

namespace intaglio::loops {

/// Elements that are folded together: loops over some axes, innermost in memory last, and what is read there.
struct Fold {
  std::vector<Axis> axes;
  kernel::Expr body;
  /// Where the group's first result has this element, if it has one for each.
  kernel::Expr result_offset;

  Dim count() const;
};

/// The result of a group over its own index space, with the root's elements computed by steps of the nest.
///
/// Steps of the root that read whole rows (folds) depend on the result's axes outside of the row only, and so end up outside the loops over
/// the row. Folds run either along vectors (`fold_along_vectors`: the folded elements are contiguous), or in each lane of a vector loop
/// over another axis.
class Group {
 public:
  Group(const Graph& fused, kernel::Kernel& kernel, const LoopTraits& traits) : region(fused), pull(fused), nest(kernel, traits) {}

  const Graph& region;
  RegionPull pull;
  Nest nest;
  /// The index of the result's element in terms of the nest's axes.
  Index result_index;
  bool fold_along_vectors = false;

  /// Makes the axes of the result, in the order of its memory. `extents` replaces the result's shape, `offset` is added to the index (a
  /// part of a result).
  void add_result_axes(const Shape& extents, const Index& offset);
  /// Pulls the elements of all results, which creates the root's steps, and stores them.
  void add_stores();

  /// A local for an index or a bound, computed once outside of the vector loop; constants and variables are answered as they are.
  kernel::Expr uniform(const kernel::Expr& e);
  /// A local for a value.
  kernel::Expr assigned(const kernel::Expr& e);

  /// Loops over `axes` of the value whose element `at` answers, merged where memory allows. `index` is an element of the row.
  Fold make_fold(const Type& type, const std::vector<int>& axes, const Index& index, const std::function<kernel::Expr(const Index&)>& at);
  /// The fold of `value`, which is in terms of the fold's variables. With `store` each value is written to the fold's place in the result
  /// as well.
  kernel::Expr folded(kernel::Op op, const Fold& fold, const kernel::Expr& value, bool store = false);

  /// True if the root's element at `index` is the element of the group's first result at the same place, and that is f32: a place to keep
  /// values.
  bool can_keep_in_result(const Type& root, const Index& index) const;
  kernel::Expr load_result(const Index& index) const;

  /// Orders the loops (rows outside, what runs along them inside) and picks the vector loop.
  void order_loops();

 private:
  void choose_direction(const Fold& fold, const Index& row);
  int result_buffer() const { return static_cast<int>(region.arguments().size()); }
  bool direction_chosen_ = false;
};

/// These bind the root of the group's region, so that pulling a result creates its steps.
void bind_reduction(Group& group, const Node& root);
void bind_softmax(Group& group, const Node& root);
void bind_layer_norm(Group& group, const Node& root);
void bind_pool(Group& group, const Node& root);

/// "softmax_f32_12x128x128": the operators, the dtype, the shape of the largest part.
std::string kernel_name(const Graph& region);

}  // namespace intaglio::loops
