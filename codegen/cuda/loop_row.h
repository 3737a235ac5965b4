// A row that threads fold together several times (softmax, norms): its elements are read from memory once and stay in registers.
#pragma once

#include <optional>
#include <vector>

#include "ir/kernel/kernel.h"

namespace intaglio::cuda {

struct Row {
  int var = -1;  ///< the one variable of all its folds and loops
  kernel::Expr extent;
  /// The statements of the block, rewritten: folds and loops over the row are over `var`, and none stores what another one reads.
  std::vector<kernel::StmtRef> statements;
  /// What later statements read again, by the number of the statement that computes it first.
  std::vector<std::pair<std::size_t, kernel::Expr>> kept;

  /// A fold or a loop over the row.
  bool is_along(const kernel::Stmt& stmt) const;
  /// What is computed for each element, with the loop itself left out.
  std::vector<kernel::StmtRef> element_statements() const;
};

/// The row that a block's statements fold, whose extent must be constant and not too long for registers; nothing for other blocks.
std::optional<Row> find_row(const std::vector<kernel::StmtRef>& statements);

}  // namespace intaglio::cuda
