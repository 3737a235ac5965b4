// Pooling: the taps of each window that lie inside the input are a range per axis, computed outside of the vector loop.
#include <cmath>
#include <limits>

#include "codegen/schedule/loops_group.h"
#include "support/diagnostics.h"

namespace intaglio::loops {

using kernel::Expr;
using kernel::Op;

namespace {

Expr add(const Expr& a, const Expr& b) { return kernel::binary(Op::add, a, b); }
Expr sub(const Expr& a, const Expr& b) { return kernel::binary(Op::sub, a, b); }
Expr mul(const Expr& a, const Expr& b) { return kernel::binary(Op::mul, a, b); }
Expr constant(std::int64_t value) { return kernel::index_constant(value); }

/// One spatial axis of a window.
struct WindowAxis {
  std::int64_t taps, stride, dilation, pad_begin, pad_end;
  Expr extent;

  /// How many taps lie before position `limit` (in the padded input's coordinates), for the output at `o`: ceil((limit - o*stride) /
  /// dilation), within [0, taps].
  Expr taps_before(const Expr& limit, const Expr& o) const {
    const Expr distance = kernel::binary(Op::max, sub(limit, mul(o, constant(stride))), constant(0));
    const Expr count = kernel::binary(Op::index_div, add(distance, constant(dilation - 1)), constant(dilation));
    return kernel::binary(Op::min, count, constant(taps));
  }
  Expr first_inside(const Expr& o) const { return taps_before(constant(pad_begin), o); }
  Expr end_inside(const Expr& o) const { return taps_before(add(extent, constant(pad_begin)), o); }
  Expr end_padded(const Expr& o) const { return taps_before(add(extent, constant(pad_begin + pad_end)), o); }
};

std::vector<WindowAxis> window_axes(const Node& root) {
  const auto& kernel_shape = root.integers("kernel_shape");
  const auto& strides = root.integers("strides");
  const auto& dilations = root.integers("dilations");
  const auto& pads = root.integers("pads");
  const std::size_t rank = kernel_shape.size();
  const auto at = [](const std::vector<std::int64_t>& values, std::size_t i, std::int64_t fallback) {
    return i < values.size() ? values[i] : fallback;
  };
  std::vector<WindowAxis> axes;
  for (std::size_t i = 0; i < rank; ++i) {
    axes.push_back({kernel_shape[i], at(strides, i, 1), at(dilations, i, 1), at(pads, i, 0), at(pads, i + rank, 0),
                    kernel::from_dim(root.operand(0)->type.shape[i + 2])});
  }
  return axes;
}

/// The taps of one window that lie inside the input.
struct Window {
  Index first;   ///< input position of the first tap, per spatial axis
  Index taps;    ///< how many, per spatial axis
  Expr divisor;  ///< of an average
};

Window window_at(Group& group, const Node& root, const Index& index) {
  const bool counts_padding = root.is("average_pool") && root.integer("count_include_pad") != 0;
  Window window{{}, {}, constant(1)};
  const std::vector<WindowAxis> axes = window_axes(root);
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const WindowAxis& axis = axes[i];
    const Expr& o = index[i + 2];
    const Expr skipped = group.uniform(axis.first_inside(o));
    window.first.push_back(add(sub(mul(o, constant(axis.stride)), constant(axis.pad_begin)), mul(skipped, constant(axis.dilation))));
    window.taps.push_back(group.uniform(kernel::binary(Op::max, sub(axis.end_inside(o), skipped), constant(0))));
    window.divisor = mul(window.divisor, counts_padding ? axis.end_padded(o) : window.taps.back());
  }
  return window;
}

}  // namespace

void bind_pool(Group& group, const Node& root) {
  const auto element = [&group, &root](const Index& index) -> Expr {
    const std::vector<WindowAxis> axes = window_axes(root);
    const Window window = window_at(group, root, index);
    Index position = index;
    std::vector<int> vars;
    Dim cost = 1;
    for (std::size_t i = 0; i < axes.size(); ++i) {
      vars.push_back(group.nest.kernel().new_variable());
      const Expr tap = kernel::var(vars[i], constant(axes[i].taps));
      position[i + 2] = add(window.first[i], mul(tap, constant(axes[i].dilation)));
      cost = cost * Dim(axes[i].taps);
    }
    const bool is_average = root.is("average_pool");
    const Op op = is_average ? Op::add : Op::max;
    Expr value = group.pull.operand(root, 0, position);
    for (std::size_t i = axes.size(); i-- > 1;) value = kernel::reduce(op, vars[i], window.taps[i], value);
    const int id = group.nest.kernel().new_variable();
    group.nest.steps.push_back({*kernel::reduce(id, op, vars[0], window.taps[0], kernel::LoopKind::serial, value), cost});
    const Expr result = kernel::local(id, value->dtype);
    return is_average ? kernel::binary(Op::div, result, kernel::cast(group.uniform(window.divisor), result->dtype)) : result;
  };
  group.pull.bind(*root.result(), element);
}

}  // namespace intaglio::loops
