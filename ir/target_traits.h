// What the lowering of a graph must know of the target that it is for.
#pragma once

#include <cstdint>

namespace intaglio {

/// What a target has kernels for, as plain data: its back end says it, the passes that lower a graph for it ask.
struct TargetTraits {
  /// Attention whose heads have at most so many columns is one kernel; 0: there is no such kernel.
  std::int64_t attention_columns = 0;
  /// A convolution of 8- or 16-bit elements should have at least so many input channels.
  std::int64_t least_channels = 1;
  /// Of those that have fewer, the taps of a row are to lie in memory in whole words of so many bytes, as far as a row has no more than the longest one has;
  /// 0: they may lie anyhow.
  std::int64_t window_word = 0, longest_window = 0;
  /// A contraction of at most so many rows unpacks weights of 4 bits in registers, the others find them unpacked; 0: none does.
  std::int64_t int4_rows = 0;
  /// The same of rows that are known at run time only, and may be as few; else such a contraction does not.
  bool int4_unknown_rows = false;
  /// Else what is stored in f8e4m3fn is multiplied as f32, which is exact.
  bool multiplies_float8 = false;
};

}  // namespace intaglio
