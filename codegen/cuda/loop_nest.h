// Which loops of a kernel the threads of a group share, and how many neighbouring iterations a thread takes at once.
#pragma once

#include <optional>
#include <vector>

#include "codegen/cuda/source.h"

namespace intaglio::cuda {

/// A loop nest that threads share: loops right inside of each other, with only assignments between them.
struct SharedNest {
  std::vector<const kernel::Stmt*> loops;
  std::vector<kernel::StmtRef> body;
};
SharedNest shared_nest(const kernel::Stmt& outermost);

/// The statements of a block, with blocks inside of it opened up.
std::vector<kernel::StmtRef> flatten(const std::vector<kernel::StmtRef>& statements);

/// How many iterations of a loop over `var` in [0, extent), which runs `body`, a thread takes at once: as many as fill its accesses to memory. The source
/// knows afterwards what the variable is a multiple of.
Lanes choose_lanes(Source& source, const std::vector<kernel::Buffer>& buffers, int var, const kernel::Expr& extent, const std::vector<kernel::StmtRef>& body);

/// A nest that stores a short line for each iteration of the loop outside of it (the 3 channels of an image's pixels): a thread stores several lines, which lie
/// one after the other, at once.
struct Interleave {
  Lanes lanes;          ///< over the outer loop
  int inner_var = -1;   ///< of the short loop
  std::int64_t inner = 1;
  int bytes = 0;        ///< of an access
};
std::optional<Interleave> find_interleave(Source& source, const std::vector<kernel::Buffer>& buffers, const SharedNest& nest);

}  // namespace intaglio::cuda
