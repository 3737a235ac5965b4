// The frame of a kernel function, its loop over tasks, and statements.

#include "codegen/cpu/emitter.h"

#include <llvm/IR/MDBuilder.h>

#include <cstddef>

#include "codegen/cpu/emitter_state.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

/// Partial results of a fold over lanes: enough to hide the latency of an addition.
constexpr int kFoldChains = 4;

}  // namespace

FunctionEmitter::FunctionEmitter(llvm::Module& module, const std::string& name, const std::vector<kernel::Buffer>& buffers, const std::vector<std::string>& symbols,
                                 int task_var, const EmitOptions& options)
    : module_(module), options_(options), builder_(module.getContext()), state_(std::make_shared<State>()) {
  llvm::LLVMContext& context = module.getContext();
  llvm::FastMathFlags flags;
  flags.setAllowContract();
  builder_.setFastMathFlags(flags);
  llvm::Type* pointer = builder_.getPtrTy();
  auto* type = llvm::FunctionType::get(builder_.getInt32Ty(), {pointer, builder_.getInt64Ty(), builder_.getInt64Ty(), builder_.getInt32Ty()}, false);
  function_ = llvm::Function::Create(type, llvm::Function::ExternalLinkage, name, module);
  state_->buffers = buffers;
  state_->args = function_->getArg(0);

  auto* entry = llvm::BasicBlock::Create(context, "entry", function_);
  builder_.SetInsertPoint(entry);
  const auto field = [&](std::size_t offset, llvm::Type* field_type) {
    return builder_.CreateLoad(field_type, builder_.CreateConstInBoundsGEP1_64(builder_.getInt8Ty(), state_->args, offset));
  };
  llvm::Value* table = field(offsetof(IntaglioKernelArgs, buffers), pointer);
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    auto* load = builder_.CreateLoad(pointer, builder_.CreateConstInBoundsGEP1_64(pointer, table, i), buffers[i].name);
    load->setMetadata(llvm::LLVMContext::MD_align,
                      llvm::MDNode::get(context, {llvm::ConstantAsMetadata::get(builder_.getInt64(INTAGLIO_ALIGNMENT))}));
    pointers_.push_back(load);
  }
  llvm::Value* values = field(offsetof(IntaglioKernelArgs, symbols), pointer);
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    state_->symbols[symbols[i]] = builder_.CreateLoad(builder_.getInt64Ty(), builder_.CreateConstInBoundsGEP1_64(builder_.getInt64Ty(), values, i), symbols[i]);
  }
  state_->status = field(offsetof(IntaglioKernelArgs, status), pointer);
  state_->worker = builder_.CreateSExt(function_->getArg(3), builder_.getInt64Ty());
  llvm::Value* stride = field(offsetof(IntaglioKernelArgs, scratch_stride), builder_.getInt64Ty());
  state_->scratch = builder_.CreateInBoundsGEP(builder_.getInt8Ty(), field(offsetof(IntaglioKernelArgs, scratch), pointer), builder_.CreateMul(state_->worker, stride));

  llvm::MDBuilder metadata(context);
  llvm::MDNode* domain = metadata.createAnonymousAliasScopeDomain(name);
  std::vector<llvm::MDNode*> scopes;
  for (const kernel::Buffer& buffer : buffers) scopes.push_back(metadata.createAnonymousAliasScope(domain, buffer.name));
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    std::vector<llvm::Metadata*> others;
    for (std::size_t j = 0; j < buffers.size(); ++j) {
      if (j != i) others.push_back(scopes[j]);
    }
    state_->scope_of.push_back(llvm::MDNode::get(context, {scopes[i]}));
    state_->others_of.push_back(llvm::MDNode::get(context, others));
  }

  auto* body = llvm::BasicBlock::Create(context, "task", function_);
  state_->task_latch = llvm::BasicBlock::Create(context, "next_task", function_);
  state_->exit = llvm::BasicBlock::Create(context, "done", function_);
  state_->task_end = function_->getArg(2);
  builder_.CreateCondBr(builder_.CreateICmpSLT(function_->getArg(1), state_->task_end), body, state_->exit);
  builder_.SetInsertPoint(body);
  state_->task = builder_.CreatePHI(builder_.getInt64Ty(), 2, "task");
  state_->task->addIncoming(function_->getArg(1), entry);
  bind(task_var, state_->task);
}

void FunctionEmitter::finish() {
  builder_.CreateBr(state_->task_latch);
  builder_.SetInsertPoint(state_->task_latch);
  llvm::Value* next = builder_.CreateAdd(state_->task, builder_.getInt64(1));
  state_->task->addIncoming(next, state_->task_latch);
  builder_.CreateCondBr(builder_.CreateICmpSLT(next, state_->task_end), state_->task->getParent(), state_->exit);
  builder_.SetInsertPoint(state_->exit);
  builder_.CreateRet(builder_.getInt32(INTAGLIO_KERNEL_OK));
}

llvm::Value* FunctionEmitter::scratch_pointer() { return state_->scratch; }

void FunctionEmitter::bind(int var, llvm::Value* value) {
  state_->bound[var] = value;
  state_->forget();
}

void FunctionEmitter::unbind(int var) {
  state_->bound.erase(var);
  state_->forget();
}

void FunctionEmitter::mark_alias(llvm::Instruction* access, int buffer) {
  access->setMetadata(llvm::LLVMContext::MD_alias_scope, state_->scope_of[buffer]);
  access->setMetadata(llvm::LLVMContext::MD_noalias, state_->others_of[buffer]);
}

llvm::AllocaInst* FunctionEmitter::allocate(llvm::Type* type) {
  llvm::BasicBlock& entry = function_->getEntryBlock();
  return llvm::IRBuilder<>(&entry, entry.begin()).CreateAlloca(type);
}

llvm::Instruction* FunctionEmitter::emit_loop(llvm::Value* begin, llvm::Value* end, std::int64_t step, const std::string& name, const std::function<void(llvm::Value*)>& body) {
  const auto* first = llvm::dyn_cast<llvm::ConstantInt>(begin);
  const auto* last = llvm::dyn_cast<llvm::ConstantInt>(end);
  if (first && last) {
    if (first->getSExtValue() >= last->getSExtValue()) return nullptr;
    if (first->getSExtValue() + step >= last->getSExtValue()) {
      body(begin);
      return nullptr;
    }
  }
  llvm::LLVMContext& context = builder_.getContext();
  auto* before = builder_.GetInsertBlock();
  auto* loop = llvm::BasicBlock::Create(context, name, function_);
  auto* done = llvm::BasicBlock::Create(context, name + "_done", function_);
  builder_.CreateCondBr(builder_.CreateICmpSLT(begin, end), loop, done);
  builder_.SetInsertPoint(loop);
  auto* counter = builder_.CreatePHI(builder_.getInt64Ty(), 2, name);
  counter->addIncoming(begin, before);
  body(counter);
  llvm::Value* next = builder_.CreateNSWAdd(counter, builder_.getInt64(static_cast<std::uint64_t>(step)));
  counter->addIncoming(next, builder_.GetInsertBlock());
  llvm::Instruction* latch = builder_.CreateCondBr(builder_.CreateICmpSLT(next, end), loop, done);
  builder_.SetInsertPoint(done);
  return latch;
}

/// <width x i1>, true in the first `count` lanes.
llvm::Value* FunctionEmitter::first_lanes(llvm::Value* count, int width) {
  return builder_.CreateICmpSLT(lane_numbers(width), builder_.CreateVectorSplat(static_cast<unsigned>(width), count));
}

void FunctionEmitter::for_each_vector(llvm::Value* begin, llvm::Value* extent, int width, const std::function<void(llvm::Value*, llvm::Value*)>& body) {
  llvm::Value* length = builder_.CreateSub(extent, begin);
  llvm::Value* rest = builder_.CreateAnd(length, builder_.getInt64(static_cast<std::uint64_t>(width - 1)));
  llvm::Value* even = builder_.CreateSub(extent, rest);
  emit_loop(begin, even, width, "lanes", [&](llvm::Value* i) { body(i, nullptr); });
  if (const auto* known = llvm::dyn_cast<llvm::ConstantInt>(rest)) {
    if (!known->isZero()) body(even, first_lanes(rest, width));
    return;
  }
  auto* tail = llvm::BasicBlock::Create(builder_.getContext(), "tail", function_);
  auto* done = llvm::BasicBlock::Create(builder_.getContext(), "tail_done", function_);
  builder_.CreateCondBr(builder_.CreateICmpNE(rest, builder_.getInt64(0)), tail, done);
  builder_.SetInsertPoint(tail);
  body(even, first_lanes(rest, width));
  builder_.CreateBr(done);
  builder_.SetInsertPoint(done);
}

void FunctionEmitter::emit(const kernel::StmtRef& ref) {
  const kernel::Stmt& stmt = *ref;
  const bool in_lanes = state_->lanes.width > 1;
  switch (stmt.kind) {
    case kernel::Stmt::Kind::block:
      for (const kernel::StmtRef& part : stmt.body) emit(part);
      return;
    case kernel::Stmt::Kind::loop: return emit_loop_statement(stmt);
    case kernel::Stmt::Kind::store:
      return store(stmt.buffer, stmt.offset, in_lanes ? vector(stmt.value, state_->lanes) : scalar(stmt.value), state_->lanes);
    case kernel::Stmt::Kind::assign: return emit_assign(stmt.var, in_lanes ? vector(stmt.value, state_->lanes) : scalar(stmt.value));
    case kernel::Stmt::Kind::reduce: return emit_reduce(stmt);
    case kernel::Stmt::Kind::when: {
      auto* then_block = llvm::BasicBlock::Create(builder_.getContext(), "when", function_);
      auto* done = llvm::BasicBlock::Create(builder_.getContext(), "when_done", function_);
      builder_.CreateCondBr(scalar(stmt.value), then_block, done);
      builder_.SetInsertPoint(then_block);
      for (const kernel::StmtRef& part : stmt.body) emit(part);
      builder_.CreateBr(done);
      builder_.SetInsertPoint(done);
      return;
    }
  }
}

void FunctionEmitter::emit_assign(int local, llvm::Value* value) {
  llvm::AllocaInst*& place = state_->locals[local];
  if (!place || place->getAllocatedType() != value->getType()) place = allocate(value->getType());
  builder_.CreateStore(value, place);
  state_->forget();
}

void FunctionEmitter::emit_loop_statement(const kernel::Stmt& stmt) {
  const auto run = [&](llvm::Value* i) {
    bind(stmt.var, i);
    for (const kernel::StmtRef& part : stmt.body) emit(part);
  };
  if (stmt.loop == kernel::LoopKind::vector && state_->lanes.width == 1) return emit_vector_loop(stmt);
  llvm::Value* extent = scalar(stmt.extent);
  if (stmt.loop == kernel::LoopKind::unroll) {
    const auto* known = llvm::dyn_cast<llvm::ConstantInt>(extent);
    internal_check(known, "an unrolled loop has a constant extent");
    for (std::int64_t i = 0; i < known->getSExtValue(); ++i) run(builder_.getInt64(static_cast<std::uint64_t>(i)));
  } else {
    emit_loop(builder_.getInt64(0), extent, 1, "loop", run);
  }
  unbind(stmt.var);
}

void FunctionEmitter::emit_vector_loop(const kernel::Stmt& stmt) {
  llvm::Value* extent = scalar(stmt.extent);
  int width = options_.vector_bytes / 4;
  // A loop shorter than a vector takes the least power of two that holds it.
  if (const auto* known = llvm::dyn_cast<llvm::ConstantInt>(extent)) {
    while (width > 1 && width / 2 >= known->getSExtValue()) width /= 2;
  }
  const Lanes outside = state_->lanes;
  if (width == 1) {
    emit_loop(builder_.getInt64(0), extent, 1, "loop", [&](llvm::Value* i) {
      bind(stmt.var, i);
      for (const kernel::StmtRef& part : stmt.body) emit(part);
    });
  } else {
    for_each_vector(builder_.getInt64(0), extent, width, [&](llvm::Value* first, llvm::Value* mask) {
      bind(stmt.var, first);
      state_->lanes = {stmt.var, width, mask};
      for (const kernel::StmtRef& part : stmt.body) emit(part);
      state_->lanes = outside;
    });
  }
  unbind(stmt.var);
}

void FunctionEmitter::emit_reduce(const kernel::Stmt& stmt) {
  if (stmt.loop == kernel::LoopKind::vector && state_->lanes.width == 1) return emit_lane_reduce(stmt);
  // One by one, each lane of a loop around for itself.
  const bool in_lanes = state_->lanes.width > 1;
  llvm::Type* type = register_type(builder_.getContext(), stmt.value->dtype);
  if (in_lanes) type = llvm::FixedVectorType::get(type, static_cast<unsigned>(state_->lanes.width));
  llvm::Value* extent = scalar(stmt.extent);
  emit_assign(stmt.var, fold_identity(stmt.op, stmt.value->dtype, type));
  llvm::AllocaInst* total = state_->locals[stmt.var];
  emit_loop(builder_.getInt64(0), extent, 1, "fold", [&](llvm::Value* i) {
    bind(stmt.fold_var, i);
    llvm::Value* element = in_lanes ? vector(stmt.value, state_->lanes) : scalar(stmt.value);
    if (stmt.buffer >= 0) store(stmt.buffer, stmt.offset, element, state_->lanes);
    builder_.CreateStore(emit_binary(builder_, stmt.op, stmt.value->dtype, builder_.CreateLoad(type, total), element), total);
  });
  unbind(stmt.fold_var);
}

void FunctionEmitter::emit_lane_reduce(const kernel::Stmt& stmt) {
  const DType dtype = stmt.value->dtype;
  const int width = options_.vector_bytes / 4;
  llvm::Type* element = register_type(builder_.getContext(), dtype);
  auto* type = llvm::FixedVectorType::get(element, static_cast<unsigned>(width));
  llvm::Constant* identity = fold_identity(stmt.op, dtype, type);
  llvm::Value* extent = scalar(stmt.extent);
  std::vector<llvm::AllocaInst*> chains;
  for (int i = 0; i < kFoldChains; ++i) {
    chains.push_back(allocate(type));
    builder_.CreateStore(identity, chains.back());
  }
  const auto fold = [&](llvm::Value* first, llvm::Value* mask, llvm::AllocaInst* chain) {
    bind(stmt.fold_var, first);
    const Lanes lanes{stmt.fold_var, width, mask};
    llvm::Value* value = vector(stmt.value, lanes);
    if (stmt.buffer >= 0) store(stmt.buffer, stmt.offset, value, lanes);
    if (mask) value = builder_.CreateSelect(mask, value, identity);
    builder_.CreateStore(emit_binary(builder_, stmt.op, dtype, builder_.CreateLoad(type, chain), value), chain);
  };
  llvm::Value* even = builder_.CreateAnd(extent, builder_.getInt64(~static_cast<std::uint64_t>(width * kFoldChains - 1)));
  emit_loop(builder_.getInt64(0), even, width * kFoldChains, "fold", [&](llvm::Value* i) {
    for (int u = 0; u < kFoldChains; ++u) fold(builder_.CreateAdd(i, builder_.getInt64(static_cast<std::uint64_t>(u * width))), nullptr, chains[u]);
  });
  for_each_vector(even, extent, width, [&](llvm::Value* first, llvm::Value* mask) { fold(first, mask, chains[0]); });
  unbind(stmt.fold_var);

  // Chains pairwise, then halves of the vector: always in this order.
  const auto combine = [&](llvm::Value* a, llvm::Value* b) { return emit_binary(builder_, stmt.op, dtype, a, b); };
  std::vector<llvm::Value*> totals;
  for (llvm::AllocaInst* chain : chains) totals.push_back(builder_.CreateLoad(type, chain));
  llvm::Value* total = combine(combine(totals[0], totals[1]), combine(totals[2], totals[3]));
  for (int half = width / 2; half >= 1; half /= 2) {
    std::vector<int> low, high;
    for (int i = 0; i < half; ++i) {
      low.push_back(i);
      high.push_back(half + i);
    }
    total = combine(builder_.CreateShuffleVector(total, low), builder_.CreateShuffleVector(total, high));
  }
  emit_assign(stmt.var, builder_.CreateExtractElement(total, std::uint64_t{0}));
}

void emit_kernel(llvm::Module& module, const kernel::Kernel& kernel, const EmitOptions& options) {
  FunctionEmitter emitter(module, kernel.name, kernel.buffers, kernel.symbols, kernel.task_var, options);
  emitter.emit(kernel.body);
  emitter.finish();
}

}  // namespace intaglio::cpu
