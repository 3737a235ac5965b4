// See attention_emitter.h.

#include "codegen/cuda/attention_emitter.h"

#include "codegen/schedule/lanes.h"
#include "support/diagnostics.h"

namespace intaglio::cuda {

using kernel::ExprKind;

AttentionEmitter::AttentionEmitter(const Attention& spec, const AttentionOptions& options)
    : spec_(spec), options_(options), source_(spec.buffers, spec.symbols, fits_narrow_index(spec.buffers, spec.symbols), options.checked) {}

void AttentionEmitter::unrolled(const std::string& loop) {
  source_.line("#pragma unroll");
  source_.open(loop);
}

void AttentionEmitter::close(int count) {
  for (int i = 0; i < count; ++i) source_.close();
}

void AttentionEmitter::begin(int query_tile) {
  if (options_.overlaps) source_.line("ptx::allow_next_kernel(), ptx::wait_for_previous_kernel();");
  source_.line(index(fmt::format("query_tiles = ({} + {}) / {};", extent(spec_.s.extent), query_tile - 1, query_tile)));
  source_.line(index(fmt::format("first_query = blockIdx.x % query_tiles * {};", query_tile)));
  if (spec_.batch.empty()) return;
  source_.line(fmt::format("{} task = blockIdx.x / query_tiles;", source_.index_type()));
  for (auto axis = spec_.batch.rbegin(); axis != spec_.batch.rend(); ++axis) {
    source_.line(index(fmt::format("{} = task % {};", name(*axis), extent(axis->extent))));
    source_.line(fmt::format("task /= {};", extent(axis->extent)));
  }
}

Dim AttentionEmitter::blocks(int query_tile) const {
  Dim count = Dim::ceildiv(spec_.s.extent, query_tile);
  for (const Axis& axis : spec_.batch) count = count * axis.extent;
  return count;
}

const kernel::ExprNode* AttentionEmitter::load_in_groups(const kernel::Expr& operand, const Axis& column, std::int64_t count) const {
  // A wide access does not check its index.
  if (options_.checked || column.extent.value() % count != 0) return nullptr;
  const kernel::ExprNode* element = operand.get();
  if (element->kind == ExprKind::cast) element = element->args[0].get();
  if (element->kind != ExprKind::load || element->dtype != spec_.storage) return nullptr;
  const auto along = kernel::linear_in(element->args[0], column.var);
  if (!along || kernel::constant_value(along->stride) != 1 || known_divisor(along->rest, {}) % count != 0) return nullptr;
  return element;
}

void AttentionEmitter::store(const std::string& value) {
  source_.line(fmt::format("const float t{} = {};", spec_.accumulator, value));
  source_.store(static_cast<int>(spec_.buffers.size()) - 1, spec_.offset, source_.value(spec_.result));
}

std::string float_text(double value) {
  std::string text = fmt::format("{}", static_cast<float>(value));
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return value < 0 ? "(" + text + "f)" : text + "f";
}

bool has_attention_kernel(const Attention& spec) {
  const auto fits = [](const Axis& axis) { return axis.extent.is_constant() && axis.extent.value() >= 1 && axis.extent.value() <= kMostAttentionColumns; };
  const bool has_dtype = spec.storage == DType::f32 || spec.storage == DType::f16 || spec.storage == DType::bf16;
  return has_dtype && fits(spec.d) && fits(spec.e);
}

}  // namespace intaglio::cuda
