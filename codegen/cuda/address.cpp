// See address.h.

#include "codegen/cuda/address.h"

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::ExprKind;
using kernel::Op;

/// Index arithmetic without loop variables, as a dimension.
std::optional<Dim> to_dim(const Expr& e) {
  if (const auto value = kernel::constant_value(e)) return Dim(*value);
  if (e->kind == ExprKind::symbol) return Dim::symbol(e->name);
  if (e->kind != ExprKind::binary) return std::nullopt;
  const auto a = to_dim(e->args[0]), b = to_dim(e->args[1]);
  if (!a || !b) return std::nullopt;
  switch (e->op) {
    case Op::add: return *a + *b;
    case Op::sub: return *a - *b;
    case Op::mul: return *a * *b;
    case Op::index_div: return Dim::floordiv(*a, *b);
    case Op::index_mod: return Dim::mod(*a, *b);
    default: return std::nullopt;
  }
}

}  // namespace

bool is_matrix_product(const Contraction& spec) {
  return spec.r.extent == Dim(1) && spec.s.extent == Dim(1) && spec.stride_y == 1 && spec.stride_x == 1 && !spec.padded;
}

std::vector<Axis> source_axes(const Contraction& spec, std::vector<Axis> axes) {
  for (Axis& axis : axes) {
    if (axis.var == spec.y.var) axis.var = spec.a_y;
    if (axis.var == spec.x.var) axis.var = spec.a_x;
  }
  return axes;
}

std::optional<Dim> Address::take(int var) {
  const auto linear = kernel::linear_in(rest_, var);
  if (!linear) return std::nullopt;
  rest_ = linear->rest;
  return to_dim(linear->stride);
}

std::optional<Dim> Address::take_line(const std::vector<Axis>& axes) {
  Dim step = 0, count = 1;
  for (std::size_t i = axes.size(); i-- > 0;) {
    const auto stride = take(axes[i].var);
    if (!stride) return std::nullopt;
    if (axes[i].extent == Dim(1)) continue;  // there is one place only
    if (count == Dim(1)) step = *stride;
    if (*stride != step * count) return std::nullopt;
    count = count * axes[i].extent;
  }
  return step;
}

std::optional<Dim> Address::offset_bytes() const {
  const auto offset = to_dim(rest_);
  if (!offset) return std::nullopt;
  return *offset * element_bytes_;
}

}  // namespace intaglio::cuda
