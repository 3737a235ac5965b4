// Packs the constant operand of a contraction: [group][panel][r, s, c][16 columns], columns beyond the last as 0; with steps of the sum in groups of g
// [group][panel][r, s, c / g][16 columns][g], where each run of steps ends with zeros that fill its last group;
// of a depthwise convolution [r, s][channels rounded up to 16]. Weights of 4 bits are packed as groups of 8, the panels of their
// scales after them.

#include <algorithm>

#include "codegen/cpu/backend.h"
#include "codegen/cpu/dense.h"
#include "codegen/cpu/int4_weights.h"
#include "codegen/schedule/pull.h"
#include "codegen/schedule/tiling.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

/// Where the element of column n and step k of a group lies in the source.
struct Source {
  std::int64_t groups, columns, steps, channels;
  std::int64_t panels() const { return groups * ((columns + kPanelColumns - 1) / kPanelColumns); }
  std::function<std::int64_t(std::int64_t group, std::int64_t n, std::int64_t k)> offset;
};

/// The second operand of `root` in memory where its elements are `strides` apart.
Source source_of(const Node& root, const std::vector<Dim>& strides) {
  const Extents shape = static_extents(root.operand(1)->type.shape);
  Extents step(strides.size());
  std::ranges::transform(strides, step.begin(), [](const Dim& stride) { return stride.value(); });
  if (root.is("matmul")) {
    const std::size_t rank = shape.size();
    return {1, shape[rank - 1], shape[rank - 2], shape[rank - 2],
            [down = step[rank - 2], right = step[rank - 1]](std::int64_t, std::int64_t n, std::int64_t k) { return k * down + n * right; }};
  }
  const std::int64_t groups = root.integer("group"), filters = shape[0] / groups, channels = shape[1];
  std::int64_t taps = 1;
  for (std::size_t i = 2; i < shape.size(); ++i) taps *= shape[i];
  return {groups, filters, channels * taps, channels, [=](std::int64_t group, std::int64_t n, std::int64_t k) {
            std::int64_t offset = (group * filters + n) * step[0] + k % channels * step[1], tap = k / channels;
            for (std::size_t i = shape.size(); i-- > 2; tap /= shape[i]) offset += tap % shape[i] * step[i];
            return offset;
          }};
}

/// Calls `place(to, from)` for every weight, with its element in the panels and in the source.
template <typename Place>
void for_each_weight(const Source& source, const StepFormat& format, const Place& place) {
  const std::int64_t word = format.steps_of_word(), run = word > 1 ? format.run : source.steps;
  std::int64_t panel = 0;
  for (std::int64_t group = 0; group < source.groups; ++group) {
    for (std::int64_t first = 0; first < source.columns; first += kPanelColumns, panel += format.steps.value() * kPanelColumns) {
      for (std::int64_t k = 0; k < source.steps; ++k) {
        const std::int64_t step = k / run * format.padded(run) + k % run;
        const std::int64_t begin = panel + step / word * word * kPanelColumns + step % word;
        for (std::int64_t n = first; n < std::min(first + kPanelColumns, source.columns); ++n) {
          place(static_cast<std::size_t>(begin + (n - first) * word), static_cast<std::size_t>(source.offset(group, n, k)));
        }
      }
    }
  }
}

template <typename T>
void pack(const Tensor& weight, const Source& source, const StepFormat& format, Tensor& packed) {
  const auto from = weight.span<T>();
  const auto to = packed.mutable_span<T>();
  for_each_weight(source, format, [&](std::size_t i, std::size_t j) { to[i] = from[j]; });
}

/// Two elements a byte, the first one in its lower half.
void pack_int4(const Tensor& weight, const Source& source, const StepFormat& format, std::span<std::uint8_t> to) {
  const auto from = weight.span<std::uint8_t>();
  for_each_weight(source, format, [&](std::size_t i, std::size_t j) { to[i / 2] |= (from[j / 2] >> j % 2 * 4 & 15) << i % 2 * 4; });
}

/// The element of the scales that belongs to element `i` of the stored weights.
std::int64_t scale_of(const Node& dequantize, std::int64_t i) {
  const Extents stored = static_extents(dequantize.operand(0)->type.shape), scales = static_extents(dequantize.operand(1)->type.shape);
  const auto axis = static_cast<std::size_t>(dequantize.integer("axis"));
  const std::int64_t block = dequantize.integer("block_size");
  std::int64_t element = 0, stride = 1;
  for (std::size_t d = stored.size(); d-- > 0; i /= stored[d]) {
    if (block == 0 && d == axis) return i % stored[d];
    if (block == 0) continue;
    element += (d == axis ? i % stored[d] / block : i % stored[d]) * stride;
    stride *= scales[d];
  }
  return element;
}

/// [group][panel][r, s, c / block][16 columns], columns beyond the last as 0.
template <typename T>
void pack_scales(const Tensor& scales, const Source& source, const Int4Weights& weights, T* to) {
  const auto from = scales.span<T>();
  for (std::int64_t group = 0; group < source.groups; ++group) {
    for (std::int64_t first = 0; first < source.columns; first += kPanelColumns) {
      for (std::int64_t tap = 0; tap < source.steps; tap += source.channels) {
        for (std::int64_t c = 0; c < source.channels; c += weights.block, to += kPanelColumns) {
          for (std::int64_t n = first; n < std::min(first + kPanelColumns, source.columns); ++n) {
            to[n - first] = from[static_cast<std::size_t>(scale_of(*weights.dequantize, source.offset(group, n, tap + c)))];
          }
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
  const Source source = source_of(root, strides(root.operand(1)->type));
  const auto spec = describe_contraction(kernel_node);
  internal_check(spec, "a contraction without tiles reads packed weights");
  const StepFormat format = choose_step_format(*spec, dot);
  Tensor packed(weight.dtype(), {source.panels() * format.steps.value() * kPanelColumns});
  switch (dtype_bits(weight.dtype())) {
    case 8: pack<std::uint8_t>(weight, source, format, packed); break;
    case 16: pack<std::uint16_t>(weight, source, format, packed); break;
    case 32: pack<std::uint32_t>(weight, source, format, packed); break;
    case 64: pack<std::uint64_t>(weight, source, format, packed); break;
    default: internal_check(false, "weights of {} are not packed", dtype_name(weight.dtype()));
  }
  return packed;
}

Tensor pack_int4_panels(const Node& kernel_node, const Contraction& spec) {
  const Node& root = *region_root(*kernel_node.region());
  const auto weights = find_int4_weights(root);
  internal_check(weights, "a kernel unpacks weights of 4 bits that are none");
  const Source source = source_of(root, weights->view.strides);
  const Tensor& scales = kernel_node.operand(spec.scales)->constant();
  const std::int64_t word_bytes = source.panels() * int4_words(spec) * kPanelColumns * 4;
  const std::int64_t scale_bytes = source.panels() * int4_scales(spec) * kPanelColumns * dtype_bits(scales.dtype()) / 8;
  Tensor packed(DType::u8, {word_bytes + scale_bytes});
  const auto bytes = packed.mutable_span<std::uint8_t>();
  pack_int4(kernel_node.operand(spec.constant_b)->constant(), source, choose_step_format(spec, {}), bytes);
  std::uint8_t* to = bytes.data() + word_bytes;
  switch (dtype_bits(scales.dtype())) {
    case 16: pack_scales(scales, source, *weights, reinterpret_cast<std::uint16_t*>(to)); break;
    case 32: pack_scales(scales, source, *weights, reinterpret_cast<std::uint32_t*>(to)); break;
    default: internal_check(false, "scales of {} are not packed", dtype_name(scales.dtype()));
  }
  return packed;
}

}  // namespace intaglio::cpu
