// Windows of convolution and pooling; see window.h.
#include "ir/ops/window.h"

#include <algorithm>

namespace intaglio::ops {

host::Window window_of(const Node& node, std::vector<std::int64_t> kernel_shape) {
  const std::size_t rank = node.operand(0)->type.shape.size() - 2;
  host::Window window{std::move(kernel_shape), node.integers("strides"), node.integers("pads"), node.integers("dilations")};
  if (window.strides.empty()) window.strides.assign(rank, 1);
  if (window.pads.empty()) window.pads.assign(2 * rank, 0);
  if (window.dilations.empty()) window.dilations.assign(rank, 1);
  return window;
}

void check_window(const InferContext& context, std::string_view rank_constraint, std::string_view attribute_constraint) {
  const Type& x = context.operand(0);
  context.require(x.rank() >= 3 && x.rank() <= 5, rank_constraint, "the input has the wrong rank");
  const auto spatial = static_cast<std::size_t>(x.rank() - 2);
  const auto require_at_least = [&](std::string_view name, std::size_t count, std::int64_t least) {
    require_count(context, name, count, attribute_constraint, true);
    const auto& values = context.node().integers(name);
    if (std::all_of(values.begin(), values.end(), [least](std::int64_t v) { return v >= least; })) return;
    context.fail(attribute_constraint, fmt::format("attribute '{}' is out of range", name), fmt::format("{} >= {}", name, least),
                 fmt::format("{} = [{}]", name, fmt::join(values, ",")));
  };
  require_at_least("strides", spatial, 1);
  require_at_least("dilations", spatial, 1);
  require_at_least("pads", 2 * spatial, 0);
}

Dim window_count(const host::Window& window, std::size_t i, const Dim& extent, const Dim& taps, bool ceil_mode) {
  const Dim stride = window.strides[i];
  const Dim begin = window.pads[i];
  const Dim end = window.pads[i + window.strides.size()];
  const Dim reach = (taps - Dim(1)) * Dim(window.dilations[i]) + Dim(1);
  const Dim room = extent + begin + end - reach;
  if (!ceil_mode) return Dim::floordiv(room, stride) + Dim(1);
  return Dim::min(Dim::ceildiv(room, stride) + Dim(1), Dim::ceildiv(extent + begin, stride));
}

void require_window(InferContext& context, const Dim& count, std::size_t i, std::string_view constraint) {
  if (count.is_constant() && count.value() < 1) {
    context.fail(constraint, fmt::format("the window is larger than the padded input along spatial axis {}", i), {},
                 fmt::format("{} windows", count.value()));
  }
  context.require_equal(Dim::min(count, Dim(1)), Dim(1), constraint, fmt::format("one and the number of windows along spatial axis {}", i));
}

}  // namespace intaglio::ops
