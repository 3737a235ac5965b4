// The hot loop: one register tile. Each step of the sum (or group of steps, see step_format.h) loads one row of each panel and one element of each tile row, and multiplies them all out;
// the sums never leave their registers. Written as straight vector code with constant displacements, which LLVM keeps in order.

#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/IntrinsicsX86.h>

#include <array>
#include <numeric>

#include "codegen/cpu/dense_emitter.h"
#include "codegen/cpu/emitter_state.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

/// Steps of the sum in one turn of the inner loop: enough to hide its counter, few enough to stay in the micro-op cache.
constexpr std::int64_t kUnroll = 4;
/// How many steps ahead the rows of the panels are fetched: panels stream from the second-level cache or beyond.
constexpr std::int64_t kPrefetchSteps = 16;

/// Forbids LLVM to unroll the loop that ends with this branch.
void keep_rolled(llvm::Instruction& latch) {
  llvm::LLVMContext& context = latch.getContext();
  llvm::MDNode* disable = llvm::MDNode::get(context, llvm::MDString::get(context, "llvm.loop.unroll.disable"));
  llvm::MDNode* loop = llvm::MDNode::getDistinct(context, {nullptr, disable});
  loop->replaceOperandWith(0, loop);
  latch.setMetadata(llvm::LLVMContext::MD_loop, loop);
}

}  // namespace

void DenseEmitter::emit_tile(const Tile& tile, const Depth& depth) {
  llvm::BasicBlock& entry = emitter_.function()->getEntryBlock();
  llvm::IRBuilder<> entry_builder(&entry, entry.begin());
  sums_.clear();
  for (std::int64_t i = 0; i < tile.rows() * tile.panels * vectors_per_panel(); ++i) sums_.push_back(entry_builder.CreateAlloca(vector_));

  const auto clear = [&] {
    for (llvm::AllocaInst* sum : sums_) ir().CreateStore(llvm::Constant::getNullValue(vector_), sum);
  };
  if (!tiling_.depth) {
    clear();
    emit_sum(tile, depth);
    return emit_epilogue(tile);
  }
  clear();
  when(ir().CreateNot(depth.is_first), [&] { move_partial_sums(tile, false); });
  emit_sum(tile, depth);
  when(ir().CreateNot(depth.is_last), [&] { move_partial_sums(tile, true); });
  when(depth.is_last, [&] { emit_epilogue(tile); });
}

/// Where the tile's first row begins in `a`, at the first tap and the first channel of the block.
llvm::Value* DenseEmitter::operand_pointer(const Tile& tile, const Depth& depth) {
  if (tiling_.slab) {
    llvm::Value* y = ir().CreateMul(ir().CreateSub(tile.y, y_.begin), index(spec_.stride_y));
    llvm::Value* x = ir().CreateMul(ir().CreateSub(tile.x, x_.begin), index(spec_.stride_x * pixel_stride_));
    return in_a(slab_.base, ir().CreateAdd(ir().CreateMul(y, row_stride_), x));
  }
  emitter_.bind(spec_.a_y, ir().CreateMul(tile.y, index(spec_.stride_y)));
  emitter_.bind(spec_.a_x, ir().CreateMul(tile.x, index(spec_.stride_x)));
  emitter_.bind(spec_.c.var, depth.begin);
  return in_a(a_.base, emitter_.scalar(load_behind_casts(spec_.a)->args[0]));
}

/// The number of the tile's first panel in `b`.
llvm::Value* DenseEmitter::first_panel(const Tile& tile) {
  llvm::Value* panel = ir().CreateUDiv(tile.n, index(kPanelColumns));
  if (spec_.constant_b < 0) return ir().CreateSub(panel, ir().CreateMul(first_column_tile_, index(tiling_.panels)));
  if (spec_.group_axis < 0) return panel;
  llvm::Value* group = emitter_.scalar(kernel::var(spec_.batch[spec_.group_axis].var));
  return ir().CreateAdd(panel, ir().CreateMul(group, dim(panel_count(spec_.n.extent))));
}

/// Where that panel begins, at the first tap and the first channel of the block.
llvm::Value* DenseEmitter::panels_pointer(const Tile& tile, const Depth& depth) {
  llvm::Value* step = ir().CreateAdd(ir().CreateMul(first_panel(tile), dim(format_.steps)), depth.begin);
  return in_panels(b_.base, ir().CreateMul(step, index(kPanelColumns)));
}

llvm::Value* DenseEmitter::row_offset(const Tile& tile, std::int64_t i) {
  llvm::Value* along_x = index(i % tile.width * spec_.stride_x * pixel_stride_);
  if (i < tile.width) return along_x;
  return ir().CreateAdd(along_x, ir().CreateMul(row_stride_, index(i / tile.width * spec_.stride_y)));
}

/// Runs over taps and channels. Taps of one input row that lie side by side, channels innermost, are one run.
void DenseEmitter::emit_sum(const Tile& tile, const Depth& depth) {
  if (format_.is_int4()) return emit_int4_sum(tile, depth);
  const std::int64_t taps_y = spec_.r.extent.value(), taps_x = spec_.s.extent.value();
  llvm::Value* a = operand_pointer(tile, depth);
  llvm::Value* b = panels_pointer(tile, depth);
  llvm::Value* panel_stride = ir().CreateMul(dim(format_.steps), index(kPanelColumns));
  if (taps_y == 1 && taps_x == 1) return emit_inner(tile, a, b, panel_stride, depth.length);

  const std::int64_t channels = spec_.c.extent.value();
  const bool side_by_side = spec_.dilation_x == 1 && pixel_stride_ == channels;
  const std::int64_t run = side_by_side ? taps_x * channels : channels;
  const std::int64_t runs_x = side_by_side ? 1 : taps_x;
  const auto for_each = [&](std::int64_t count, const std::function<void(llvm::Value*)>& body) {
    emitter_.emit_loop(index(0), index(count), 1, "tap", body);
  };
  for_each(taps_y, [&](llvm::Value* r) {
    llvm::Value* a_row = in_a(a, ir().CreateMul(ir().CreateMul(r, index(spec_.dilation_y)), row_stride_));
    for_each(runs_x, [&](llvm::Value* s) {
      llvm::Value* first = ir().CreateMul(ir().CreateAdd(ir().CreateMul(r, index(runs_x)), s), index(format_.padded(run) * kPanelColumns));
      emit_inner(tile, in_a(a_row, ir().CreateMul(s, index(spec_.dilation_x * pixel_stride_))), in_panels(b, first), panel_stride, index(run));
    });
  });
}

/// Steps of the sum in one turn of the inner loop. Positions a few elements apart read the same elements in different steps; a turn ends before one does,
/// for LLVM would keep those elements in registers that there are not.
std::int64_t DenseEmitter::steps_of_turn() const {
  const std::int64_t distance = spec_.stride_x * pixel_stride_;
  // Products that are not yet added up take registers: LLVM would compute those of later steps first.
  const std::int64_t most = (format_.multiplies_first() ? 1 : kUnroll) * format_.group;
  return distance > 0 ? std::min(most, std::lcm(distance, format_.group)) : most;
}

void DenseEmitter::emit_inner(const Tile& tile, llvm::Value* a, llvm::Value* b, llvm::Value* panel_stride, llvm::Value* length) {
  const std::int64_t group = format_.group, turn = steps_of_turn();
  const auto* known = llvm::dyn_cast<llvm::ConstantInt>(length);
  llvm::Value* even = known ? index(format_.padded(known->getSExtValue()) / turn * turn) : ir().CreateSub(length, ir().CreateURem(length, index(turn)));
  llvm::Instruction* latch = emitter_.emit_loop(index(0), even, turn, "sum", [&](llvm::Value* k) {
    for (std::int64_t u = 0; u < turn; u += group) emit_step(tile, a, b, panel_stride, ir().CreateAdd(k, index(u)));
  });
  if (latch && turn < kUnroll * group) keep_rolled(*latch);
  if (known) {
    for (std::int64_t k = format_.padded(known->getSExtValue()) / turn * turn; k < known->getSExtValue(); k += group) emit_step(tile, a, b, panel_stride, index(k));
  } else {
    emitter_.emit_loop(even, length, group, "sum_rest", [&](llvm::Value* k) { emit_step(tile, a, b, panel_stride, k); });
  }
}

/// One outer product: sums[i][j] += a[i] * b[j], of one step of the sum or of a group of them.
void DenseEmitter::emit_step(const Tile& tile, llvm::Value* a, llvm::Value* b, llvm::Value* panel_stride, llvm::Value* k) {
  const std::int64_t per_panel = vectors_per_panel();
  // A group of steps of one column lies together: where step k begins, k is a multiple of the group.
  llvm::Value* k_columns = ir().CreateMul(k, index(kPanelColumns));
  std::vector<llvm::Value*> row;  // of b
  for (std::int64_t p = 0; p < tile.panels; ++p) {
    llvm::Value* panel = in_panels(b, ir().CreateMul(panel_stride, index(p)));
    for (std::int64_t v = 0; v < per_panel; ++v) row.push_back(row_of_b(in_panels(in_panels(panel, k_columns), index(v * lanes_ * format_.group))));
    llvm::Value* ahead = in_panels(in_panels(panel, k_columns), index(kPrefetchSteps * format_.group * kPanelColumns));
    ir().CreateIntrinsic(llvm::Intrinsic::prefetch, {ahead->getType()}, {ahead, ir().getInt32(0), ir().getInt32(3), ir().getInt32(1)});
  }
  emit_outer_product(tile, in_a(a, k), row);
}

void DenseEmitter::emit_outer_product(const Tile& tile, llvm::Value* a, const std::vector<llvm::Value*>& row) {
  for (std::int64_t i = 0; i < tile.rows(); ++i) {
    llvm::Value* spread = spread_of_a(in_a(a, row_offset(tile, i)));
    for (std::size_t j = 0; j < row.size(); ++j) {
      llvm::AllocaInst* sum = sums_[static_cast<std::size_t>(i) * row.size() + j];
      ir().CreateStore(multiply_add(spread, row[j], ir().CreateLoad(vector_, sum)), sum);
    }
  }
}

llvm::Value* DenseEmitter::spread_of_a(llvm::Value* pointer) {
  llvm::Type* stored = memory_type(ir().getContext(), format_.a);
  const auto lanes = static_cast<unsigned>(lanes_);
  if (!format_.is_grouped()) return ir().CreateVectorSplat(lanes, emitter_.load(a_, pointer, stored, format_.a_bytes()));
  auto* group = llvm::FixedVectorType::get(stored, static_cast<unsigned>(format_.group));
  llvm::Value* loaded = emitter_.load(a_, pointer, group, format_.a_bytes());
  return ir().CreateVectorSplat(lanes, ir().CreateBitCast(loaded, ir().getInt32Ty()));
}

llvm::Value* DenseEmitter::row_of_b(llvm::Value* pointer) {
  auto* stored = llvm::FixedVectorType::get(memory_type(ir().getContext(), format_.b), static_cast<unsigned>(lanes_ * format_.group));
  llvm::Value* loaded = emitter_.load(b_, pointer, stored, lanes_ * format_.group * format_.b_bytes());
  // What is summed in pairs is multiplied in the type of `a`.
  return emit_cast(ir(), format_.b, !format_.is_grouped() ? spec_.compute : format_.a == DType::i16 ? DType::i16 : format_.b, loaded, emitter_.options().has_f16c);
}

llvm::Value* DenseEmitter::multiply_add(llvm::Value* a, llvm::Value* b, llvm::Value* sum) {
  if (format_.is_grouped()) return multiply_add_groups(a, b, sum);
  if (!element_->isFloatingPointTy()) return ir().CreateAdd(ir().CreateMul(a, b), sum);
  return ir().CreateIntrinsic(llvm::Intrinsic::fmuladd, {vector_}, {a, b, sum});
}

/// The instruction that multiplies groups and adds their products up.
llvm::Value* DenseEmitter::multiply_add_groups(llvm::Value* a, llvm::Value* b, llvm::Value* sum) {
  using llvm::Intrinsic::ID;
  const std::size_t width = lanes_ == 16 ? 2 : lanes_ == 8 ? 1 : 0;
  static constexpr std::array<ID, 3> kBytes{llvm::Intrinsic::x86_avx512_vpdpbusd_128, llvm::Intrinsic::x86_avx512_vpdpbusd_256, llvm::Intrinsic::x86_avx512_vpdpbusd_512};
  static constexpr std::array<ID, 3> kBf16{llvm::Intrinsic::x86_avx512bf16_dpbf16ps_128, llvm::Intrinsic::x86_avx512bf16_dpbf16ps_256, llvm::Intrinsic::x86_avx512bf16_dpbf16ps_512};
  static constexpr std::array<ID, 3> kPairs{llvm::Intrinsic::x86_sse2_pmadd_wd, llvm::Intrinsic::x86_avx2_pmadd_wd, llvm::Intrinsic::x86_avx512_pmaddw_d_512};
  const ID id = (format_.a == DType::u8 ? kBytes : format_.a == DType::bf16 ? kBf16 : kPairs)[width];
  llvm::Function* function = llvm::Intrinsic::getOrInsertDeclaration(emitter_.function()->getParent(), id);
  const auto operand = [&](llvm::Value* value) { return ir().CreateBitCast(value, function->getFunctionType()->params().back()); };
  if (format_.a == DType::i16) return ir().CreateAdd(ir().CreateCall(function, {operand(a), operand(b)}), sum);
  return ir().CreateCall(function, {sum, operand(a), operand(b)});
}

/// Moves the tile's sums from or to scratch, between blocks of the sum. There lies, for each vector of columns, one line of all the task's positions.
void DenseEmitter::move_partial_sums(const Tile& tile, bool store) {
  const std::int64_t vectors = tile.panels * vectors_per_panel();
  const auto most = [](const TileLine& line, const TaskSplit& split) {
    return (line.is_static() ? (line.count + split.tasks - 1) / split.tasks : split.chunk) * line.size;
  };
  const std::int64_t task_height = most(tiling_.y, tiling_.y_split), task_width = most(tiling_.x, tiling_.x_split);
  llvm::Value* first_vector = ir().CreateSub(ir().CreateUDiv(tile.n, index(lanes_)),
                                             ir().CreateMul(first_column_tile_, index(tiling_.panels * vectors_per_panel())));
  llvm::Value* first_row = ir().CreateAdd(ir().CreateMul(ir().CreateSub(tile.y, y_.begin), index(task_width)), ir().CreateSub(tile.x, x_.begin));
  for (std::int64_t i = 0; i < tile.rows(); ++i) {
    llvm::Value* row = ir().CreateAdd(first_row, index(i / tile.width * task_width + i % tile.width));
    for (std::int64_t j = 0; j < vectors; ++j) {
      llvm::Value* line = ir().CreateMul(ir().CreateAdd(first_vector, index(j)), index(task_height * task_width));
      llvm::Value* pointer = at(partial_.base, ir().CreateMul(ir().CreateAdd(line, row), index(lanes_)));
      llvm::AllocaInst* sum = sums_[i * vectors + j];
      if (store) {
        emitter_.store(partial_, pointer, ir().CreateLoad(vector_, sum), element_bytes_);
      } else {
        ir().CreateStore(emitter_.load(partial_, pointer, vector_, element_bytes_), sum);
      }
    }
  }
}

/// Computes and stores the results from the sums, row by row.
void DenseEmitter::emit_epilogue(const Tile& tile) {
  const std::int64_t vectors = tile.panels * vectors_per_panel();
  const int output = static_cast<int>(spec_.buffers.size()) - 1;
  const auto columns = spec_.n.extent.constant();
  for (std::int64_t j = 0; j < vectors; ++j) {
    llvm::Value* n = ir().CreateAdd(tile.n, index(j * lanes_));
    Lanes lanes{spec_.n.var, static_cast<int>(lanes_), nullptr};
    if (tile.masked) {
      llvm::Value* left = ir().CreateSub(dim(spec_.n.extent), n);
      // Constant tails need no mask where all lanes are live, and no code where none is.
      const auto* known = llvm::dyn_cast<llvm::ConstantInt>(left);
      if (columns && known && known->getSExtValue() <= 0) continue;
      if (!known || known->getSExtValue() < lanes_) lanes.mask = lanes_below(left, lanes_);
    }
    for (std::int64_t i = 0; i < tile.rows(); ++i) {
      emitter_.bind(spec_.y.var, ir().CreateAdd(tile.y, index(i / tile.width)));
      emitter_.bind(spec_.x.var, ir().CreateAdd(tile.x, index(i % tile.width)));
      emitter_.bind(spec_.n.var, n);
      emitter_.bind(spec_.accumulator, ir().CreateLoad(vector_, sums_[i * vectors + j]));
      emitter_.store(output, spec_.offset, emitter_.vector(spec_.result, lanes), lanes);
    }
  }
}

}  // namespace intaglio::cpu
