// Chooses the generator of each kernel.

#include "codegen/cpu/backend.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "codegen/cpu/dense.h"
#include "codegen/cpu/depthwise.h"
#include "codegen/cpu/int4_weights.h"
#include "codegen/schedule/attention.h"
#include "codegen/schedule/contraction.h"
#include "codegen/schedule/loops.h"
#include "codegen/schedule/pull.h"
#include "intaglio/artifact.h"
#include "ir/op.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

/// Up to so many rows the weights of 4 bits are read faster than floats are multiplied.
constexpr std::int64_t kMostInt4Rows = 16;

EmitOptions emit_options(const CpuTarget& target, const CodegenOptions& options) { return {target.vector_bytes, target.has("f16c"), options.checked}; }

DotTraits dot_traits(const CpuTarget& target) {
  const bool wide = target.vector_bytes == 64;
  return {.pairs = true, .bytes = wide ? target.has("avx512vnni") : target.has("avxvnni"), .bf16 = wide && target.has("avx512bf16")};
}

std::string function_name(const std::string& base, const std::string& text) {
  return fmt::format("{}_{:016x}", base, XXH64(text.data(), text.size(), 0));
}

KernelPlan plan_loops(kernel::Kernel kernel, std::string kind, const EmitOptions& options) {
  KernelPlan plan;
  plan.kind = std::move(kind);
  plan.text = to_text(kernel);
  plan.name = kernel.name = function_name(kernel.name, plan.text);
  plan.symbols = kernel.symbols;
  plan.tasks = kernel.tasks;
  plan.emit = [kernel = std::move(kernel), options](llvm::Module& module) { emit_kernel(module, kernel, options); };
  return plan;
}

/// The contraction of a kernel, with constant weights of 4 bits to be unpacked from panels if there are some.
std::optional<Contraction> describe(const Node& kernel_node) {
  auto spec = describe_contraction(kernel_node);
  if (!spec || spec->kind != Contraction::Kind::dense || spec->compute != DType::f32) return spec;
  const auto weights = find_int4_weights(*region_root(*kernel_node.region()));
  if (!weights) return spec;
  const Value &stored = *weights->dequantize->operand(0), &scales = *weights->dequantize->operand(1);
  // What else reads them would find panels.
  if (stored.uses().size() > 1 || scales.uses().size() > 1) return spec;
  if (stored.producer() || scales.producer() || !kernel_node.operand(stored.index())->is_constant() || !kernel_node.operand(scales.index())->is_constant()) return spec;
  spec->constant_b = stored.index();
  spec->scales = scales.index();
  spec->scale_block = weights->block;
  return spec;
}

}  // namespace

KernelChoice CpuBackend::plan_kernel(const Node& kernel_node) const {
  const EmitOptions emission = emit_options(target_, options_);
  const Node* root = region_root(*kernel_node.region());
  if (!root || root->op().op_class != OpClass::contraction) {
    const std::string kind = root ? std::string(root->op_name()) : "elementwise";
    return plan_loops(lower_to_loops(kernel_node, {}), kind, emission);
  }
  const std::string kind(root->op_name());
  if (root->is("attention")) return plan_loops(lower_naive_attention(describe_attention(kernel_node)), kind, emission);
  KernelPlan plan;
  std::optional<Contraction> spec;
  if (options_.optimization_level > 0 && !options_.disabled_tactics.contains("tiled")) spec = describe(kernel_node);
  const TileTraits traits{target_.vector_bytes, target_.vector_registers, target_.l2_bytes, dot_traits(target_)};
  if (spec && spec->kind == Contraction::Kind::dense) {
    if (const auto dense = plan_dense(*spec, traits)) {
      plan.kind = kind;
      plan.text = fmt::format("dense, {} by {} in groups of {}: {}", dtype_name(dense->format.a), dtype_name(dense->format.b), dense->format.group, to_text(*spec));
      plan.name = spec->name = function_name(spec->name, plan.text);
      plan.symbols = spec->symbols;
      plan.tasks = dense->tasks;
      plan.scratch_bytes = dense->scratch_bytes;
      plan.packed_operand = spec->constant_b;
      plan.packed_with = spec->scales;
      plan.emit = [spec = *spec, dense = *dense, emission](llvm::Module& module) { emit_dense(module, spec, dense, emission); };
    }
  }
  if (spec && spec->kind == Contraction::Kind::depthwise && !options_.disabled_tactics.contains("depthwise")) {
    if (const auto depthwise = plan_depthwise(*spec, target_.vector_registers)) {
      plan.kind = "depthwise";
      plan.text = to_text(*spec);
      plan.name = spec->name = function_name(spec->name, plan.text);
      plan.symbols = spec->symbols;
      plan.tasks = depthwise->tasks;
      plan.packed_operand = spec->constant_b;
      plan.emit = [spec = *spec, depthwise = *depthwise, emission](llvm::Module& module) { emit_depthwise(module, spec, depthwise, emission); };
    }
  }
  if (!plan.emit) plan = plan_loops(lower_naive_contraction(kernel_node), kind, emission);
  plan.flops = contraction_flops(*root);
  return plan;
}

Tensor CpuBackend::pack_weights(const Node& kernel_node) const {
  const auto spec = describe(kernel_node);
  return spec && spec->scales >= 0 ? pack_int4_panels(kernel_node, *spec) : pack_panels(kernel_node, dot_traits(target_));
}

nlohmann::ordered_json CpuBackend::requirements() const { return {{"target", "cpu"}, {"cpu", target_.name}, {"features", target_.features}}; }

TargetTraits CpuBackend::traits() const { return {.int4_rows = options_.disabled_tactics.contains("tiled") ? 0 : kMostInt4Rows, .int4_unknown_rows = true}; }

std::string CpuBackend::code_name() const { return INTAGLIO_CPU_CODE_NAME; }

}  // namespace intaglio::cpu
