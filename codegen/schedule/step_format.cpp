// See step_format.h.
#include "codegen/schedule/step_format.h"

namespace intaglio {
namespace {

StepFormat one_by_one(const Contraction& spec) {
  return {spec.compute, spec.constant_b >= 0 ? spec.buffers[static_cast<std::size_t>(spec.constant_b)].dtype : spec.compute};
}

StepFormat lanes_of(const Contraction& spec, const DotTraits& traits) {
  const kernel::ExprNode* a = load_behind_casts(spec.a);
  if (spec.constant_b < 0 || !a || !spec.reduction_extent().is_constant()) return one_by_one(spec);
  const DType b = spec.buffers[static_cast<std::size_t>(spec.constant_b)].dtype;
  if (spec.compute == DType::i32 && b == DType::i8) {
    if (traits.bytes && a->dtype == DType::u8) return {DType::u8, DType::i8, 4};
    // 8-bit integers of any signs, widened: pairs of their products are exact in i32.
    if (traits.pairs && (a->dtype == DType::u8 || a->dtype == DType::i8)) return {DType::i16, DType::i8, 2};
  }
  if (traits.bf16 && spec.compute == DType::f32 && a->dtype == DType::bf16 && b == DType::bf16) return {DType::bf16, DType::bf16, 2};
  return one_by_one(spec);
}

}  // namespace

const kernel::ExprNode* load_behind_casts(const kernel::Expr& e) {
  const kernel::ExprNode* node = e.get();
  while (node->kind == kernel::ExprKind::cast) node = node->args[0].get();
  return node->kind == kernel::ExprKind::load ? node : nullptr;
}

StepFormat choose_step_format(const Contraction& spec, const DotTraits& traits) {
  StepFormat format = lanes_of(spec, traits);
  format.steps = spec.reduction_extent();
  if (format.steps_of_word() == 1) return format;
  const std::int64_t channels = spec.c.extent.value(), taps = spec.s.extent.value();
  // A few channels, as in an image: taps of one row that lie side by side fill the groups better. What follows a run is then multiplied by zeros, which
  // makes nothing of integers but NaN of infinities.
  const bool joins_taps = channels % format.group != 0 && spec.dilation_x == 1 && is_integer(format.a);
  format.run = joins_taps ? taps * channels : channels;
  format.steps = spec.reduction_extent().value() / format.run * format.padded(format.run);
  return format;
}

}  // namespace intaglio
