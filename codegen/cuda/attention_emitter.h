// What both kernels of attention share: which queries of which head a block takes, how operands are read, how the result is written.
#pragma once

#include <fmt/format.h>
#include <string>

#include "codegen/cuda/attention.h"

namespace intaglio::cuda {

class AttentionEmitter {
 protected:
  AttentionEmitter(const Attention& spec, const AttentionOptions& options);

  static std::string name(const Axis& axis) { return Source::var_name(axis.var); }
  std::string extent(const Dim& dim) { return source_.index(kernel::from_dim(dim)); }
  /// "const int " or "const int64 " and the text.
  std::string index(const std::string& text) const { return fmt::format("const {} {}", source_.index_type(), text); }
  void unrolled(const std::string& loop);
  void close(int count = 1);

  /// Lines that name the block's first query first_query, and its head; what the kernel reads is there after them.
  void begin(int query_tile);
  /// How many blocks there are.
  Dim blocks(int query_tile) const;

  /// The load that the operand's element is, if `column` walks its memory element by element and groups of `count` of them are aligned: the operand may be
  /// read `count` at a time.
  const kernel::ExprNode* load_in_groups(const kernel::Expr& operand, const Axis& column, std::int64_t count) const;

  /// Lines that write the result from the accumulator `value`, an expression; the variables of batch, s and e are named.
  void store(const std::string& value);

  const Attention& spec_;
  const AttentionOptions options_;
  Source source_;
};

/// log2(e): weights are powers of 2.
inline constexpr double kLog2E = 1.4426950408889634;

/// "0.125f", exact.
std::string float_text(double value);

}  // namespace intaglio::cuda
