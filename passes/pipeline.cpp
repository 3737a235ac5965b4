// The passes that `compile` runs, in order, and the reason for each.
#include <algorithm>
#include <array>

#include "passes/passes.h"

namespace intaglio {
namespace {

constexpr Pass kFoldShapes{"fold_shapes", fold_shapes, 0};
constexpr Pass kWidenSmallIntegers{"widen_small_integers", widen_small_integers, 0};
constexpr Pass kFoldConstants{"fold_constants", fold_constants, 0};
constexpr Pass kSimplify{"simplify", simplify, 1};
constexpr Pass kEliminateCommon{"eliminate_common", eliminate_common, 1};
constexpr Pass kEliminateDead{"eliminate_dead", eliminate_dead, 0};
constexpr Pass kFoldBatchNorm{"fold_batch_norm", fold_batch_norm, 1};
constexpr Pass kDecomposeBatchNorm{"decompose_batch_norm", decompose_batch_norm, 1};
constexpr Pass kFoldPad{"fold_pad", fold_pad, 1};
constexpr Pass kFoldScale{"fold_scale", fold_scale, 1};
constexpr Pass kLiftViews{"lift_views", lift_views, 1};
constexpr Pass kLiftSlices{"lift_slices", lift_slices, 2};
constexpr Pass kMergeMatmuls{"merge_matmuls", merge_matmuls, 2};
constexpr Pass kInsertQuantization{"insert_quantization", insert_quantization, 0};
constexpr Pass kLowerQuantized{"lower_quantized", lower_quantized, 1};
constexpr Pass kFoldStep{"fold_step", fold_step, 1};
constexpr Pass kFuseAttention{"fuse_attention", fuse_attention, 1};
constexpr Pass kConvertPrecision{"convert_precision", convert_precision, 0};
constexpr Pass kPadWindows{"pad_windows", pad_windows, 1};
constexpr Pass kPadChannels{"pad_channels", pad_channels, 1};
constexpr Pass kChooseLayouts{"choose_layouts", choose_layouts, 1};
constexpr Pass kFuseKernels{"fuse_kernels", fuse_kernels, 0};

constexpr std::array kPipeline{
    // Shape-Concat-Reshape chains are known at compile time; everything below is easier without them.
    kFoldShapes,
    // Bytes of quantized values are what the passes below lower.
    kWidenSmallIntegers,
    // Quantization that only moves through pooling and views joins what is computed.
    kSimplify,
    // What the model has quantized is computed in integers, before its weights are folded to floats and anything is folded into them.
    kLowerQuantized,
    // Needs to see which sums are of integers.
    kFoldStep,
    // Dequantized weights, transposed weights, masks and position ids that do not depend on an input.
    kFoldConstants,
    // Exporters leave identities behind: casts to the same type, transposes that cancel, reshapes of reshapes.
    kSimplify,
    // Equal nodes have to be one node before anything asks whether a value has one reader.
    kEliminateCommon,
    kEliminateDead,
    // Needs the convolution's result to be read by the batch norm alone: before anything is fused or moved between them.
    kFoldBatchNorm,
    // Those that no convolution took are two elementwise nodes, which the passes below know how to fold.
    kDecomposeBatchNorm,
    // A convolution pads for free.
    kFoldPad,
    // After the batch norms, so that their leftovers fold too; before matrix products are merged, which a factor on one of them would
    // prevent.
    kFoldScale,
    // The scales above are expressions over constants until they are evaluated.
    kFoldConstants,
    // Brings bias and residual additions next to their matrix product, which fusion needs.
    kLiftViews,
    kSimplify,
    // Heads that read one token compute one token; before products are merged, since the parts of a merged one cannot be lifted apart.
    kLiftSlices,
    kSimplify,
    kEliminateCommon,
    // One pass over the activations for query, key and value.
    kMergeMatmuls,
    // The concatenated weights, and what became constant since the last time.
    kFoldConstants,
    kSimplify,
    kEliminateCommon,
    kEliminateDead,
    // Scales are those of the final weights and of activations that will exist. Calibration runs the graph as it is here.
    kInsertQuantization,
    // What is pooled is quantized before, next to the contraction that computes it.
    kSimplify,
    kLowerQuantized,
    kFoldStep,
    // Scales and stored weights, before their arithmetic could be taken for the model's and done in 16-bit floats.
    kFoldConstants,
    // Products of quantized values are groups of their own by now. In f32 still: what is fused rounds its result alone.
    kFuseAttention,
    // Batch norms and scales are in the weights by now, folded in f32; the casts move no value, so layouts and fusion see through them.
    kConvertPrecision,
    // The weights in their new type.
    kFoldConstants,
    // How many channels are too few depends on the type. The zeros join the kernel that converts the input.
    kPadWindows,
    // What is left has rows too long for that, or of unknown length.
    kPadChannels,
    kFoldConstants,
    kSimplify,
    kEliminateCommon,
    kEliminateDead,
    // The last pass before fusion: from here on values have a memory order, and transposes that only relabel memory cost nothing.
    kChooseLayouts,
    // One conversion serves all its readers.
    kEliminateCommon,
    kEliminateDead,
    // Every node that computes something ends in a kernel; nothing may look inside regions afterwards.
    kFuseKernels,
};

}  // namespace

std::span<const Pass> pipeline() { return kPipeline; }

const Pass* find_pass(std::string_view name) {
  // The pipeline holds every pass at least once.
  const auto it = std::find_if(kPipeline.begin(), kPipeline.end(), [&](const Pass& pass) { return pass.name == name; });
  return it == kPipeline.end() ? nullptr : &*it;
}

}  // namespace intaglio
