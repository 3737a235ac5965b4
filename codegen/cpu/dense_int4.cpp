// The hot loop over weights of 4 bits. A panel holds them in words of 32 bits, eight steps of the sum of one column each; a row of words is shifted eight times,
// and its lowest (or, sign-extended, highest) bits become floats. The integers are summed as they are; where channels stop sharing a scale, the sums of the block
// are multiplied by it: that takes a multiplication for each 32 additions, with none for each weight.

#include <llvm/IR/Intrinsics.h>
#include <llvm/IR/IntrinsicsX86.h>

#include "codegen/cpu/dense_emitter.h"
#include "codegen/cpu/emitter_state.h"
#include "support/ceil_div.h"

namespace intaglio::cpu {
namespace {

constexpr std::int64_t kBits = 4;
constexpr std::int64_t kWordBits = kBits * kInt4Word;
/// How many rows of words ahead a panel is fetched: they stream from memory.
constexpr std::int64_t kPrefetchRows = 8;
/// With more rows, three instructions that any port takes cost less than two that wait for the one which permutes.
constexpr std::int64_t kMostLookupRows = 3;

std::int64_t words_of_tap(const Contraction& spec) { return ceil_div(spec.c.extent.value(), kInt4Word); }
std::int64_t scales_of_tap(const Contraction& spec) { return ceil_div(spec.c.extent.value(), spec.scale_block); }
std::int64_t taps(const Contraction& spec) { return (spec.r.extent * spec.s.extent).value(); }

}  // namespace

std::int64_t int4_words(const Contraction& spec) { return taps(spec) * words_of_tap(spec); }
std::int64_t int4_scales(const Contraction& spec) { return taps(spec) * scales_of_tap(spec); }

/// Runs over taps; a block of the sum (depth) begins where channels begin to share a scale, or lies within such a block.
void DenseEmitter::emit_int4_sum(const Tile& tile, const Depth& depth) {
  llvm::Value* a = operand_pointer(tile, depth);
  llvm::Value* panel = first_panel(tile);
  const auto row = [&](const Span& span, llvm::Type* type, std::int64_t rows_of_panel, llvm::Value* first) {
    llvm::Value* rows = ir().CreateAdd(ir().CreateMul(panel, index(rows_of_panel)), first);
    return ir().CreateInBoundsGEP(type, span.base, ir().CreateMul(rows, index(kPanelColumns)));
  };
  llvm::Type* scale = memory_type(ir().getContext(), spec_.buffers[spec_.scales].dtype);
  const auto emit_tap = [&](llvm::Value* tap, llvm::Value* a_tap) {
    llvm::Value* word = ir().CreateAdd(ir().CreateMul(tap, index(words_of_tap(spec_))), ir().CreateUDiv(depth.begin, index(kInt4Word)));
    llvm::Value* block = ir().CreateAdd(ir().CreateMul(tap, index(scales_of_tap(spec_))), ir().CreateUDiv(depth.begin, index(spec_.scale_block)));
    emit_int4_blocks(tile, a_tap, row(b_, ir().getInt32Ty(), int4_words(spec_), word), row(scales_, scale, int4_scales(spec_), block), depth.length);
  };
  if (taps(spec_) == 1) return emit_tap(index(0), a);
  emitter_.emit_loop(index(0), dim(spec_.r.extent), 1, "tap", [&](llvm::Value* r) {
    emitter_.emit_loop(index(0), dim(spec_.s.extent), 1, "tap", [&](llvm::Value* s) {
      llvm::Value* y = ir().CreateMul(ir().CreateMul(r, index(spec_.dilation_y)), row_stride_);
      llvm::Value* x = ir().CreateMul(s, index(spec_.dilation_x * pixel_stride_));
      emit_tap(ir().CreateAdd(ir().CreateMul(r, dim(spec_.s.extent)), s), in_a(a, ir().CreateAdd(y, x)));
    });
  });
}

/// Adds the products of `length` channels to the tile's sums, block by block.
void DenseEmitter::emit_int4_blocks(const Tile& tile, llvm::Value* a, llvm::Value* words, llvm::Value* scales, llvm::Value* length) {
  const std::vector<llvm::AllocaInst*> totals = sums_;
  llvm::BasicBlock& entry = emitter_.function()->getEntryBlock();
  llvm::IRBuilder<> entry_builder(&entry, entry.begin());
  for (llvm::AllocaInst*& sum : sums_) sum = entry_builder.CreateAlloca(vector_);

  const std::int64_t tail = spec_.c.extent.value() % kInt4Word;
  emitter_.emit_loop(index(0), length, spec_.scale_block, "block", [&](llvm::Value* begin) {
    llvm::Value* end = minimum(ir().CreateAdd(begin, index(spec_.scale_block)), length);
    llvm::Value* even = ir().CreateAnd(end, index(~(kInt4Word - 1)));
    for (llvm::AllocaInst* sum : sums_) ir().CreateStore(llvm::Constant::getNullValue(vector_), sum);
    emitter_.emit_loop(begin, even, kInt4Word, "sum", [&](llvm::Value* k) { emit_int4_steps(tile, a, words, k, kInt4Word); });
    if (tail) when(ir().CreateICmpNE(even, end), [&] { emit_int4_steps(tile, a, words, even, tail); });

    const DType stored = spec_.buffers[spec_.scales].dtype;
    auto* type = llvm::FixedVectorType::get(memory_type(ir().getContext(), stored), static_cast<unsigned>(lanes_));
    llvm::Value* row = ir().CreateMul(ir().CreateUDiv(begin, index(spec_.scale_block)), index(kPanelColumns));
    const std::int64_t vectors = tile.panels * vectors_per_panel();
    for (std::int64_t j = 0; j < vectors; ++j) {
      const std::int64_t panel = j / vectors_per_panel(), vector = j % vectors_per_panel();
      llvm::Value* element = ir().CreateAdd(row, index(panel * int4_scales(spec_) * kPanelColumns + vector * lanes_));
      llvm::Value* loaded = emitter_.load(scales_, ir().CreateInBoundsGEP(type->getElementType(), scales, element), type, dtype_bits(stored) / 8);
      llvm::Value* scale = emit_cast(ir(), stored, spec_.compute, loaded, emitter_.options().has_f16c);
      for (std::int64_t i = 0; i < tile.rows(); ++i) {
        llvm::AllocaInst* total = totals[i * vectors + j];
        ir().CreateStore(multiply_add(ir().CreateLoad(vector_, sums_[i * vectors + j]), scale, ir().CreateLoad(vector_, total)), total);
      }
    }
  });
  sums_ = totals;
}

/// Adds the products of the first `steps` channels of a row of words.
void DenseEmitter::emit_int4_steps(const Tile& tile, llvm::Value* a, llvm::Value* words, llvm::Value* k, std::int64_t steps) {
  auto* type = llvm::FixedVectorType::get(ir().getInt32Ty(), static_cast<unsigned>(lanes_));
  llvm::Value* first = ir().CreateMul(ir().CreateUDiv(k, index(kInt4Word)), index(kPanelColumns));
  std::vector<llvm::Value*> row;
  for (std::int64_t p = 0; p < tile.panels; ++p) {
    llvm::Value* panel = ir().CreateInBoundsGEP(ir().getInt32Ty(), words, ir().CreateAdd(first, index(p * int4_words(spec_) * kPanelColumns)));
    for (std::int64_t v = 0; v < vectors_per_panel(); ++v) {
      row.push_back(emitter_.load(b_, ir().CreateInBoundsGEP(ir().getInt32Ty(), panel, index(v * lanes_)), type, kWordBits / 8));
    }
    llvm::Value* ahead = ir().CreateInBoundsGEP(ir().getInt32Ty(), panel, index(kPrefetchRows * kPanelColumns));
    ir().CreateIntrinsic(llvm::Intrinsic::prefetch, {ahead->getType()}, {ahead, ir().getInt32(0), ir().getInt32(3), ir().getInt32(1)});
  }
  for (std::int64_t step = 0; step < steps; ++step) {
    std::vector<llvm::Value*> weights;
    for (llvm::Value* word : row) weights.push_back(tile.rows() <= kMostLookupRows && lanes_ == 16 ? looked_up(word, step) : unpacked(word, step));
    emit_outer_product(tile, in_a(a, ir().CreateAdd(k, index(step))), weights);
  }
}

/// The weights of step `step` in a vector of words, as floats ..
llvm::Value* DenseEmitter::unpacked(llvm::Value* words, std::int64_t step) {
  llvm::Value* highest = ir().CreateShl(words, static_cast<std::uint64_t>(kWordBits - kBits * (step + 1)));
  return ir().CreateSIToFP(ir().CreateAShr(highest, kWordBits - kBits), vector_);
}

/// .. and by the instruction of AVX-512 that looks 16 floats up by the lowest four bits of each lane.
llvm::Value* DenseEmitter::looked_up(llvm::Value* words, std::int64_t step) {
  std::vector<llvm::Constant*> values;
  for (int i = 0; i < 16; ++i) values.push_back(llvm::ConstantFP::get(element_, i < 8 ? i : i - 16));
  llvm::Value* lowest = ir().CreateLShr(words, static_cast<std::uint64_t>(kBits * step));
  return ir().CreateIntrinsic(llvm::Intrinsic::x86_avx512_permvar_sf_512, {}, {llvm::ConstantVector::get(values), lowest});
}

}  // namespace intaglio::cpu
