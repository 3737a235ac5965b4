// See int4_weights.h.

#include "codegen/cuda/int4_weights.h"

#include <cstring>

#include "support/elements.h"

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::ExprKind;

Expr without_casts(Expr e) {
  while (e->kind == ExprKind::cast) e = e->args[0];
  return e;
}

bool is_load_of_constant(const Expr& e, const Node& kernel_node) { return e->kind == ExprKind::load && kernel_node.operand(e->buffer)->is_constant(); }

bool reads(const Expr& e, int buffer) {
  bool found = false;
  kernel::visit(e, [&](const kernel::ExprNode& node) { found |= node.kind == ExprKind::load && node.buffer == buffer; });
  return found;
}

/// Takes the term of `var` out of `offset` and gives its stride; nothing if that is no constant.
std::optional<std::int64_t> take_stride(Expr& offset, const Axis& axis) {
  const auto along = kernel::linear_in(offset, axis.var);
  if (!along) return std::nullopt;
  offset = along->rest;
  return kernel::constant_value(along->stride);
}

std::optional<Int4Weights::Strides> take_strides(Expr& offset, const Contraction& spec) {
  const auto column = take_stride(offset, spec.n), y = take_stride(offset, spec.r), x = take_stride(offset, spec.s);
  if (!column || !y || !x) return std::nullopt;
  return Int4Weights::Strides{*column, *y, *x};
}

/// `offset`, which depends on the channel alone, for the first channel of each block; nothing if it changes within one.
std::optional<std::vector<std::int64_t>> offsets_of_blocks(const Expr& offset, const Axis& c, std::int64_t channels) {
  std::vector<std::int64_t> offsets;
  for (std::int64_t channel = 0; channel < channels; ++channel) {
    const auto at = kernel::constant_value(kernel::substitute(offset, c.var, kernel::index_constant(channel)));
    if (!at) return std::nullopt;
    if (channel % kInt4Block == 0) offsets.push_back(*at);
    if (*at != offsets.back()) return std::nullopt;
  }
  return offsets;
}

/// Where in a unit an integer is: which half of which byte.
struct Place {
  std::int64_t byte;
  bool upper;
};

/// Each 16 steps of a column are eight of the 4-bit parts of a lane's word. A lane of mma has columns lane / 4 and the one 8 after it. Of 16-bit floats it has
/// two neighbouring steps of them, and the same 8 steps later, registers 0 to 3: their first steps are the lower four parts, their second ones the upper four.
/// Of tf32 it has one step, the one 4 later, and the same of the next product.
Place place_in_unit(std::int64_t column, std::int64_t step, bool is_tf32) {
  const std::int64_t matrix = step / 16, lane = column % 8 * 4 + (is_tf32 ? step % 4 : step % 8 / 2);
  const std::int64_t part = column / 8 + (is_tf32 ? step % 8 / 4 * 2 + step % 16 / 8 * 4 : step % 16 / 8 * 2 + step % 2 * 4);
  return {lane * kInt4LaneBytes + matrix * 4 + part / 2, part % 2 == 1};
}

}  // namespace

std::optional<Int4Weights> find_int4_weights(const Node& kernel_node, const Contraction& spec) {
  const Expr product = without_casts(spec.b);
  if (product->kind != ExprKind::binary || product->op != kernel::Op::mul || spec.group_axis >= 0) return std::nullopt;
  Expr integer = without_casts(product->args[0]), scale = without_casts(product->args[1]);
  if (integer->dtype != DType::i4) std::swap(integer, scale);
  if (integer->dtype != DType::i4 || !is_load_of_constant(integer, kernel_node) || !is_load_of_constant(scale, kernel_node)) return std::nullopt;
  // Its buffer will hold something else.
  if (reads(spec.result, integer->buffer) || reads(spec.result, scale->buffer)) return std::nullopt;
  Int4Weights weights{integer->buffer, scale->buffer, scale->dtype, spec.n.extent.value(), spec.r.extent.value(), spec.s.extent.value(), spec.c.extent.value(), {}, {}, 0, {}};
  // A block of the sum is then one of channels, too.
  if (weights.taps_y * weights.taps_x > 1 && weights.channels % kInt4Block != 0) return std::nullopt;
  Expr integer_at = integer->args[0], scale_at = scale->args[0];
  const auto integer_strides = take_strides(integer_at, spec), scale_strides = take_strides(scale_at, spec);
  const auto channel_stride = take_stride(integer_at, spec.c);
  if (!integer_strides || !scale_strides || !channel_stride || !kernel::is_zero(integer_at)) return std::nullopt;
  auto blocks = offsets_of_blocks(scale_at, spec.c, weights.channels);
  if (!blocks) return std::nullopt;
  weights.integer_strides = *integer_strides;
  weights.scale_strides = *scale_strides;
  weights.channel_stride = *channel_stride;
  weights.scale_of_block = std::move(*blocks);
  return weights;
}

Tensor pack_int4_weights(const Node& kernel_node, const Int4Weights& weights) {
  const Tensor& integers = kernel_node.operand(weights.integers)->constant();
  const Tensor& scales = kernel_node.operand(weights.scales)->constant();
  Tensor packed(DType::u8, {weights.packed_bytes()});
  auto* to = static_cast<std::uint8_t*>(packed.mutable_data());
  const std::int64_t scale_bytes = dtype_bits(weights.dtype) / 8;
  const auto at = [](const Int4Weights::Strides& strides, std::int64_t column, std::int64_t y, std::int64_t x) {
    return column * strides.column + y * strides.tap_y + x * strides.tap_x;
  };
  for (std::int64_t column = 0; column < weights.columns; ++column) {
    for (std::int64_t k = 0; k < weights.depth(); ++k) {
      const std::int64_t channel = k % weights.channels, x = k / weights.channels % weights.taps_x, y = k / weights.channels / weights.taps_x;
      std::uint8_t* unit = to + (column / kInt4Columns * weights.depth_units() + k / kInt4Steps) * int4_unit_bytes(weights.dtype);
      const std::int64_t in_unit = column % kInt4Columns, step = k % kInt4Steps;
      // Plus 8, so that they are bits of a float's mantissa.
      const auto stored = static_cast<unsigned>(get_integer(integers, at(weights.integer_strides, column, y, x) + channel * weights.channel_stride) + 8);
      const auto [byte, upper] = place_in_unit(in_unit, step, weights.dtype == DType::f32);
      unit[byte] = static_cast<std::uint8_t>(unit[byte] | stored << (upper ? 4 : 0));
      if (k % kInt4Block != 0) continue;
      const std::int64_t scale = at(weights.scale_strides, column, y, x) + weights.scale_of_block[static_cast<std::size_t>(channel / kInt4Block)];
      const std::int64_t to_scale = in_unit % 8 * (kInt4Scales / 8) + step / kInt4Block * 2 + in_unit / 8;
      std::memcpy(unit + kInt4ScalesAt + to_scale * scale_bytes, static_cast<const char*>(scales.data()) + scale * scale_bytes, static_cast<std::size_t>(scale_bytes));
    }
  }
  return packed;
}

}  // namespace intaglio::cuda
