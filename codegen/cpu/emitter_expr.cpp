// Expressions: for one element, or for the lanes of a vector loop. What is the same in all lanes stays scalar until it meets what is not.

#include <llvm/IR/Intrinsics.h>

#include "codegen/cpu/emitter_state.h"
#include "codegen/schedule/vector_math.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

/// True of the mask that lets only the first lane live.
bool is_first_lane_alone(const llvm::Value* mask) {
  const auto* known = llvm::dyn_cast_or_null<llvm::Constant>(mask);
  if (!known) return false;
  const unsigned width = llvm::cast<llvm::FixedVectorType>(known->getType())->getNumElements();
  for (unsigned i = 0; i < width; ++i) {
    const llvm::Constant* lane = known->getAggregateElement(i);
    if (!lane || lane->isNullValue() == (i == 0)) return false;
  }
  return true;
}

}  // namespace

using kernel::Expr;
using kernel::ExprKind;

llvm::Value* FunctionEmitter::scalar(const Expr& e) { return value(expanded(e), nullptr); }

llvm::Value* FunctionEmitter::vector(const Expr& e, const Lanes& lanes) { return spread(value(expanded(e), &lanes), lanes.width); }

const Expr& FunctionEmitter::expanded(const Expr& e) {
  const auto found = state_->expanded.find(e.get());
  if (found != state_->expanded.end()) return found->second.second;
  return state_->expanded.emplace(e.get(), std::pair{e, expand_math(e)}).first->second.second;
}

llvm::Value* FunctionEmitter::spread(llvm::Value* value, int width) {
  if (width == 1 || value->getType()->isVectorTy()) return value;
  return builder_.CreateVectorSplat(static_cast<unsigned>(width), value);
}

llvm::Value* FunctionEmitter::lane_numbers(int width) {
  std::vector<llvm::Constant*> numbers;
  for (int i = 0; i < width; ++i) numbers.push_back(builder_.getInt64(static_cast<std::uint64_t>(i)));
  return llvm::ConstantVector::get(numbers);
}

/// True if `e` may differ from lane to lane.
bool FunctionEmitter::varies(const Expr& e, const Lanes& lanes) const {
  bool result = false;
  kernel::visit(e, [&](const kernel::ExprNode& node) {
    if (node.kind == ExprKind::var) result |= node.var == lanes.var;
    if (node.kind != ExprKind::local) return;
    if (const auto bound = state_->bound.find(node.var); bound != state_->bound.end()) {
      result |= bound->second->getType()->isVectorTy();
    } else if (const auto local = state_->locals.find(node.var); local != state_->locals.end()) {
      result |= local->second->getAllocatedType()->isVectorTy();
    }
  });
  return result;
}

llvm::Value* FunctionEmitter::value(const Expr& e, const Lanes* lanes) {
  if (lanes && lanes->width == 1) lanes = nullptr;
  const int lane_var = lanes ? lanes->var : -1;
  llvm::Value* mask = lanes ? lanes->mask : nullptr;
  if (state_->cached_block != builder_.GetInsertBlock()) {
    state_->forget();
    state_->cached_block = builder_.GetInsertBlock();
  }
  if (lanes && (state_->cached_lane_var != lane_var || state_->cached_mask != mask)) {
    state_->vectors.clear();
    state_->cached_lane_var = lane_var;
    state_->cached_mask = mask;
  }
  auto& cache = lanes ? state_->vectors : state_->scalars;
  if (const auto found = cache.find(e.get()); found != cache.end()) return found->second.value;
  llvm::Value* result = compute(e, lanes);
  // Computing may have moved on to another block (a fold, a check): then what was known is forgotten at the next look.
  if (state_->cached_block == builder_.GetInsertBlock()) cache[e.get()] = {e, result};
  return result;
}

llvm::Value* FunctionEmitter::compute(const Expr& e, const Lanes* lanes) {
  const auto arg = [&](std::size_t i) { return value(e->args[i], lanes); };
  /// Operands of one width.
  const auto align = [&](std::vector<llvm::Value*> values) {
    bool any = false;
    for (llvm::Value* v : values) any |= v->getType()->isVectorTy();
    if (any) {
      for (llvm::Value*& v : values) v = spread(v, lanes->width);
    }
    return values;
  };
  switch (e->kind) {
    case ExprKind::constant: {
      llvm::Type* type = register_type(builder_.getContext(), e->dtype);
      if (is_float(e->dtype) && e->dtype != DType::bf16) return llvm::ConstantFP::get(type, e->real);
      internal_check(e->dtype != DType::bf16, "constants of bf16 are written as f32");
      return llvm::ConstantInt::get(type, static_cast<std::uint64_t>(e->integer), true, true);
    }
    case ExprKind::var: {
      const auto found = state_->bound.find(e->var);
      internal_check(found != state_->bound.end(), "loop variable {} is not bound", e->var);
      if (!lanes || e->var != lanes->var) return found->second;
      return builder_.CreateAdd(spread(found->second, lanes->width), lane_numbers(lanes->width));
    }
    case ExprKind::symbol: return state_->symbols.at(e->name);
    case ExprKind::local: {
      if (const auto found = state_->bound.find(e->var); found != state_->bound.end()) return found->second;
      llvm::AllocaInst* place = state_->locals.at(e->var);
      return builder_.CreateLoad(place->getAllocatedType(), place);
    }
    case ExprKind::load: return compute_load(e, lanes);
    case ExprKind::unary: return emit_unary(builder_, e->op, e->args[0]->dtype, arg(0));
    case ExprKind::binary: {
      const auto values = align({arg(0), arg(1)});
      return emit_binary(builder_, e->op, e->args[0]->dtype, values[0], values[1]);
    }
    case ExprKind::compare: {
      const auto values = align({arg(0), arg(1)});
      return emit_compare(builder_, e->op, e->args[0]->dtype, values[0], values[1]);
    }
    case ExprKind::select: {
      const auto values = align({arg(0), arg(1), arg(2)});
      return builder_.CreateSelect(values[0], values[1], values[2]);
    }
    case ExprKind::cast: return emit_cast(builder_, e->args[0]->dtype, e->dtype, arg(0), options_.has_f16c);
    case ExprKind::bitcast: {
      llvm::Value* from = arg(0);
      llvm::Type* type = register_type(builder_.getContext(), e->dtype);
      if (from->getType()->isVectorTy()) type = llvm::FixedVectorType::get(type, static_cast<unsigned>(lanes->width));
      return builder_.CreateBitCast(from, type);
    }
    case ExprKind::reduce: return compute_reduce(e, lanes);
    case ExprKind::checked: return compute_checked(e, lanes);
  }
  internal_check(false, "an expression of unknown kind");
  return nullptr;
}

/// Two elements a byte, the lower half first.
llvm::Value* FunctionEmitter::compute_packed_load(const Expr& e, const Lanes* lanes) {
  llvm::Value* offset = value(e->args[0], lanes);
  auto* lanes_type = llvm::dyn_cast<llvm::FixedVectorType>(offset->getType());
  const auto like_offset = [&](llvm::Type* type) -> llvm::Type* { return lanes_type ? llvm::FixedVectorType::get(type, lanes_type->getNumElements()) : type; };
  llvm::Type* byte_type = like_offset(builder_.getInt8Ty());
  llvm::Value* pointer = builder_.CreateInBoundsGEP(builder_.getInt8Ty(), pointers_[e->buffer], builder_.CreateLShr(offset, 1));
  llvm::Instruction* byte = nullptr;
  if (lanes_type) {
    byte = builder_.CreateMaskedGather(byte_type, pointer, llvm::Align(1), lanes->mask, llvm::Constant::getNullValue(byte_type));
  } else {
    byte = builder_.CreateAlignedLoad(byte_type, pointer, llvm::Align(1));
  }
  mark_alias(byte, e->buffer);
  llvm::Value* shift = builder_.CreateTrunc(builder_.CreateShl(builder_.CreateAnd(offset, 1), 2), byte_type);
  return builder_.CreateTrunc(builder_.CreateLShr(byte, shift), like_offset(register_type(builder_.getContext(), e->dtype)));
}

llvm::Value* FunctionEmitter::compute_load(const Expr& e, const Lanes* lanes) {
  const Expr& offset = e->args[0];
  llvm::Type* memory = memory_type(builder_.getContext(), e->dtype);
  const llvm::Align alignment(static_cast<std::uint64_t>(std::max(1, dtype_bits(e->dtype) / 8)));
  const auto to_register = [&](llvm::Value* loaded) {
    if (e->dtype != DType::boolean) return loaded;
    return builder_.CreateICmpNE(loaded, llvm::Constant::getNullValue(loaded->getType()));
  };
  if (options_.checked) check_access(e->buffer, offset, lanes && varies(offset, *lanes) ? lanes : nullptr);
  if (dtype_bits(e->dtype) < 8) return compute_packed_load(e, lanes && varies(offset, *lanes) ? lanes : nullptr);
  if (!lanes || !varies(offset, *lanes)) {
    auto* load = builder_.CreateAlignedLoad(memory, builder_.CreateInBoundsGEP(memory, pointers_[e->buffer], scalar(offset)), alignment);
    mark_alias(load, e->buffer);
    return to_register(load);
  }
  auto* type = llvm::FixedVectorType::get(memory, static_cast<unsigned>(lanes->width));
  const auto linear = kernel::linear_in(offset, lanes->var);
  const bool lane_var_only = linear && !varies(linear->rest, *lanes);
  if (lane_var_only && kernel::constant_value(linear->stride) == 1) {
    llvm::Value* pointer = builder_.CreateInBoundsGEP(memory, pointers_[e->buffer], value(offset, nullptr));
    llvm::Instruction* load = nullptr;
    if (lanes->mask) {
      load = builder_.CreateMaskedLoad(type, pointer, alignment, lanes->mask, llvm::Constant::getNullValue(type));
    } else {
      load = builder_.CreateAlignedLoad(type, pointer, alignment);
    }
    mark_alias(load, e->buffer);
    return to_register(load);
  }
  llvm::Value* pointers = builder_.CreateInBoundsGEP(memory, pointers_[e->buffer], spread(value(offset, lanes), lanes->width));
  auto* load = builder_.CreateMaskedGather(type, pointers, alignment, lanes->mask, llvm::Constant::getNullValue(type));
  mark_alias(load, e->buffer);
  return to_register(load);
}

llvm::Value* FunctionEmitter::compute_reduce(const Expr& e, const Lanes* lanes) {
  // The extent does not depend on the lane; the folded element may.
  llvm::Value* extent = value(e->args[1], nullptr);
  llvm::Type* type = register_type(builder_.getContext(), e->dtype);
  const bool wide = lanes && varies(e->args[0], *lanes);
  if (wide) type = llvm::FixedVectorType::get(type, static_cast<unsigned>(lanes->width));
  llvm::AllocaInst* total = allocate(type);
  builder_.CreateStore(fold_identity(e->op, e->dtype, type), total);
  emit_loop(builder_.getInt64(0), extent, 1, "fold", [&](llvm::Value* i) {
    bind(e->var, i);
    llvm::Value* element = value(e->args[0], wide ? lanes : nullptr);
    if (wide) element = spread(element, lanes->width);
    builder_.CreateStore(emit_binary(builder_, e->op, e->dtype, builder_.CreateLoad(type, total), element), total);
  });
  unbind(e->var);
  return builder_.CreateLoad(type, total);
}

llvm::Value* FunctionEmitter::compute_checked(const Expr& e, const Lanes* lanes) {
  llvm::Value* extent = value(e->args[1], nullptr);
  llvm::Value* checked = value(e->args[0], lanes);
  stop_unless_below(checked, extent, lanes ? lanes->mask : nullptr, INTAGLIO_KERNEL_INDEX_OUT_OF_RANGE, 0);
  return checked;
}

void FunctionEmitter::stop_unless_below(llvm::Value* checked, llvm::Value* extent, llvm::Value* mask, int code, std::int64_t low) {
  auto* type = llvm::dyn_cast<llvm::FixedVectorType>(checked->getType());
  const unsigned width = type ? type->getNumElements() : 1;
  // Unsigned: negative values are far too large.
  llvm::Value* bad = builder_.CreateICmpUGE(checked, spread(extent, static_cast<int>(width)));
  if (type && mask) bad = builder_.CreateAnd(bad, mask);
  llvm::Value* any = type ? builder_.CreateOrReduce(bad) : bad;

  auto* stop = llvm::BasicBlock::Create(builder_.getContext(), "stop", function_);
  auto* go_on = llvm::BasicBlock::Create(builder_.getContext(), "in_range", function_);
  builder_.CreateCondBr(any, stop, go_on);
  builder_.SetInsertPoint(stop);
  llvm::Value* culprit = checked;
  if (type) {
    llvm::Value* bits = builder_.CreateBitCast(bad, builder_.getIntNTy(width));
    llvm::Value* lane = builder_.CreateBinaryIntrinsic(llvm::Intrinsic::cttz, bits, builder_.getTrue());
    culprit = builder_.CreateExtractElement(checked, builder_.CreateZExtOrTrunc(lane, builder_.getInt32Ty()));
  }
  const auto field = [&](std::uint64_t offset) { return builder_.CreateConstInBoundsGEP1_64(builder_.getInt8Ty(), state_->status, offset); };
  builder_.CreateStore(culprit, field(offsetof(IntaglioKernelStatus, value)));
  builder_.CreateStore(builder_.getInt64(static_cast<std::uint64_t>(low)), field(offsetof(IntaglioKernelStatus, low)));
  builder_.CreateStore(extent, field(offsetof(IntaglioKernelStatus, high)));
  builder_.CreateStore(builder_.getInt32(static_cast<std::uint32_t>(code)), field(offsetof(IntaglioKernelStatus, code)));
  builder_.CreateRet(builder_.getInt32(static_cast<std::uint32_t>(code)));
  builder_.SetInsertPoint(go_on);
}

void FunctionEmitter::check_access(int buffer, const Expr& offset, const Lanes* lanes) {
  llvm::Value* elements = scalar(kernel::from_dim(state_->buffers[buffer].elements));
  stop_unless_below(value(offset, lanes), elements, lanes ? lanes->mask : nullptr, INTAGLIO_KERNEL_BAD_ACCESS, buffer);
}

void FunctionEmitter::check_pointer(const Span& span, llvm::Value* pointer, llvm::Type* type, llvm::Value* mask) {
  if (!options_.checked) return;
  llvm::Value* distance = builder_.CreateSub(builder_.CreatePtrToInt(pointer, builder_.getInt64Ty()), builder_.CreatePtrToInt(span.base, builder_.getInt64Ty()));
  llvm::Value* element = builder_.CreateExactSDiv(distance, builder_.getInt64(type->getScalarSizeInBits() / 8));
  if (auto* lanes = llvm::dyn_cast<llvm::FixedVectorType>(type)) {
    const int width = static_cast<int>(lanes->getNumElements());
    element = builder_.CreateAdd(spread(element, width), lane_numbers(width));
  }
  stop_unless_below(element, span.elements, mask, INTAGLIO_KERNEL_BAD_ACCESS, span.number);
}

Span FunctionEmitter::buffer_span(int buffer) { return {pointers_[buffer], scalar(kernel::from_dim(state_->buffers[buffer].elements)), buffer}; }

llvm::Value* FunctionEmitter::load(const Span& span, llvm::Value* pointer, llvm::Type* type, std::int64_t alignment, llvm::Value* mask) {
  check_pointer(span, pointer, type, mask);
  const llvm::Align align(static_cast<std::uint64_t>(alignment));
  if (mask) return builder_.CreateMaskedLoad(type, pointer, align, mask, llvm::Constant::getNullValue(type));
  return builder_.CreateAlignedLoad(type, pointer, align);
}

void FunctionEmitter::store(const Span& span, llvm::Value* pointer, llvm::Value* stored, std::int64_t alignment, llvm::Value* mask) {
  check_pointer(span, pointer, stored->getType(), mask);
  const llvm::Align align(static_cast<std::uint64_t>(alignment));
  if (mask) {
    builder_.CreateMaskedStore(stored, pointer, align, mask);
  } else {
    builder_.CreateAlignedStore(stored, pointer, align);
  }
}

void FunctionEmitter::store(int buffer, const Expr& offset, llvm::Value* stored, const Lanes& lanes) {
  const DType dtype = state_->buffers[buffer].dtype;
  // Tasks that share a byte would have to wait for each other.
  internal_check(dtype_bits(dtype) >= 8, "elements of {} are not stored one by one", dtype_name(dtype));
  llvm::Type* memory = memory_type(builder_.getContext(), dtype);
  const llvm::Align alignment(static_cast<std::uint64_t>(std::max(1, dtype_bits(dtype) / 8)));
  const Lanes* in_lanes = lanes.width > 1 && varies(offset, lanes) ? &lanes : nullptr;
  if (options_.checked) check_access(buffer, offset, in_lanes);
  if (!in_lanes) {
    internal_check(!stored->getType()->isVectorTy(), "lanes are stored to one place");
    if (dtype == DType::boolean) stored = builder_.CreateZExt(stored, memory);
    mark_alias(builder_.CreateAlignedStore(stored, builder_.CreateInBoundsGEP(memory, pointers_[buffer], scalar(offset)), alignment), buffer);
    return;
  }
  stored = spread(stored, lanes.width);
  if (dtype == DType::boolean) stored = builder_.CreateZExt(stored, llvm::FixedVectorType::get(memory, static_cast<unsigned>(lanes.width)));
  const auto linear = kernel::linear_in(offset, lanes.var);
  if (linear && kernel::constant_value(linear->stride) == 1 && !varies(linear->rest, lanes)) {
    llvm::Value* pointer = builder_.CreateInBoundsGEP(memory, pointers_[buffer], value(offset, nullptr));
    llvm::Instruction* store = nullptr;
    if (is_first_lane_alone(lanes.mask)) {
      // LLVM 22 would do the same, but where a conversion to fewer bits comes before it writes the wide element: past the end.
      store = builder_.CreateAlignedStore(builder_.CreateExtractElement(stored, std::uint64_t{0}), pointer, alignment);
    } else if (lanes.mask) {
      store = builder_.CreateMaskedStore(stored, pointer, alignment, lanes.mask);
    } else {
      store = builder_.CreateAlignedStore(stored, pointer, alignment);
    }
    return mark_alias(store, buffer);
  }
  llvm::Value* pointers = builder_.CreateInBoundsGEP(memory, pointers_[buffer], spread(value(offset, in_lanes), lanes.width));
  mark_alias(builder_.CreateMaskedScatter(stored, pointers, alignment, lanes.mask), buffer);
}

}  // namespace intaglio::cpu
