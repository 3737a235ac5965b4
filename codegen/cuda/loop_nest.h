// Which loops of a kernel the threads of a group share, and how many neighbouring iterations a thread takes at once.
#pragma once

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

}  // namespace intaglio::cuda
