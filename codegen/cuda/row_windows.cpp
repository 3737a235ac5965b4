// See row_windows.h.

#include "codegen/cuda/row_windows.h"

#include "codegen/cuda/tile_copy.h"
#include "codegen/cuda/wgmma_operands.h"

namespace intaglio::cuda {

using kernel::Expr;

std::optional<Contraction> with_rows_as_channels(const Contraction& spec) {
  const Expr load = stored_element(spec.a);
  const auto channels = spec.c.extent.constant(), taps = spec.s.extent.constant();
  if (spec.padded || spec.constant_b < 0 || spec.group_axis >= 0 || load->kind != kernel::ExprKind::load || !channels || !taps || *taps == 1 || spec.dilation_x != 1) return std::nullopt;
  const std::int64_t row_bytes = *channels * *taps * dtype_bits(load->dtype) / 8, step_bytes = *channels * spec.stride_x * dtype_bits(load->dtype) / 8;
  if (row_bytes > kLineBytes || row_bytes % kWordBytes != 0 || step_bytes % kWordBytes != 0) return std::nullopt;
  const auto along_c = kernel::linear_in(load->args[0], spec.c.var), along_x = kernel::linear_in(load->args[0], spec.a_x);
  if (!along_c || kernel::constant_value(along_c->stride) != 1 || !along_x || kernel::constant_value(along_x->stride) != *channels) return std::nullopt;
  Contraction merged = spec;
  merged.a = kernel::substitute(spec.a, spec.a_x, kernel::binary(kernel::Op::mul, kernel::var(spec.a_x), kernel::index_constant(spec.stride_x)));
  merged.c.extent = *channels * *taps;
  merged.s.extent = 1;
  merged.stride_x = 1;
  merged.input_width = spec.x.extent;
  return merged;
}

}  // namespace intaglio::cuda
