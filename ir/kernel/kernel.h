// Kernel IR, statements: the loop nest of one kernel. Target-neutral until a schedule marks its loops; the emitters in codegen/ read it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ir/kernel/expr.h"

namespace intaglio::kernel {

enum class LoopKind {
  serial,
  vector,  ///< iterations are independent and may run as lanes; at most one on each path from the root
  unroll,  ///< constant extent; emitted as straight code
};

struct Stmt;
using StmtRef = std::shared_ptr<const Stmt>;

struct Stmt {
  enum class Kind {
    block,   ///< `body` in order
    loop,    ///< `var` in [0, extent): body
    store,   ///< buffer[offset] = value
    assign,  ///< local `var` = value; in a vector loop each lane has its own
    reduce,  ///< local `var` = fold of `value` over loop variable `fold_var` in [0, extent) with `op`; with `buffer` >= 0 each value is also stored at `offset`
    when,    ///< if `value` (boolean, the same for all lanes) then body
  };
  Kind kind;
  int var = -1;
  int fold_var = -1;
  Op op = Op::add;
  LoopKind loop = LoopKind::serial;  ///< of a loop; of a reduce: `vector` folds lanes of partial results and combines them in a fixed order
  int buffer = -1;
  Expr extent;
  Expr offset;
  Expr value;
  std::vector<StmtRef> body;
};

StmtRef block(std::vector<StmtRef> body);
StmtRef loop(int var, Expr extent, LoopKind kind, StmtRef body);
StmtRef store(int buffer, Expr offset, Expr value);
StmtRef assign(int local, Expr value);
StmtRef reduce(int local, Op op, int fold_var, Expr extent, LoopKind kind, Expr value);
StmtRef reduce_and_store(int local, Op op, int fold_var, Expr extent, LoopKind kind, Expr value, int buffer, Expr offset);
StmtRef when(Expr condition, StmtRef body);

/// An argument of a kernel: memory of `elements` elements, aligned to 64 bytes.
struct Buffer {
  std::string name;  ///< in printed code: "x", "weights", "out"
  DType dtype;
  Dim elements;
  bool written = false;
};

/// One kernel: `body` computes task number `task_var` of `tasks`, which are independent of each other.
struct Kernel {
  std::string name;
  std::vector<Buffer> buffers;
  std::vector<std::string> symbols;  ///< in the order of the ABI
  int task_var = 0;
  Dim tasks = 1;
  int variables = 1;  ///< loop variables and locals are numbered below this
  StmtRef body;

  int new_variable() { return variables++; }
};

/// Readable text, what `--emit kernels` prints.
std::string to_text(const Kernel& kernel);

}  // namespace intaglio::kernel
