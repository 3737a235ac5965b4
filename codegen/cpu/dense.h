// Generates dense contractions for CPUs: register-tiled outer products over packed panels of `b`, with `a` read in place or from a slab in scratch.
#pragma once

#include <optional>
#include <vector>

#include "codegen/cpu/emitter.h"
#include "codegen/schedule/tiling.h"

namespace intaglio::cpu {

/// What is decided of a dense contraction before any code is written: the same for the generator and the plan.
struct DensePlan {
  StepFormat format;
  Tiling tiling;
  std::optional<OperandStrides> direct;  ///< of `a` in memory, when it can be read in place
  Dim tasks = 1;                         ///< over batch, y, x and columns, the last innermost
  // Scratch of a worker; each part is a multiple of a cache line.
  std::int64_t slab_width = 0;           ///< input positions of a slab row
  Dim slab_elements = 0;                 ///< of the format's `a`
  Dim packed_elements = 0;               ///< panels of a `b` that is not constant, in the compute type
  Dim partial_elements = 0;              ///< partial sums between depth blocks, in the compute type
  Dim scratch_bytes = 0;
};

/// Nothing if the contraction has no tiles (a symbolic kernel size, or symbolic channels under several taps).
std::optional<DensePlan> plan_dense(const Contraction& spec, const TileTraits& traits);

/// Emits the kernel as a function named `spec.name`. The buffer of a constant `b` holds what pack_weights makes of it.
void emit_dense(llvm::Module& module, const Contraction& spec, const DensePlan& plan, const EmitOptions& options);

/// Rows of words, and of scales, in a panel of weights of 4 bits.
std::int64_t int4_words(const Contraction& spec);
std::int64_t int4_scales(const Contraction& spec);

/// Number of panels that `columns` columns fill.
inline Dim panel_count(const Dim& columns) { return Dim::ceildiv(columns, kPanelColumns); }

}  // namespace intaglio::cpu
