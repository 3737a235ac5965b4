// Attention as one kernel: softmax on the fly (FlashAttention: Dao et al., 2022), so that no score is ever in memory. A block takes some queries of one
// head and walks the keys in tiles; for each query it keeps the largest score so far, the sum of the weights and the weighted values, both
// relative to it, and scales them when it grows.
#pragma once

#include "codegen/cuda/loops.h"
#include "codegen/schedule/attention.h"

namespace intaglio::cuda {

/// The widest heads: what one warp keeps in registers.
inline constexpr std::int64_t kMostAttentionColumns = 128;

struct AttentionKernel {
  CudaKernel kernel;
  Dim blocks = 1;
};

struct AttentionOptions {
  bool overlaps = false;  ///< it is started before the kernel before has ended (Hopper)
  bool checked = false;
};

/// 16-bit floats through mma.sync.
AttentionKernel emit_attention_mma(const Attention& spec, const AttentionOptions& options);
/// f32, exact, on the plain arithmetic units.
AttentionKernel emit_attention_simt(const Attention& spec, const AttentionOptions& options);

/// True if one of the two serves.
bool has_attention_kernel(const Attention& spec);

}  // namespace intaglio::cuda
