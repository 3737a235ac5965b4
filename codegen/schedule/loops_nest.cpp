// Merging loops, and writing a scheduled nest as kernel IR.
#include "codegen/schedule/loops_nest.h"

#include <algorithm>
#include <set>

#include "support/diagnostics.h"

namespace intaglio::loops {

using kernel::Expr;
using kernel::ExprKind;
using kernel::ExprNode;
using kernel::Op;
using kernel::Stmt;

std::vector<Expr*> expressions(Stmt& stmt) {
  std::vector<Expr*> result;
  for (Expr* e : {&stmt.extent, &stmt.offset, &stmt.value}) {
    if (*e) result.push_back(e);
  }
  return result;
}

std::vector<const Expr*> expressions(const Stmt& stmt) {
  std::vector<const Expr*> result;
  for (const Expr* e : {&stmt.extent, &stmt.offset, &stmt.value}) {
    if (*e) result.push_back(e);
  }
  return result;
}

bool merge_axes(const Axis& outer, const Axis& inner, const Axis& merged, const std::vector<Expr*>& targets) {
  const Expr zero = kernel::index_constant(0);
  const Expr both = kernel::binary(Op::add, kernel::binary(Op::mul, outer.index(), kernel::from_dim(inner.extent)), inner.index());
  const auto with_inner = [&](const Expr& e, const Expr& by) { return substitute(substitute(e, outer.var, zero), inner.var, by); };
  // Equal expressions are one object: if the combined index in the inner variable's place gives the original, nothing else is read of the
  // two.
  const bool mergeable = std::all_of(targets.begin(), targets.end(), [&](const Expr* e) { return with_inner(*e, both) == *e; });
  if (!mergeable) return false;
  for (Expr* e : targets) *e = with_inner(*e, merged.index());
  return true;
}

int contiguous_loads(const Expr& e, int var) {
  int count = 0;
  visit(e, [&](const ExprNode& node) {
    if (node.kind != ExprKind::load) return;
    const auto linear = linear_in(node.args[0], var);
    if (linear && kernel::constant_value(linear->stride) == 1) ++count;
  });
  return count;
}

Axis Nest::new_axis(const Dim& extent) { return {kernel_.new_variable(), extent, kernel::from_dim(extent)}; }

bool Nest::reads(std::size_t step, int var) const {
  std::set<int> locals;
  for (const Expr* e : expressions(steps[step].stmt)) {
    if (depends_on(*e, var)) return true;
    visit(*e, [&](const ExprNode& node) {
      if (node.kind == ExprKind::local) locals.insert(node.var);
    });
  }
  for (std::size_t earlier = 0; earlier < step; ++earlier) {
    if (steps[earlier].stmt.kind != Stmt::Kind::store && locals.count(steps[earlier].stmt.var) && reads(earlier, var)) return true;
  }
  return false;
}

void Nest::substitute(int var, const Expr& by) {
  for (Step& step : steps) {
    for (Expr* e : expressions(step.stmt)) *e = kernel::substitute(*e, var, by);
  }
  for (Axis& axis : axes) axis.trip = kernel::substitute(axis.trip, var, by);
}

void Nest::coalesce() {
  std::vector<Expr*> targets;
  for (Step& step : steps) {
    for (Expr* e : expressions(step.stmt)) targets.push_back(e);
  }
  for (std::size_t i = 0; i + 1 < axes.size();) {
    // What runs inside the vector loop cannot join its lanes.
    if (axes[i].var == vector_var) break;
    Axis merged = new_axis(axes[i].extent * axes[i + 1].extent);
    if (!merge_axes(axes[i], axes[i + 1], merged, targets)) {
      ++i;
      continue;
    }
    if (axes[i + 1].var == vector_var) vector_var = merged.var;
    axes[i] = merged;
    axes.erase(axes.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    // The merged axis may now go with the one before it.
    i = i > 0 ? i - 1 : 0;
  }
}

int Nest::level(std::size_t step) const {
  if (steps[step].stmt.kind == Stmt::Kind::store) return static_cast<int>(axes.size()) - 1;
  for (int i = static_cast<int>(axes.size()) - 1; i >= 0; --i) {
    if (reads(step, axes[i].var)) return i;
  }
  return -1;
}

kernel::StmtRef Nest::loops_from(std::size_t axis) const {
  std::vector<kernel::StmtRef> body;
  for (std::size_t s = 0; s < steps.size(); ++s) {
    if (level(s) == static_cast<int>(axis) - 1) body.push_back(std::make_shared<const Stmt>(steps[s].stmt));
  }
  if (axis < axes.size()) {
    const kernel::LoopKind kind = axes[axis].var == vector_var ? kernel::LoopKind::vector : kernel::LoopKind::serial;
    body.push_back(kernel::loop(axes[axis].var, axes[axis].trip, kind, loops_from(axis + 1)));
  }
  return kernel::block(std::move(body));
}

}  // namespace intaglio::loops
