// How an operand of a contraction reaches shared memory, step by step of the sum: what the threads of a block copy or compute.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "codegen/cuda/tile_rows.h"

namespace intaglio::cuda {

/// One operand's part of a block's tile: `lines` rows of the result (of `a`) or columns (of `b`), and of each the elements of one step of the sum.
struct OperandTile {
  bool is_a = true;
  DType dtype = DType::f16;
  kernel::Expr element;     ///< of that dtype, in terms of the contraction's variables
  int lines = 128;
  int step_bytes = 64;      ///< of one line
  int threads = 128;

  std::string name() const { return is_a ? "a" : "b"; }
  int element_bytes() const { return dtype_bits(dtype) / 8; }
  int step_elements() const { return step_bytes / element_bytes(); }
  int stage_bytes() const { return lines * step_bytes; }
};

/// Writes the copying. Shared memory of a stage begins at `{a,b}_tile + stage * stage_bytes`.
class TileCopy {
 public:
  virtual ~TileCopy() = default;
  /// Lines before the loop; the tile begins at row m0 or column n0.
  virtual void prepare(Source& source) const = 0;
  /// Lines that bring elements k0.. of the sum to `stage`.
  virtual void copy(Source& source) const = 0;
  /// Shared memory holds lines of consecutive steps of the sum, as instructions want them; else lines of consecutive columns, which ldmatrix transposes.
  virtual bool along_sum() const { return true; }
};

/// The best way to copy `tile`: 16, 8 or 4 bytes at a time without waiting where elements lie side by side, else element by element.
std::unique_ptr<TileCopy> choose_copy(const Contraction& spec, const TileRows& rows, const OperandTile& tile);

/// How `a` and `b` look to an instruction that multiplies 16-bit, tf32 or 8-bit elements: without the conversion to the type of the sums.
kernel::Expr stored_element(const kernel::Expr& element);

/// Defines r, s and c (or what of it is not 0) of element `k` of the sum.
void split_step(Source& source, const Contraction& spec, const std::string& k);

}  // namespace intaglio::cuda
