// The steps of a group: folds, locals, stores, and the order of the loops around them.
#include "codegen/schedule/loops_group.h"

#include <algorithm>

#include "support/diagnostics.h"

namespace intaglio::loops {

using kernel::Expr;
using kernel::ExprKind;
using kernel::LoopKind;
using kernel::Op;
using kernel::Stmt;

namespace {

/// Lanes over fewer elements than this are wasted.
constexpr std::int64_t kShortExtent = 8;

bool is_short(const Dim& extent) { return extent.is_constant() && extent.value() < kShortExtent; }

bool mentions(const Index& index, int var) {
  return std::any_of(index.begin(), index.end(), [&](const Expr& e) { return depends_on(e, var); });
}

}  // namespace

Dim Fold::count() const {
  Dim product = 1;
  for (const Axis& axis : axes) product = product * axis.extent;
  return product;
}

void Group::add_result_axes(const Shape& extents, const Index& offset) {
  result_index.assign(extents.size(), kernel::index_constant(0));
  for (int d : explicit_layout(region.results()[0]->type)) {
    if (extents[d] == Dim(1)) continue;
    nest.axes.push_back(nest.new_axis(extents[d]));
    result_index[d] = nest.axes.back().index();
  }
  for (std::size_t d = 0; d < offset.size(); ++d) result_index[d] = kernel::binary(Op::add, result_index[d], offset[d]);
}

void Group::add_stores() {
  std::vector<Step> stores;
  for (std::size_t r = 0; r < region.results().size(); ++r) {
    const Value& result = *region.results()[r];
    const Expr element = kernel::cast(pull.value(result, result_index), result.type.dtype);
    stores.push_back({*kernel::store(result_buffer() + static_cast<int>(r), linear_offset(result.type, result_index), element)});
  }
  // Pulling has created the root's steps.
  nest.steps.insert(nest.steps.end(), stores.begin(), stores.end());
}

Expr Group::uniform(const Expr& e) {
  if (e->kind == ExprKind::constant || e->kind == ExprKind::symbol || e->kind == ExprKind::var) return e;
  const int id = nest.kernel().new_variable();
  nest.steps.push_back({*kernel::assign(id, e), 0, true});
  return kernel::local(id, e->dtype);
}

Expr Group::assigned(const Expr& e) {
  const int id = nest.kernel().new_variable();
  nest.steps.push_back({*kernel::assign(id, e)});
  return kernel::local(id, e->dtype);
}

Fold Group::make_fold(const Type& type, const std::vector<int>& axes, const Index& index, const std::function<Expr(const Index&)>& at) {
  Fold fold;
  Index element = index, row = index;
  for (int d : explicit_layout(type)) {
    if (std::find(axes.begin(), axes.end(), d) == axes.end()) continue;
    element[d] = row[d] = kernel::index_constant(0);
    if (type.shape[d] == Dim(1)) continue;
    fold.axes.push_back(nest.new_axis(type.shape[d]));
    element[d] = fold.axes.back().index();
  }
  fold.body = at(element);
  if (can_keep_in_result(type, index)) fold.result_offset = linear_offset(region.results()[0]->type, element);
  std::vector<Expr*> targets = {&fold.body};
  if (fold.result_offset) targets.push_back(&fold.result_offset);
  for (std::size_t i = 0; i + 1 < fold.axes.size();) {
    const Axis merged = nest.new_axis(fold.axes[i].extent * fold.axes[i + 1].extent);
    if (!merge_axes(fold.axes[i], fold.axes[i + 1], merged, targets)) {
      ++i;
      continue;
    }
    fold.axes[i] = merged;
    fold.axes.erase(fold.axes.begin() + static_cast<std::ptrdiff_t>(i) + 1);
    i = i > 0 ? i - 1 : 0;
  }
  choose_direction(fold, row);
  return fold;
}

/// Along the fold if it reads more contiguously there than along the innermost axis of the result that rows differ in.
void Group::choose_direction(const Fold& fold, const Index& row) {
  if (direction_chosen_ || fold.axes.empty()) return;
  direction_chosen_ = true;
  int along = 0;
  for (const Axis& axis : fold.axes) along = std::max(along, contiguous_loads(fold.body, axis.var));
  const auto across_axis = std::find_if(nest.axes.rbegin(), nest.axes.rend(), [&](const Axis& axis) { return mentions(row, axis.var); });
  if (across_axis == nest.axes.rend()) {
    fold_along_vectors = true;
    return;
  }
  const int across = contiguous_loads(fold.body, across_axis->var);
  fold_along_vectors = along > across || (along == across && is_short(across_axis->extent));
}

Expr Group::folded(Op op, const Fold& fold, const Expr& value, bool store) {
  if (fold.axes.empty() && !store) return assigned(value);
  // The vector runs along the axis that is contiguous most often; in lanes, the outermost in memory is folded last.
  std::size_t main = 0;
  for (std::size_t i = 1; fold_along_vectors && i < fold.axes.size(); ++i) {
    if (contiguous_loads(value, fold.axes[i].var) >= contiguous_loads(value, fold.axes[main].var)) main = i;
  }
  Expr nested = value;
  for (std::size_t i = fold.axes.size(); i-- > 0;) {
    if (i != main) nested = kernel::reduce(op, fold.axes[i].var, fold.axes[i].trip, nested);
  }
  const int id = nest.kernel().new_variable();
  const LoopKind kind = fold_along_vectors ? LoopKind::vector : LoopKind::serial;
  const Axis& axis = fold.axes[main];
  nest.steps.push_back({store ? *kernel::reduce_and_store(id, op, axis.var, axis.trip, kind, nested, result_buffer(), fold.result_offset)
                              : *kernel::reduce(id, op, axis.var, axis.trip, kind, nested),
                        fold.count()});
  return kernel::local(id, value->dtype);
}

bool Group::can_keep_in_result(const Type& root, const Index& index) const {
  const Type& result = region.results()[0]->type;
  return result.dtype == DType::f32 && root.dtype == DType::f32 && result.shape == root.shape && index == result_index;
}

Expr Group::load_result(const Index& index) const {
  const Type& type = region.results()[0]->type;
  return kernel::load(result_buffer(), type.dtype, linear_offset(type, index));
}

void Group::order_loops() {
  const auto is_row_axis = [&](const Axis& axis) {
    for (std::size_t s = 0; s < nest.steps.size(); ++s) {
      if (nest.steps[s].stmt.kind != Stmt::Kind::store && nest.reads(s, axis.var)) return true;
    }
    return false;
  };
  const auto free = std::stable_partition(nest.axes.begin(), nest.axes.end(), is_row_axis);
  if (fold_along_vectors) {
    nest.vector_var = free == nest.axes.end() ? -1 : nest.axes.back().var;
    return;
  }
  if (free == nest.axes.begin()) return;
  const int lanes = std::prev(free)->var;
  for (std::size_t s = 0; s < nest.steps.size(); ++s) {
    // Bounds that differ between lanes: no vector loop.
    if (nest.steps[s].uniform && nest.reads(s, lanes)) return;
  }
  nest.vector_var = lanes;
}

}  // namespace intaglio::loops
