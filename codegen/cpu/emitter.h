// Emits kernel IR as LLVM IR: the loops of lower_to_loops, and the elements that the contraction generator asks for (prologue, epilogue).
#pragma once

#include <map>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <llvm/IR/IRBuilder.h>
#include <llvm/IR/Module.h>

#include "ir/kernel/kernel.h"

namespace intaglio::cpu {

struct EmitOptions {
  int vector_bytes = 32;  ///< 64 with AVX-512, 32 with AVX2, 16 with SSE
  bool has_f16c = true;   ///< without it f16 is converted by integer arithmetic
  bool checked = false;   ///< every load and store verifies its offset
};

/// The lanes that a vector expression is computed for: loop variable `var` is base, base + 1, .. in them.
struct Lanes {
  int var = -1;
  int width = 1;
  /// <width x i1>, or null when all lanes are live. Masked-off lanes are neither loaded nor stored.
  llvm::Value* mask = nullptr;
};

/// A piece of memory that a generator addresses by itself: a buffer, or a part of scratch.
struct Span {
  llvm::Value* base = nullptr;
  llvm::Value* elements = nullptr;
  int number = 0;  ///< names it where a check fails: the buffer's number, negative for scratch
};

/// Emits into one function of the kernel ABI (artifact.h). Scalars and vectors are memoized within the current basic block region only where that is sound.
class FunctionEmitter {
 public:
  /// Creates `int32 name(args, task_begin, task_end, worker)` with buffer pointers and symbols loaded in its entry block,
  /// and a loop over the tasks whose variable is bound to `task_var`; the insertion point is left in the loop's body.
  FunctionEmitter(llvm::Module& module, const std::string& name, const std::vector<kernel::Buffer>& buffers, const std::vector<std::string>& symbols, int task_var,
                  const EmitOptions& options);

  llvm::IRBuilder<>& builder() { return builder_; }
  llvm::Function* function() { return function_; }
  const EmitOptions& options() const { return options_; }

  /// The aligned, noalias pointer of a buffer; the i8* of this worker's scratch.
  llvm::Value* buffer_pointer(int buffer) const { return pointers_[buffer]; }
  llvm::Value* scratch_pointer();

  /// Binds a loop variable to an i64, or a local to a scalar or vector. Rebinding forgets what was computed from it.
  void bind(int var, llvm::Value* value);
  void unbind(int var);

  /// The value of `e`, booleans as i1, for one element ..
  llvm::Value* scalar(const kernel::Expr& e);
  /// .. or for lanes: <width x T>. Loads whose offset has stride 1 in the lanes' variable are vector loads, stride 0 broadcasts, others gathers.
  llvm::Value* vector(const kernel::Expr& e, const Lanes& lanes);
  /// Stores a scalar or, with lanes, a vector.
  void store(int buffer, const kernel::Expr& offset, llvm::Value* value, const Lanes& lanes);

  /// Accesses through a pointer that the caller computed, which in checked mode must lie in the span. Lanes outside of `mask` are loaded as 0.
  llvm::Value* load(const Span& span, llvm::Value* pointer, llvm::Type* type, std::int64_t alignment, llvm::Value* mask = nullptr);
  void store(const Span& span, llvm::Value* pointer, llvm::Value* value, std::int64_t alignment, llvm::Value* mask = nullptr);
  Span buffer_span(int buffer);

  /// Emits a loop `for i in [0, extent) step` and calls `body(i)` inside it. Answers the branch that ends a turn, or null where there is no loop.
  llvm::Instruction* emit_loop(llvm::Value* begin, llvm::Value* end, std::int64_t step, const std::string& name, const std::function<void(llvm::Value*)>& body);
  void emit(const kernel::StmtRef& stmt);

  /// Ends the loop over tasks and the function. Nothing may be emitted afterwards.
  void finish();

  struct State;

 private:
  /// `e` for one element, or for lanes if it differs from lane to lane.
  llvm::Value* value(const kernel::Expr& e, const Lanes* lanes);
  llvm::Value* compute(const kernel::Expr& e, const Lanes* lanes);
  llvm::Value* compute_load(const kernel::Expr& e, const Lanes* lanes);
  llvm::Value* compute_packed_load(const kernel::Expr& e, const Lanes* lanes);
  llvm::Value* compute_reduce(const kernel::Expr& e, const Lanes* lanes);
  llvm::Value* compute_checked(const kernel::Expr& e, const Lanes* lanes);
  bool varies(const kernel::Expr& e, const Lanes& lanes) const;
  const kernel::Expr& expanded(const kernel::Expr& e);
  /// One value for all lanes, or one for each, as a vector.
  llvm::Value* spread(llvm::Value* value, int width);
  llvm::Value* lane_numbers(int width);
  /// Stops the kernel with `code` where a live lane of `value` is outside of [0, extent).
  void stop_unless_below(llvm::Value* value, llvm::Value* extent, llvm::Value* mask, int code, std::int64_t low);
  void check_access(int buffer, const kernel::Expr& offset, const Lanes* lanes);
  void check_pointer(const Span& span, llvm::Value* pointer, llvm::Type* type, llvm::Value* mask);
  void mark_alias(llvm::Instruction* access, int buffer);
  llvm::AllocaInst* allocate(llvm::Type* type);

  void emit_loop_statement(const kernel::Stmt& stmt);
  void emit_vector_loop(const kernel::Stmt& stmt);
  void emit_assign(int local, llvm::Value* value);
  void emit_reduce(const kernel::Stmt& stmt);
  void emit_lane_reduce(const kernel::Stmt& stmt);
  /// Runs `body` for full vectors of iterations and once, masked, for what is left.
  void for_each_vector(llvm::Value* begin, llvm::Value* extent, int width, const std::function<void(llvm::Value* first, llvm::Value* mask)>& body);
  llvm::Value* first_lanes(llvm::Value* count, int width);

  llvm::Module& module_;
  EmitOptions options_;
  llvm::IRBuilder<> builder_;
  llvm::Function* function_ = nullptr;
  std::vector<llvm::Value*> pointers_;
  std::shared_ptr<State> state_;
};

/// Emits a whole kernel as a function of its name.
void emit_kernel(llvm::Module& module, const kernel::Kernel& kernel, const EmitOptions& options);

}  // namespace intaglio::cpu
