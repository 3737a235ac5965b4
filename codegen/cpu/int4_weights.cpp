// See int4_weights.h.
#include "codegen/cpu/int4_weights.h"

namespace intaglio::cpu {
namespace {

/// How many channels share a scale, of `channels` that are `stride` apart in the stored weights; nothing where that is no whole number of words.
std::optional<std::int64_t> channels_of_scale(const Node& dequantize, std::int64_t channels, const Dim& stride) {
  const Type& stored = dequantize.operand(0)->type;
  const std::int64_t block = dequantize.integer("block_size");
  const auto axis = static_cast<std::size_t>(dequantize.integer("axis"));
  if (channels == 1) return channels;
  const bool is_along_channels = strides(stored)[axis] == stride && stored.shape[axis] == Dim(channels);
  // Each output channel has one; or each channel, or each index of what is no axis of blocks.
  if (block == 0 && !is_along_channels) return strides(stored)[axis] == stride ? std::nullopt : std::optional(channels);
  if (block == 0 || !is_along_channels) return std::nullopt;
  if (block >= channels) return channels;
  return block % kInt4Word == 0 ? std::optional(block) : std::nullopt;
}

}  // namespace

std::optional<Int4Weights> find_int4_weights(const Node& contraction) {
  const Value& operand = *contraction.operand(1);
  Int4Weights weights{nullptr, strided_view(operand)};
  weights.dequantize = weights.view.base->producer("dequantize");
  if (!weights.dequantize || weights.dequantize->operand(2) || weights.view.offset != Dim(0)) return std::nullopt;
  const Type &stored = weights.dequantize->operand(0)->type, &scales = weights.dequantize->operand(1)->type;
  if (stored.dtype != DType::i4 || element_count(scales.shape) == Dim(1)) return std::nullopt;
  for (const Type* type : {&stored, &scales, &weights.view.base->type}) {
    if (!type->is_row_major() || !is_static(type->shape)) return std::nullopt;
  }

  const Shape& shape = operand.type.shape;
  const std::size_t channel_axis = contraction.is("conv") ? 1 : shape.size() - 2;
  // A stack of matrices, each with columns of its own.
  for (std::size_t d = 0; contraction.is("matmul") && d < channel_axis; ++d) {
    if (shape[d] != Dim(1)) return std::nullopt;
  }
  const auto block = channels_of_scale(*weights.dequantize, shape[channel_axis].value(), weights.view.strides[channel_axis]);
  if (!block) return std::nullopt;
  weights.block = *block;
  return weights;
}

}  // namespace intaglio::cpu
