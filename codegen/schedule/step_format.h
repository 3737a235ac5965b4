// In which type and order the elements of a dense contraction are multiplied: one by one, or several steps of the sum side by side in each 32-bit lane,
// which one instruction multiplies and adds up.
#pragma once

#include "codegen/schedule/contraction.h"

namespace intaglio {

/// Weights of 4 bits in a word of 32: steps of the sum that are unpacked together.
inline constexpr std::int64_t kInt4Word = 8;

/// What a machine can multiply and sum in pairs or fours; plain data.
struct DotTraits {
  bool pairs = false;  ///< two products of i16 into i32: any x86
  bool bytes = false;  ///< four products of u8 and i8 into i32 (VNNI)
  bool bf16 = false;   ///< two products of bf16 into f32 (AVX512_BF16)
};

struct StepFormat {
  DType a, b;              ///< as tiles read them: `a` in place or in the slab, `b` in panels
  std::int64_t group = 1;  ///< steps side by side in a lane
  /// Steps whose elements of `a` follow each other in memory; in panels each run is filled up with zeros to whole groups or words.
  std::int64_t run = 0;
  /// Steps of the sum with what fills the runs up.
  Dim steps = 0;

  bool is_grouped() const { return group > 1; }
  /// True for weights of 4 bits, which lie in panels kInt4Word steps of a column to a word, and are multiplied one by one.
  bool is_int4() const { return dtype_bits(b) == 4; }
  /// Steps of one column side by side in a panel.
  std::int64_t steps_of_word() const { return is_int4() ? kInt4Word : group; }
  /// True where products and sums are instructions of their own: products on their way need registers.
  bool multiplies_first() const { return a == DType::i16; }
  std::int64_t a_bytes() const { return dtype_bits(a) / 8; }
  std::int64_t b_bytes() const { return dtype_bits(b) / 8; }
  std::int64_t padded(std::int64_t length) const { return (length + steps_of_word() - 1) / steps_of_word() * steps_of_word(); }
};

/// Grouped only where `b` is constant: its panels are packed at compile time.
StepFormat choose_step_format(const Contraction& spec, const DotTraits& traits);

/// The load behind conversions, or null for what is computed.
const kernel::ExprNode* load_behind_casts(const kernel::Expr& e);

}  // namespace intaglio
