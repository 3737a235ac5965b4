// Chooses the generator of each kernel and compiles the sources.

#include "codegen/cuda/backend.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "codegen/cpu/backend.h"
#include "codegen/cuda/attention.h"
#include "codegen/cuda/compile_cache.h"
#include "codegen/cuda/cublaslt.h"
#include "codegen/cuda/depthwise.h"
#include "codegen/cuda/int4_mma.h"
#include "codegen/cuda/loops.h"
#include "codegen/cuda/mma.h"
#include "codegen/cuda/pack_along_sum.h"
#include "codegen/cuda/prelude.h"
#include "codegen/cuda/row_windows.h"
#include "codegen/cuda/simt.h"
#include "codegen/cuda/wgmma.h"
#include "codegen/schedule/loops.h"
#include "codegen/schedule/pull.h"
#include "intaglio/artifact.h"
#include "ir/op.h"
#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

/// Of a convolution: a pixel of so many is one asynchronous copy, of 8 bytes where elements have 16 bits.
constexpr std::int64_t kLeastChannels = 4;

/// Up to so many rows a product is mostly the reading of its weights, and those of 4 bits are kept as they are.
constexpr std::int64_t kMostInt4Rows = 64;

/// Blocks are many and small: a GPU runs some thousand at once.
constexpr LoopTraits kLoopTraits{.task_elements = 1024, .most_tasks = 1 << 20, .keeps_short_loops = true};

std::string function_name(const std::string& base, const std::string& text) { return fmt::format("{}_{:016x}", base, XXH64(text.data(), text.size(), 0)); }

void take(KernelPlan& plan, CudaKernel kernel) {
  plan.source = std::move(kernel.source);
  plan.block_threads = kernel.block_threads;
}

/// What is the same for all plans of `described`, a kernel or what one is made of: both get a name that is unique to `text`, which says all that the code
/// follows from.
template <typename Described>
KernelPlan named_plan(Described& described, std::string kind, const std::string& base, std::string text) {
  KernelPlan plan;
  plan.kind = std::move(kind);
  plan.text = std::move(text);
  plan.name = described.name = function_name(base, plan.text);
  plan.symbols = described.symbols;
  return plan;
}

KernelPlan plan_loops(kernel::Kernel kernel, std::string kind, bool checked, bool overlaps) {
  KernelPlan plan = named_plan(kernel, std::move(kind), kernel.name, to_text(kernel));
  LoopKernel loops = emit_loops(kernel, checked);
  plan.tasks = loops.blocks;
  plan.overlaps = overlaps;
  take(plan, std::move(loops.kernel));
  return plan;
}

KernelPlan plan_simt(Contraction spec, std::string kind, bool checked) {
  KernelPlan plan = named_plan(spec, std::move(kind), spec.name, "simt " + to_text(spec));
  plan.packed_operand = spec.constant_b;
  SimtKernel simt = emit_simt(spec, checked);
  plan.tasks = simt.blocks;
  take(plan, std::move(simt.kernel));
  return plan;
}

KernelPlan plan_mma(Contraction spec, const MmaType& type, const MmaTile& tile, std::string kind, const MmaOptions& options) {
  const std::string text = fmt::format("mma {}x{}x{}/{} {} {}", tile.rows, tile.columns, tile.step_bytes, tile.parts, options.hopper, to_text(spec));
  KernelPlan plan = named_plan(spec, std::move(kind), fmt::format("{}_mma_{}x{}", spec.name, tile.rows, tile.columns), text);
  plan.packed_operand = spec.constant_b;
  plan.multiplies = type.rounds() ? "tf32" : dtype_name(type.a);
  MmaKernel mma = emit_mma(spec, type, tile, options);
  plan.tasks = mma.blocks;
  plan.shared_bytes = mma.shared_bytes;
  plan.overlaps = options.hopper;
  take(plan, std::move(mma.kernel));
  return plan;
}

KernelPlan plan_int4(Contraction spec, const Int4Weights& weights, const Int4Tile& tile, std::string kind, const MmaOptions& options) {
  const std::string split = tile.parts > 1 ? fmt::format("_k{}", tile.parts) : "";
  const std::string tactic = fmt::format("{}x{}x{}_s{}{}_mma_int4", tile.rows, tile.columns(), tile.step(), tile.stages, split);
  KernelPlan plan = named_plan(spec, std::move(kind), fmt::format("{}_{}", spec.name, tactic), fmt::format("{} {} {} {}", tactic, tile.units, options.hopper, to_text(spec)));
  plan.packed_operand = weights.integers;
  plan.packed_with = weights.scales;
  plan.multiplies = weights.dtype == DType::f32 ? "tf32" : dtype_name(weights.dtype);
  MmaKernel mma = emit_int4_mma(spec, weights, tile, options);
  plan.tasks = mma.blocks;
  plan.shared_bytes = mma.shared_bytes;
  plan.overlaps = options.hopper;
  take(plan, std::move(mma.kernel));
  return plan;
}

KernelPlan plan_wgmma(Contraction spec, const TileRows& rows, const WgmmaOperands& operands, const WgmmaTile& tile, std::string kind) {
  const std::string split = tile.split > 1 ? fmt::format("_k{}", tile.split) : "";
  const std::string tactic = fmt::format("{}x{}x{}_s{}{}_wgmma_sm90a", tile.rows, tile.columns, operands.line_elements(), tile.stages, split);
  KernelPlan plan = named_plan(spec, std::move(kind), fmt::format("{}_{}", spec.name, tactic), tactic + " " + to_text(spec));
  plan.packed_operand = spec.constant_b;
  plan.multiplies = dtype_name(operands.a.map.dtype);
  WgmmaKernel wgmma = emit_wgmma(spec, rows, operands, tile);
  plan.tasks = wgmma.blocks;
  plan.shared_bytes = tile.shared_bytes();
  plan.overlaps = true;
  plan.tensor_maps = std::move(wgmma.maps);
  take(plan, std::move(wgmma.kernel));
  return plan;
}

/// A plan for each of the tiles.
template <typename Tile, typename PlanTile>
KernelChoice choice_of(const Contraction& spec, const std::vector<SizedTile<Tile>>& tiles, const PlanTile& plan_tile) {
  KernelChoice choice;
  choice.size = spec.multiplications();
  for (const auto& [tile, up_to] : tiles) choice.alternatives.push_back({plan_tile(tile), up_to});
  return choice;
}

KernelChoice choose_mma(const Contraction& spec, const MmaType& type, const std::string& kind, const MmaOptions& options) {
  return choice_of(spec, choose_mma_tiles(spec, type, options), [&](const auto& tile) { return plan_mma(spec, type, tile, kind, options); });
}

KernelChoice choose_int4(const Contraction& spec, const Int4Weights& weights, const std::string& kind, const MmaOptions& options) {
  return choice_of(spec, choose_int4_tiles(spec, weights, options), [&](const auto& tile) { return plan_int4(spec, weights, tile, kind, options); });
}

KernelChoice choose_wgmma(const Contraction& spec, const WgmmaOperands& operands, const std::string& kind, const std::optional<TileChoice>& given) {
  const TileRows rows(spec);
  if (given) return plan_wgmma(spec, rows, operands, {given->rows, given->columns, given->stages, given->split, operands.line_bytes}, kind);
  return choice_of(spec, choose_wgmma_tiles(spec, rows, operands), [&](const auto& tile) { return plan_wgmma(spec, rows, operands, tile, kind); });
}

KernelPlan plan_depthwise_kernel(Contraction spec, const DepthwisePlan& tile, std::string kind, bool checked, bool overlaps) {
  const std::string tactic = fmt::format("depthwise_{}x{}", tile.positions, tile.channels);
  KernelPlan plan = named_plan(spec, std::move(kind), fmt::format("{}_{}", spec.name, tactic), tactic + " " + to_text(spec));
  plan.packed_operand = spec.constant_b;
  DepthwiseKernel kernel = emit_depthwise(spec, tile, checked);
  plan.tasks = kernel.blocks;
  plan.overlaps = overlaps;
  take(plan, std::move(kernel.kernel));
  return plan;
}

/// How a contraction is computed.
struct Tactic {
  std::optional<Contraction> spec;  ///< nothing: as loops
  std::optional<DepthwisePlan> depthwise;
  std::optional<Int4Weights> int4;     ///< with weights unpacked in registers
  std::optional<WgmmaOperands> wgmma;  ///< by TMA and wgmma
  const MmaType* mma = nullptr;        ///< else by mma.sync; null: on the plain arithmetic units
  std::optional<LibraryProduct> product;  ///< by cuBLASLt where it is at hand
};

MmaOptions mma_options(const CudaTarget& target, const CodegenOptions& options) { return {options.tf32, !target.is_ptx(), options.checked}; }

Tactic choose_tactic(const Node& kernel_node, const CudaTarget& target, const CodegenOptions& options) {
  Tactic tactic;
  if (options.optimization_level == 0) return tactic;
  tactic.spec = describe_contraction(kernel_node);
  const bool is_dense = tactic.spec && tactic.spec->kind == Contraction::Kind::dense;
  if (!tactic.spec || options.disabled_tactics.contains(is_dense ? "tiled" : "depthwise")) return {};
  if (!is_dense) {
    tactic.depthwise = plan_depthwise(*tactic.spec);
    return tactic.depthwise ? tactic : Tactic{};
  }
  if (!options.disabled_tactics.contains("mma")) tactic.int4 = find_int4_weights(kernel_node, *tactic.spec);
  if (tactic.int4 && has_int4_kernel(*tactic.spec, *tactic.int4, mma_options(target, options))) return tactic;
  tactic.int4.reset();
  // What a library reads is not checked.
  if (options.enabled_tactics.contains("cublaslt") && !options.checked) tactic.product = find_library_product(*tactic.spec, TileRows(*tactic.spec), options.tf32);
  // The library wants weights as they are, and the kernel that stands in for it reads the same ones.
  if (tactic.product) tactic.spec->constant_b = -1;
  Contraction spec = with_rows_as_channels(*tactic.spec).value_or(*tactic.spec);
  // Indices of copies by TMA are not checked.
  if (!target.is_ptx() && !options.checked && !options.disabled_tactics.contains("wgmma")) tactic.wgmma = wgmma_operands(spec, TileRows(spec));
  if (!tactic.wgmma && !options.disabled_tactics.contains("mma")) tactic.mma = find_mma_type(spec, mma_options(target, options));
  if (tactic.wgmma || tactic.mma) tactic.spec = std::move(spec);
  return tactic;
}

KernelPlan plan_attention(const Node& root, Attention spec, const CudaTarget& target, const CodegenOptions& options) {
  const std::string kind(root.op_name());
  KernelPlan plan;
  if (options.optimization_level > 0 && has_attention_kernel(spec)) {
    plan = named_plan(spec, kind, spec.name, to_text(spec));
    plan.overlaps = !target.is_ptx();
    const AttentionOptions how{plan.overlaps, options.checked};
    AttentionKernel attention = spec.storage == DType::f32 ? emit_attention_simt(spec, how) : emit_attention_mma(spec, how);
    plan.tasks = attention.blocks;
    take(plan, std::move(attention.kernel));
  } else {
    plan = plan_loops(lower_naive_attention(spec), kind, options.checked, !target.is_ptx());
  }
  plan.flops = attention_flops(root);
  plan.multiplies = dtype_name(spec.storage);
  return plan;
}

}  // namespace

KernelChoice CudaBackend::plan_kernel(const Node& kernel_node) const {
  const Node* root = region_root(*kernel_node.region());
  const std::string kind = root ? std::string(root->op_name()) : "elementwise";
  if (!root || root->op().op_class != OpClass::contraction) return plan_loops(lower_to_loops(kernel_node, kLoopTraits), kind, options_.checked, !target_.is_ptx());
  if (root->is("attention")) return plan_attention(*root, describe_attention(kernel_node), target_, options_);
  Tactic tactic = choose_tactic(kernel_node, target_, options_);
  KernelChoice choice = tactic.int4        ? choose_int4(*tactic.spec, *tactic.int4, kind, mma_options(target_, options_))
                        : tactic.wgmma       ? choose_wgmma(*tactic.spec, *tactic.wgmma, kind, options_.wgmma_tile)
                        : tactic.mma       ? choose_mma(*tactic.spec, *tactic.mma, kind, mma_options(target_, options_))
                        : tactic.depthwise ? plan_depthwise_kernel(std::move(*tactic.spec), *tactic.depthwise, kind, options_.checked, !target_.is_ptx())
                        : tactic.spec      ? plan_simt(std::move(*tactic.spec), kind, options_.checked)
                                           : plan_loops(lower_naive_contraction(kernel_node), kind, options_.checked, !target_.is_ptx());
  for (auto& [plan, up_to] : choice.alternatives) {
    if (tactic.product) plan.text += to_text(*tactic.product);
    plan.product = tactic.product;
    plan.flops = contraction_flops(*root);
    if (plan.multiplies.empty()) plan.multiplies = dtype_name(root->operand(0)->type.dtype);
  }
  return choice;
}

Tensor CudaBackend::pack_weights(const Node& kernel_node) const {
  const Tactic tactic = choose_tactic(kernel_node, target_, options_);
  if (tactic.int4) return pack_int4_weights(kernel_node, *tactic.int4);
  return tactic.wgmma ? pack_for_wgmma(kernel_node) : tactic.mma ? pack_along_sum(kernel_node) : cpu::pack_panels(kernel_node, {});
}

nlohmann::ordered_json CudaBackend::requirements() const { return {{"target", "cuda"}, {"arch", target_.arch}, {"nvrtc", nvrtc_version()}}; }

std::string CudaBackend::code_name() const { return INTAGLIO_CUDA_CODE_NAME; }

TargetTraits CudaBackend::traits() const {
  const bool disabled = options_.disabled_tactics.contains("tiled") || options_.disabled_tactics.contains("mma");
  return {.attention_columns = disabled ? 0 : kMostAttentionColumns,
          .least_channels = kLeastChannels,
          .window_word = disabled ? 0 : kWordBytes,
          .longest_window = kLineBytes,
          .int4_rows = disabled ? 0 : kMostInt4Rows,
          .multiplies_float8 = !disabled && !target_.is_ptx()};
}

GeneratedCode CudaBackend::generate(const std::vector<KernelPlan>& kernels) const {
  std::vector<std::string> images(kernels.size());
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    try {
      for (std::size_t i = next++; i < kernels.size(); i = next++) images[i] = compile_cached(prelude() + kernels[i].source, kernels[i].name, target_);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < std::max(1u, std::thread::hardware_concurrency()); ++i) threads.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  GeneratedCode code;
  for (const std::string& image : images) {
    code.bytes.resize((code.bytes.size() + INTAGLIO_ALIGNMENT - 1) / INTAGLIO_ALIGNMENT * INTAGLIO_ALIGNMENT, '\0');
    code.offsets.push_back(code.bytes.size());
    code.bytes += image;
    code.bytes += '\0';
  }
  return code;
}

std::string CudaBackend::emit(const std::vector<KernelPlan>& kernels, std::string_view stage) const {
  if (stage != "cuda" && stage != "ptx") {
    throw CompileError(ErrorCode::usage, Diagnostic{"--emit", fmt::format("CUDA code has no stage '{}'", stage), "cuda or ptx", ""});
  }
  std::string text;
  for (const KernelPlan& kernel : kernels) text += (stage == "cuda" ? kernel.source : compile_cuda(prelude() + kernel.source, kernel.name, {"ptx"})) + "\n";
  return text;
}

}  // namespace intaglio::cuda
