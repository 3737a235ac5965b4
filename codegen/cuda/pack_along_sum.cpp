// See pack_along_sum.h.

#include "codegen/cuda/pack_along_sum.h"

#include <cstring>

#include "codegen/cuda/tile_copy.h"
#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

/// A tensor of weights as groups of columns of elements: how far apart they are in it.
struct Weights {
  std::int64_t groups, columns, taps, channels;
  std::int64_t group_stride, column_stride, tap_stride, channel_stride;
};

Weights describe(const Node& root, const Tensor& weight) {
  const Extents& shape = weight.shape();
  if (root.is("matmul")) return {1, shape.back(), 1, shape[shape.size() - 2], 0, 1, 0, shape.back()};
  std::int64_t taps = 1;
  for (std::size_t i = 2; i < shape.size(); ++i) taps *= shape[i];
  const std::int64_t groups = root.integer("group"), columns = shape[0] / groups, channels = shape[1];
  return {groups, columns, taps, channels, columns * channels * taps, channels * taps, 1, taps};
}

std::int64_t line_elements(std::int64_t elements, DType dtype) {
  const std::int64_t multiple = kPackedLineBytes * 8 / dtype_bits(dtype);
  return (elements + multiple - 1) / multiple * multiple;
}

}  // namespace

Dim packed_line(const Contraction& spec, DType dtype) { return line_elements(spec.reduction_extent().value(), dtype); }

Tensor pack_along_sum(const Node& kernel_node) {
  const Node& root = *region_root(*kernel_node.region());
  const Tensor& weight = kernel_node.operand(root.operand(1)->index())->constant();
  internal_check(root.operand(1)->type.is_row_major(), "packed weights are row-major");
  const Weights from = describe(root, weight);
  const auto element = static_cast<std::size_t>(dtype_bits(weight.dtype()) / 8);
  const std::int64_t line = line_elements(from.taps * from.channels, weight.dtype());
  Tensor packed(weight.dtype(), {from.groups * from.columns * line});
  const auto* source = static_cast<const char*>(weight.data());
  auto* to = static_cast<char*>(packed.mutable_data());
  for (std::int64_t group = 0; group < from.groups; ++group) {
    for (std::int64_t n = 0; n < from.columns; ++n, to += static_cast<std::size_t>(line) * element) {
      char* at = to;
      for (std::int64_t tap = 0; tap < from.taps; ++tap) {
        for (std::int64_t c = 0; c < from.channels; ++c, at += element) {
          const std::int64_t offset = group * from.group_stride + n * from.column_stride + tap * from.tap_stride + c * from.channel_stride;
          std::memcpy(at, source + static_cast<std::size_t>(offset) * element, element);
        }
      }
    }
  }
  return packed;
}

Contraction with_packed_lines(Contraction spec) {
  using kernel::Expr;
  const auto add = [](const Expr& a, const Expr& b) { return kernel::binary(kernel::Op::add, a, b); };
  const auto times = [](const Expr& a, const Dim& b) { return kernel::binary(kernel::Op::mul, a, kernel::from_dim(b)); };
  kernel::Buffer& buffer = spec.buffers[static_cast<std::size_t>(spec.constant_b)];
  const Dim line = packed_line(spec, buffer.dtype);
  Expr column = kernel::var(spec.n.var);
  Dim groups = 1;
  if (spec.group_axis >= 0) {
    const Axis& group = spec.batch[static_cast<std::size_t>(spec.group_axis)];
    column = add(times(kernel::var(group.var), spec.n.extent), column);
    groups = group.extent;
  }
  buffer.elements = groups * spec.n.extent * line;
  spec.b = kernel::load(spec.constant_b, buffer.dtype, add(times(column, line), kernel::var(spec.c.var)));
  spec.r.extent = spec.s.extent = 1;
  spec.c.extent = line;
  return spec;
}

}  // namespace intaglio::cuda
