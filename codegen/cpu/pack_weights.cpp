// Packs the constant operand of a contraction: [group][panel][r, s, c][16 columns], columns beyond the last as 0; with steps of the sum in groups of g
// [group][panel][r, s, c / g][16 columns][g], where each run of steps ends with zeros that fill its last group;
// of a depthwise convolution [r, s][channels rounded up to 16].

#include <algorithm>

#include "codegen/cpu/backend.h"
#include "codegen/schedule/pull.h"
#include "codegen/schedule/tiling.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

/// Where the element of column n and step k of a group lies in the source.
struct Source {
  std::int64_t groups, columns, steps;
  std::function<std::int64_t(std::int64_t group, std::int64_t n, std::int64_t k)> offset;
};

Source conv_source(const Node& conv, const Tensor& weight) {
  const Extents& shape = weight.shape();
  const std::int64_t groups = conv.integer("group"), filters = shape[0] / groups, channels = shape[1];
  std::int64_t taps = 1;
  for (std::size_t i = 2; i < shape.size(); ++i) taps *= shape[i];
  return {groups, filters, channels * taps, [=](std::int64_t group, std::int64_t n, std::int64_t k) {
            return ((group * filters + n) * channels + k % channels) * taps + k / channels;
          }};
}

Source matmul_source(const Tensor& b) {
  const std::int64_t columns = b.shape().back(), steps = b.shape()[b.shape().size() - 2];
  return {1, columns, steps, [=](std::int64_t, std::int64_t n, std::int64_t k) { return k * columns + n; }};
}

template <typename T>
void pack(const Tensor& weight, const Source& source, const StepFormat& format, Tensor& packed) {
  const auto from = weight.span<T>();
  const auto to = packed.mutable_span<T>();
  const std::int64_t run = format.is_grouped() ? format.run : source.steps;
  std::int64_t panel = 0;
  for (std::int64_t group = 0; group < source.groups; ++group) {
    for (std::int64_t first = 0; first < source.columns; first += kPanelColumns, panel += format.steps.value() * kPanelColumns) {
      for (std::int64_t k = 0; k < source.steps; ++k) {
        const std::int64_t step = k / run * format.padded(run) + k % run;
        const std::int64_t begin = panel + step / format.group * format.group * kPanelColumns + step % format.group;
        for (std::int64_t n = first; n < std::min(first + kPanelColumns, source.columns); ++n) {
          to[static_cast<std::size_t>(begin + (n - first) * format.group)] = from[static_cast<std::size_t>(source.offset(group, n, k))];
        }
      }
    }
  }
}

/// One panel as wide as all channels.
template <typename T>
void pack_depthwise(const Tensor& weight, Tensor& packed) {
  const std::int64_t channels = weight.shape()[0], taps = weight.elements() / std::max<std::int64_t>(channels, 1);
  const std::int64_t width = (channels + kPanelColumns - 1) / kPanelColumns * kPanelColumns;
  const auto from = weight.span<T>();
  const auto to = packed.mutable_span<T>();
  for (std::int64_t n = 0; n < channels; ++n) {
    for (std::int64_t t = 0; t < taps; ++t) to[static_cast<std::size_t>(t * width + n)] = from[static_cast<std::size_t>(n * taps + t)];
  }
}

bool is_depthwise(const Node& root, const Tensor& weight) {
  return root.is("conv") && root.integer("group") > 1 && weight.shape()[1] == 1 && weight.shape()[0] == root.integer("group");
}

}  // namespace

Tensor pack_panels(const Node& kernel_node, const DotTraits& dot) {
  const Node& root = *region_root(*kernel_node.region());
  const Tensor& weight = kernel_node.operand(root.operand(1)->index())->constant();
  internal_check(root.operand(1)->type.is_row_major(), "packed weights are row-major");
  if (is_depthwise(root, weight)) {
    const std::int64_t width = (weight.shape()[0] + kPanelColumns - 1) / kPanelColumns * kPanelColumns;
    Tensor packed(weight.dtype(), {weight.elements() / weight.shape()[0] * width});
    switch (dtype_bits(weight.dtype())) {
      case 8: pack_depthwise<std::uint8_t>(weight, packed); break;
      case 16: pack_depthwise<std::uint16_t>(weight, packed); break;
      case 32: pack_depthwise<std::uint32_t>(weight, packed); break;
      case 64: pack_depthwise<std::uint64_t>(weight, packed); break;
      default: internal_check(false, "weights of {} are not packed", dtype_name(weight.dtype()));
    }
    return packed;
  }
  const Source source = root.is("conv") ? conv_source(root, weight) : matmul_source(weight);
  const std::int64_t panels = (source.columns + kPanelColumns - 1) / kPanelColumns;
  const auto spec = describe_contraction(kernel_node);
  internal_check(spec, "a contraction without tiles reads packed weights");
  const StepFormat format = choose_step_format(*spec, dot);
  Tensor packed(weight.dtype(), {source.groups * panels * format.steps.value() * kPanelColumns});
  switch (dtype_bits(weight.dtype())) {
    case 8: pack<std::uint8_t>(weight, source, format, packed); break;
    case 16: pack<std::uint16_t>(weight, source, format, packed); break;
    case 32: pack<std::uint32_t>(weight, source, format, packed); break;
    case 64: pack<std::uint64_t>(weight, source, format, packed); break;
    default: internal_check(false, "weights of {} are not packed", dtype_name(weight.dtype()));
  }
  return packed;
}

}  // namespace intaglio::cpu
