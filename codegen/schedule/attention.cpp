// Describes attention groups, and lowers them to plain loops.

#include "codegen/schedule/attention.h"

#include "support/diagnostics.h"

namespace intaglio {
namespace {

using kernel::Expr;
using kernel::LoopKind;
using kernel::Op;

Expr product(const Expr& a, const Expr& b) { return kernel::binary(Op::mul, a, b); }
Expr sum(const Expr& a, const Expr& b) { return kernel::binary(Op::add, a, b); }

/// `index` of the scores as an index of the mask, which broadcasts to them.
Index mask_index(const Index& index, const Shape& shape) {
  Index moved(index.end() - static_cast<std::ptrdiff_t>(shape.size()), index.end());
  for (std::size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] == Dim(1)) moved[d] = kernel::index_constant(0);
  }
  return moved;
}

}  // namespace

Attention describe_attention(const Node& kernel_node) {
  const Graph& region = *kernel_node.region();
  const Node* root = region_root(region);
  internal_check(root && root->is("attention"), "a group without attention");
  const Type& q = root->operand(0)->type;
  const Type& v = root->operand(2)->type;
  const auto rank = q.shape.size();

  Attention spec;
  spec.buffers = region_buffers(region);
  spec.symbols = region_symbols(region);
  spec.task_var = spec.new_variable();
  spec.accumulator = spec.new_variable();
  spec.storage = q.dtype;
  spec.compute = q.dtype == DType::f64 ? DType::f64 : DType::f32;
  spec.scale = root->real("scale");
  for (Axis* axis : {&spec.s, &spec.t, &spec.d, &spec.e}) axis->var = spec.new_variable();
  spec.s.extent = q.shape[rank - 2];
  spec.d.extent = q.shape[rank - 1];
  spec.t.extent = v.shape[rank - 2];
  spec.e.extent = v.shape[rank - 1];
  Index stack(rank - 2, kernel::index_constant(0));
  for (std::size_t i = 0; i + 2 < rank; ++i) {
    if (q.shape[i] == Dim(1)) continue;
    spec.batch.push_back({spec.new_variable(), q.shape[i]});
    stack[i] = kernel::var(spec.batch.back().var);
  }
  const auto index = [&](const Axis& row, const Axis& column) {
    Index full = stack;
    full.push_back(kernel::var(row.var));
    full.push_back(kernel::var(column.var));
    return full;
  };

  RegionPull pull(region);
  spec.q = pull.operand(*root, 0, index(spec.s, spec.d));
  spec.k = pull.operand(*root, 1, index(spec.t, spec.d));
  spec.v = pull.operand(*root, 2, index(spec.t, spec.e));
  if (root->operand(3)) spec.mask = pull.operand(*root, 3, mask_index(index(spec.s, spec.t), root->operand(3)->type.shape));
  pull.bind(*root->result(), [&](const Index&) { return kernel::local(spec.accumulator, spec.compute); });
  const Value& result = *region.results()[0];
  const Index out = index(spec.s, spec.e);
  spec.result = kernel::cast(pull.value(result, out), result.type.dtype);
  spec.offset = linear_offset(result.type, out);
  spec.name = fmt::format("attention_{}_d{}_e{}{}", dtype_name(spec.storage), spec.d.extent.constant().value_or(0), spec.e.extent.constant().value_or(0), spec.mask ? "_masked" : "");
  return spec;
}

kernel::Kernel lower_naive_attention(const Attention& spec) {
  kernel::Kernel kernel;
  kernel.name = spec.name + "_naive";
  kernel.buffers = spec.buffers;
  kernel.symbols = spec.symbols;
  kernel.variables = spec.variables;
  kernel.task_var = spec.task_var;
  kernel.tasks = spec.s.extent;

  Expr rest = kernel::var(spec.task_var);
  const auto bind = [&](const Axis& axis, Expr e) { return kernel::substitute(e, axis.var, kernel::binary(Op::index_mod, rest, kernel::from_dim(axis.extent))); };
  Expr q = spec.q, k = spec.k, v = spec.v, mask = spec.mask, result = spec.result, offset = spec.offset;
  const auto bind_all = [&](const Axis& axis) {
    for (Expr* e : {&q, &k, &v, &mask, &result, &offset}) {
      if (*e) *e = bind(axis, *e);
    }
    rest = kernel::binary(Op::index_div, rest, kernel::from_dim(axis.extent));
  };
  bind_all(spec.s);
  for (auto axis = spec.batch.rbegin(); axis != spec.batch.rend(); ++axis) {
    bind_all(*axis);
    kernel.tasks = kernel.tasks * axis->extent;
  }

  const auto score = [&](int t) {
    Expr value = kernel::reduce(Op::add, spec.d.var, kernel::from_dim(spec.d.extent), product(q, k));
    value = product(value, kernel::constant(spec.compute, spec.scale));
    if (mask) value = sum(value, mask);
    return kernel::substitute(value, spec.t.var, kernel::var(t));
  };
  const int largest = kernel.new_variable(), total = kernel.new_variable();
  const int t0 = kernel.new_variable(), t1 = kernel.new_variable(), t2 = kernel.new_variable();
  const auto weight = [&](int t) { return kernel::unary(Op::exp, kernel::binary(Op::sub, score(t), kernel::local(largest, spec.compute))); };
  const Expr keys = kernel::from_dim(spec.t.extent);
  const Expr weighted = kernel::reduce(Op::add, t2, keys, product(weight(t2), kernel::substitute(v, spec.t.var, kernel::var(t2))));
  const Expr element = kernel::binary(Op::div, weighted, kernel::local(total, spec.compute));
  const int output = static_cast<int>(spec.buffers.size()) - 1;
  kernel.body = kernel::block({
      kernel::reduce(largest, Op::max, t0, keys, LoopKind::serial, score(t0)),
      kernel::reduce(total, Op::add, t1, keys, LoopKind::serial, weight(t1)),
      kernel::loop(spec.e.var, kernel::from_dim(spec.e.extent), LoopKind::vector,
                   kernel::store(output, offset, kernel::replace(result, kernel::local(spec.accumulator, spec.compute), element))),
  });
  return kernel;
}

Dim attention_flops(const Node& root) {
  const Shape& q = root.operand(0)->type.shape;
  const Shape& v = root.operand(2)->type.shape;
  const Dim keys = v[v.size() - 2];
  return Dim::floordiv(element_count(q), q.back()) * keys * (q.back() + v.back()) * 2;
}

std::string to_text(const Attention& spec) {
  std::string text = fmt::format("attention {}\n", spec.name);
  for (const kernel::Buffer& buffer : spec.buffers) text += fmt::format("  {}: {}[{}]\n", buffer.name, dtype_name(buffer.dtype), buffer.elements.text());
  for (const std::string& symbol : spec.symbols) text += fmt::format("  symbol {}\n", symbol);
  const auto axis = [&](const char* name, const Axis& a) { text += fmt::format("  {} = v{} < {}\n", name, a.var, a.extent.text()); };
  for (const Axis& a : spec.batch) axis("batch", a);
  axis("s", spec.s);
  axis("t", spec.t);
  axis("d", spec.d);
  axis("e", spec.e);
  text += fmt::format("  scale = {}\n  q = {}\n  k = {}\n  v = {}\n", spec.scale, kernel::to_text(spec.q), kernel::to_text(spec.k), kernel::to_text(spec.v));
  if (spec.mask) text += fmt::format("  mask = {}\n", kernel::to_text(spec.mask));
  return text + fmt::format("  out[{}] = {}\n", kernel::to_text(spec.offset), kernel::to_text(spec.result));
}

}  // namespace intaglio
