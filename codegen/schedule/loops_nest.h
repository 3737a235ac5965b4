// A loop nest while it is being scheduled: axes from the outside in, and the steps that run inside them. Lowering fills it, then loops are
// merged, tiled for transposes, divided into tasks, and at last written as kernel IR.
#pragma once

#include <functional>
#include <vector>

#include "codegen/schedule/loops.h"
#include "ir/kernel/kernel.h"

namespace intaglio::loops {

/// One loop.
struct Axis {
  int var = -1;
  Dim extent;
  /// What the loop runs to: the extent, but for the last of several tiles.
  kernel::Expr trip;
  /// The inner loop of a tile: not divided further.
  bool tile = false;

  kernel::Expr index() const { return kernel::var(var, kernel::from_dim(extent)); }
};

/// An assign, reduce or store. It runs right inside the innermost loop that it depends on; stores run inside all loops.
struct Step {
  kernel::Stmt stmt;
  /// How many elements it computes each time, for the division into tasks.
  Dim cost = 1;
  /// Its local is an index or a bound, which must be the same for all lanes of a vector loop.
  bool uniform = false;
};

/// The loops of some tasks, `body` in terms of the task number that it was built for.
struct TaskLoops {
  Dim tasks;
  kernel::StmtRef body;
};

class Nest {
 public:
  Nest(kernel::Kernel& kernel, const LoopTraits& traits) : kernel_(kernel), traits_(traits) {}

  std::vector<Axis> axes;
  std::vector<Step> steps;
  /// The variable of the vector loop, or -1.
  int vector_var = -1;

  kernel::Kernel& kernel() { return kernel_; }
  /// A new loop variable; an axis of `axes` only once it is put there.
  Axis new_axis(const Dim& extent);
  /// True if `step` reads the variable, directly or through locals of earlier steps.
  bool reads(std::size_t step, int var) const;
  void substitute(int var, const kernel::Expr& by);

  /// Merges neighbouring axes wherever every step addresses memory as if they were one.
  void coalesce();
  /// For nests of stores alone: a short innermost loop makes room for a long one, and where a load is contiguous along another axis than
  /// the stores, both are tiled so that each cache line is used whole.
  void choose_vector_loop();
  /// Divides the outer axes into tasks of some thousand elements and writes the loops. `task_of` gives the number of the task, in [0,
  /// tasks).
  TaskLoops build(const std::function<kernel::Expr(const Dim& tasks)>& task_of);

 private:
  struct Division;
  int level(std::size_t step) const;
  Dim work_inside(int axis) const;
  int deepest_divisible_axis() const;
  Division divide() const;
  void hoist_checks();
  void bind_to_task(const Division& division, const kernel::Expr& task);
  kernel::StmtRef loops_from(std::size_t axis) const;
  void tile_transpose();
  int tile(std::size_t axis, std::int64_t size);

  kernel::Kernel& kernel_;
  const LoopTraits& traits_;
};

/// The expressions of a statement, for rewriting.
std::vector<kernel::Expr*> expressions(kernel::Stmt& stmt);
std::vector<const kernel::Expr*> expressions(const kernel::Stmt& stmt);

/// Tries to make one axis of two neighbours: rewrites the expressions in terms of `merged`, or answers false if one of them tells the two
/// apart.
bool merge_axes(const Axis& outer, const Axis& inner, const Axis& merged, const std::vector<kernel::Expr*>& expressions);

/// How many of the loads in `e` have stride 1 along `var`.
int contiguous_loads(const kernel::Expr& e, int var);

}  // namespace intaglio::loops
