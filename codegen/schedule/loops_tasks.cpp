// Divides a nest among tasks: enough work in each to be worth handing out, enough of them to keep all cores busy.
#include <algorithm>

#include "codegen/schedule/loops_nest.h"
#include "support/ceil_div.h"
#include "support/diagnostics.h"

namespace intaglio::loops {
namespace {

using kernel::Expr;
using kernel::ExprKind;
using kernel::ExprNode;
using kernel::Op;
using kernel::Stmt;

/// Blocks of a vector axis are a multiple of this, so that all but the last begin on a cache line and fill their vectors.
constexpr std::int64_t kBlockMultiple = 64;
/// What an unknown extent is taken for where loops must be ordered by size.
constexpr std::int64_t kTypicalExtent = 64;

std::int64_t estimate(const Dim& dim) {
  return dim.evaluate([](const std::string&) { return kTypicalExtent; });
}

}  // namespace

/// Axes [0, axis] are spread over tasks, `axis` itself in chunks.
struct Nest::Division {
  int axis = -1;
  Dim chunk = 1;
};

/// The work of one iteration of `axis`.
Dim Nest::work_inside(int axis) const {
  Dim work = 0;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    const int inside = level(s);
    if (inside < axis) continue;
    Dim repeats = 1;
    for (int i = axis + 1; i <= inside; ++i) repeats = repeats * axes[i].extent;
    work = work + steps[s].cost * repeats;
  }
  return work;
}

/// A task must not share the result of a reduction with another task, nor a tile.
int Nest::deepest_divisible_axis() const {
  int deepest = static_cast<int>(axes.size()) - 1;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    if (steps[s].stmt.kind == Stmt::Kind::reduce) deepest = std::min(deepest, level(s));
  }
  for (int i = 0; i <= deepest; ++i) {
    if (axes[i].tile) return i - 1;
  }
  return deepest;
}

Nest::Division Nest::divide() const {
  const int deepest = deepest_divisible_axis();
  if (deepest < 0) return {};
  const Dim total = axes[0].extent * work_inside(0);
  std::int64_t target = traits_.task_elements;
  if (total.is_constant()) target = std::max(target, total.value() / traits_.most_tasks);
  int axis = deepest;
  while (axis > 0 && estimate(axes[axis].extent * work_inside(axis)) < target) --axis;
  const Dim inside = work_inside(axis);
  const Dim& extent = axes[axis].extent;
  if (total.is_constant() && total.value() <= target) return {};
  const std::int64_t multiple = axes[axis].var == vector_var ? kBlockMultiple : 1;
  if (!inside.is_constant()) {
    // An extent may be 0 at run time.
    const Dim chunk = Dim::max(Dim::floordiv(target, Dim::max(inside, 1)), 1);
    return {axis, multiple == 1 ? chunk : Dim::ceildiv(chunk, multiple) * Dim(multiple)};
  }
  std::int64_t chunk = ceil_div(target, std::max<std::int64_t>(inside.value(), 1));
  if (extent.is_constant()) {
    // Chunks of equal size, rather than a short last one.
    const std::int64_t chunks = ceil_div(extent.value(), chunk);
    chunk = ceil_div(extent.value(), std::max<std::int64_t>(chunks, 1));
  }
  chunk = ceil_div(std::max<std::int64_t>(chunk, 1), multiple) * multiple;
  return {axis, extent.is_constant() ? std::min(chunk, extent.value()) : chunk};
}

/// Replaces the variables of the divided axes by what the task number says, computed once at the top of the task.
void Nest::bind_to_task(const Division& division, const Expr& task) {
  std::vector<Step> top;
  const auto at_top = [&](const Expr& e) {
    if (e->kind == ExprKind::constant || e->kind == ExprKind::var || e->kind == ExprKind::local) return e;
    const int id = kernel_.new_variable();
    top.push_back({*kernel::assign(id, e), 0, true});
    return kernel::local(id, e->dtype);
  };
  Expr rest = at_top(task);
  const auto next_digit = [&](const Dim& count, bool outermost) {
    if (outermost) return rest;
    const Expr radix = at_top(kernel::from_dim(count));
    const Expr digit = at_top(kernel::binary(Op::index_mod, rest, radix));
    rest = at_top(kernel::binary(Op::index_div, rest, radix));
    return digit;
  };
  Axis& divided = axes[division.axis];
  const Dim chunks = Dim::ceildiv(divided.extent, division.chunk);
  const Expr chunk = at_top(kernel::from_dim(division.chunk));
  const Expr begin = kernel::binary(Op::mul, next_digit(chunks, division.axis == 0), chunk);
  Axis within = new_axis(division.chunk);
  const bool whole_chunks = chunks * division.chunk == divided.extent;
  if (!whole_chunks) within.trip = kernel::binary(Op::min, chunk, kernel::binary(Op::sub, kernel::from_dim(divided.extent), begin));
  if (divided.var == vector_var) vector_var = within.var;
  const int replaced = divided.var;
  divided = within;
  substitute(replaced, kernel::binary(Op::add, begin, within.index()));
  for (int i = division.axis - 1; i >= 0; --i) substitute(axes[i].var, next_digit(axes[i].extent, i == 0));
  steps.insert(steps.begin(), top.begin(), top.end());
}

/// A checked index that is the same for all lanes is checked once, outside of the vector loop.
void Nest::hoist_checks() {
  const auto is_uniform = [&](const ExprNode& checked_index, const Expr& e) {
    bool uniform = true;
    visit(e, [&](const ExprNode& node) {
      if (node.kind != ExprKind::var || node.var == kernel_.task_var) return;
      const bool is_outer_axis = std::any_of(axes.begin(), axes.end(), [&](const Axis& axis) { return axis.var == node.var; });
      uniform = uniform && is_outer_axis && node.var != vector_var;
    });
    return uniform && checked_index.kind == ExprKind::checked;
  };
  for (std::size_t s = 0; s < steps.size(); ++s) {
    for (bool found = true; found;) {
      found = false;
      for (Expr* e : expressions(steps[s].stmt)) {
        const Expr check = find_subexpression(*e, [&](const Expr& part) { return is_uniform(*part, part); });
        // A step that is nothing but the check is where it belongs.
        if (!check || check == *e) continue;
        const int id = kernel_.new_variable();
        for (Expr* other : expressions(steps[s].stmt)) *other = kernel::replace(*other, check, kernel::local(id, check->dtype));
        steps.insert(steps.begin() + static_cast<std::ptrdiff_t>(s), {*kernel::assign(id, check), 0, true});
        ++s;
        found = true;
        break;
      }
    }
  }
}

TaskLoops Nest::build(const std::function<Expr(const Dim& tasks)>& task_of) {
  hoist_checks();
  const Division division = divide();
  if (division.axis < 0) return {1, loops_from(0)};
  Dim tasks = Dim::ceildiv(axes[division.axis].extent, division.chunk);
  for (int i = 0; i < division.axis; ++i) tasks = tasks * axes[i].extent;
  bind_to_task(division, task_of(tasks));
  const bool one_iteration = division.chunk == Dim(1);
  axes.erase(axes.begin(), axes.begin() + division.axis + (one_iteration ? 1 : 0));
  return {tasks, loops_from(0)};
}

}  // namespace intaglio::loops
