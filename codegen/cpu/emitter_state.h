// Inside of the emitter: what emitter.cpp (function frame, loops, statements), emitter_expr.cpp (expressions), emitter_arith.cpp and emitter_float8.cpp (operators) share.
#pragma once

#include <map>
#include <unordered_map>
#include <vector>

#include "codegen/cpu/emitter.h"
#include "intaglio/artifact.h"

namespace intaglio::cpu {

struct FunctionEmitter::State {
  std::vector<kernel::Buffer> buffers;
  std::map<std::string, llvm::Value*> symbols;
  std::map<int, llvm::Value*> bound;             ///< loop variables (i64), and locals that the caller gave a value
  std::map<int, llvm::AllocaInst*> locals;       ///< locals that statements assign
  Lanes lanes;                                   ///< of the vector loop around; width 1 outside of one

  llvm::Value *args = nullptr, *worker = nullptr, *scratch = nullptr, *status = nullptr;
  llvm::BasicBlock *task_latch = nullptr, *exit = nullptr;
  llvm::PHINode* task = nullptr;
  llvm::Value* task_end = nullptr;

  /// Values computed in the current basic block. Another block or another binding forgets them: sound, and LLVM finds the rest.
  struct Cached {
    kernel::Expr keep_alive;
    llvm::Value* value;
  };
  std::unordered_map<const kernel::ExprNode*, Cached> scalars, vectors;
  llvm::BasicBlock* cached_block = nullptr;
  int cached_lane_var = -1;
  llvm::Value* cached_mask = nullptr;
  std::unordered_map<const kernel::ExprNode*, std::pair<kernel::Expr, kernel::Expr>> expanded;  ///< math functions replaced

  /// Alias metadata: a buffer that is written shares no memory with another one.
  std::vector<llvm::MDNode*> scope_of, others_of;

  void forget() {
    scalars.clear();
    vectors.clear();
  }
};

/// The LLVM type of one element in a register: booleans are i1, bf16 and 8-bit floats their bits.
llvm::Type* register_type(llvm::LLVMContext& context, DType dtype);
/// The same in memory: booleans are bytes, as are pairs of 4-bit integers.
llvm::Type* memory_type(llvm::LLVMContext& context, DType dtype);

/// Arithmetic on scalars or vectors of equal width; `dtype` is that of the operands.
llvm::Value* emit_unary(llvm::IRBuilder<>& builder, kernel::Op op, DType dtype, llvm::Value* a);
llvm::Value* emit_binary(llvm::IRBuilder<>& builder, kernel::Op op, DType dtype, llvm::Value* a, llvm::Value* b);
llvm::Value* emit_compare(llvm::IRBuilder<>& builder, kernel::Op op, DType dtype, llvm::Value* a, llvm::Value* b);
/// `has_f16c`: the machine converts between f16 and f32.
llvm::Value* emit_cast(llvm::IRBuilder<>& builder, DType from, DType to, llvm::Value* a, bool has_f16c);
/// f8e4m3fn and f8e5m2 are their bits in registers. To them f32 saturates.
llvm::Value* float8_to_float(llvm::IRBuilder<>& builder, DType from, llvm::Value* a);
llvm::Value* float_to_float8(llvm::IRBuilder<>& builder, DType to, llvm::Value* a);
/// The neutral element of a fold.
llvm::Constant* fold_identity(kernel::Op op, DType dtype, llvm::Type* type);

}  // namespace intaglio::cpu
