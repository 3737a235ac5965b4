// For each output row the taps that fall on input rows, for each position those that fall on input columns: the interior of a row has all of its columns
// and runs in tiles of several positions whose sums stay in registers; a border position runs alone over the columns that it has.
// 8-bit integers are summed in f32, which holds such sums exactly.

#include "codegen/cpu/depthwise.h"

#include <llvm/IR/Intrinsics.h>

#include <algorithm>

#include "codegen/cpu/emitter_state.h"
#include "codegen/schedule/step_format.h"
#include "codegen/schedule/tiling.h"
#include "support/ceil_div.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

/// Rows of an image are shared among at most this many tasks.
constexpr std::int64_t kMostRowTasks = 16;

/// f32 holds every integer up to 2^24: sums of this many products of 8-bit integers.
constexpr std::int64_t kMostIntegerTaps = (1 << 24) / (255 * 128);

/// The load behind an operand that is read as it lies in memory, perhaps widened; null for others.
const kernel::ExprNode* plain_load(const kernel::Expr& operand) {
  const kernel::ExprNode* load = load_behind_casts(operand);
  if (!load || operand.get() == load) return load;
  const bool is_half = is_float(load->dtype) && dtype_bits(load->dtype) == 16;
  const bool is_byte = load->dtype == DType::u8 || load->dtype == DType::i8;
  return is_half || is_byte ? load : nullptr;
}

/// What the products of a depthwise convolution are summed in.
DType register_dtype(const Contraction& spec) { return spec.compute == DType::i32 ? DType::f32 : spec.compute; }

class DepthwiseEmitter {
 public:
  DepthwiseEmitter(llvm::Module& module, const Contraction& spec, const DepthwisePlan& plan, const EmitOptions& options)
      : spec_(spec),
        plan_(plan),
        emitter_(module, spec.name, spec.buffers, spec.symbols, spec.task_var, options),
        sum_dtype_(register_dtype(spec)),
        taps_y_(spec.r.extent.value()),
        taps_x_(spec.s.extent.value()) {
    lanes_ = std::min<std::int64_t>(kPanelColumns, options.vector_bytes / (dtype_bits(spec.compute) / 8));
    vector_ = llvm::FixedVectorType::get(sum_dtype_ == DType::f64 ? ir().getDoubleTy() : ir().getFloatTy(), static_cast<unsigned>(lanes_));
  }

  void emit() {
    input_dtype_ = spec_.buffers[plain_load(spec_.a)->buffer].dtype;
    weight_dtype_ = spec_.buffers[spec_.constant_b].dtype;
    input_ = emitter_.buffer_span(plain_load(spec_.a)->buffer);
    weights_ = emitter_.buffer_span(spec_.constant_b);
    llvm::Value* task = emitter_.scalar(kernel::var(spec_.task_var));
    llvm::Value* height = dim(spec_.y.extent);
    llvm::Value* shares = plan_.row_tasks ? index(plan_.row_tasks) : height;
    emitter_.bind(spec_.batch[0].var, ir().CreateUDiv(task, shares));
    llvm::Value* share = ir().CreateURem(task, shares);
    llvm::Value* first = plan_.row_tasks ? ir().CreateUDiv(ir().CreateMul(share, height), shares) : share;
    llvm::Value* last = plan_.row_tasks ? ir().CreateUDiv(ir().CreateMul(ir().CreateAdd(share, index(1)), height), shares) : ir().CreateAdd(share, index(1));
    emitter_.emit_loop(first, last, 1, "row", [&](llvm::Value* y) { emit_row(y); });
    emitter_.finish();
  }

 private:
  llvm::IRBuilder<>& ir() { return emitter_.builder(); }
  llvm::Value* index(std::int64_t value) { return ir().getInt64(static_cast<std::uint64_t>(value)); }
  llvm::Value* dim(const Dim& value) { return emitter_.scalar(kernel::from_dim(value)); }
  llvm::Type* stored(DType dtype) { return memory_type(ir().getContext(), dtype); }
  /// A vector of `dtype`, widened to what is computed in.
  llvm::Value* load_widened(const Span& span, llvm::Value* pointer, DType dtype, llvm::Value* mask) {
    auto* type = llvm::FixedVectorType::get(stored(dtype), static_cast<unsigned>(lanes_));
    return emit_cast(ir(), dtype, sum_dtype_, emitter_.load(span, pointer, type, dtype_bits(dtype) / 8, mask), emitter_.options().has_f16c);
  }
  llvm::Value* clamp(llvm::Value* value, llvm::Value* low, llvm::Value* high) {
    return ir().CreateBinaryIntrinsic(llvm::Intrinsic::smax, low, ir().CreateBinaryIntrinsic(llvm::Intrinsic::smin, value, high));
  }

  struct Taps {
    llvm::Value *first, *last;
  };
  /// The taps of an output position that fall on the input: those t with 0 <= position * stride + t * dilation - pad < extent.
  Taps taps_inside(llvm::Value* position, std::int64_t stride, std::int64_t dilation, const Dim& pad, const Dim& extent, std::int64_t taps) {
    llvm::Value* before = ir().CreateSub(dim(pad), ir().CreateMul(position, index(stride)));
    const auto rounded_up = [&](llvm::Value* distance) {
      llvm::Value* positive = ir().CreateBinaryIntrinsic(llvm::Intrinsic::smax, distance, index(0));
      return ir().CreateUDiv(ir().CreateAdd(positive, index(dilation - 1)), index(dilation));
    };
    llvm::Value* first = clamp(rounded_up(before), index(0), index(taps));
    llvm::Value* last = clamp(rounded_up(ir().CreateAdd(before, dim(extent))), first, index(taps));
    return {first, last};
  }

  void emit_row(llvm::Value* y) {
    const Taps rows = taps_inside(y, spec_.stride_y, spec_.dilation_y, spec_.pad_y, spec_.input_height, taps_y_);
    llvm::Value* width = dim(spec_.x.extent);
    llvm::Value* stride = index(spec_.stride_x);
    // The first position whose first tap is inside, and the one after the last whose last tap is.
    llvm::Value* begin = clamp(ir().CreateUDiv(ir().CreateAdd(dim(spec_.pad_x), index(spec_.stride_x - 1)), stride), index(0), width);
    llvm::Value* room = ir().CreateAdd(ir().CreateSub(dim(spec_.input_width), index((taps_x_ - 1) * spec_.dilation_x + 1)), dim(spec_.pad_x));
    llvm::Value* fits = ir().CreateAdd(ir().CreateUDiv(ir().CreateBinaryIntrinsic(llvm::Intrinsic::smax, room, index(0)), stride), index(1));
    llvm::Value* end = clamp(ir().CreateSelect(ir().CreateICmpSLT(room, index(0)), index(0), fits), begin, width);

    const auto border = [&](llvm::Value* x) {
      const Taps columns = taps_inside(x, spec_.stride_x, spec_.dilation_x, spec_.pad_x, spec_.input_width, taps_x_);
      emit_tile(y, x, 1, rows, &columns);
    };
    emitter_.emit_loop(index(0), begin, 1, "left", border);
    llvm::Value* rest = ir().CreateURem(ir().CreateSub(end, begin), index(plan_.positions));
    llvm::Value* even = ir().CreateSub(end, rest);
    emitter_.emit_loop(begin, even, plan_.positions, "tile", [&](llvm::Value* x) { emit_tile(y, x, plan_.positions, rows, nullptr); });
    emitter_.emit_loop(even, end, 1, "single", [&](llvm::Value* x) { emit_tile(y, x, 1, rows, nullptr); });
    emitter_.emit_loop(end, width, 1, "right", border);
  }

  /// `count` positions from (y, x), all channels. `columns`: the taps of a border position; null where all are inside.
  void emit_tile(llvm::Value* y, llvm::Value* x, std::int64_t count, const Taps& rows, const Taps* columns) {
    const std::int64_t channels = spec_.n.extent.value();
    const std::int64_t even = channels / lanes_ * lanes_;
    const auto at_channels = [&](llvm::Value* n, llvm::Value* mask) {
      std::vector<llvm::AllocaInst*> sums = make_sums(count, n);
      emitter_.emit_loop(rows.first, rows.last, 1, "tap_row", [&](llvm::Value* r) {
        llvm::Value* input = input_pointer(y, x, r, n);
        llvm::Value* weights = ir().CreateInBoundsGEP(stored(weight_dtype_), weights_.base, ir().CreateAdd(ir().CreateMul(r, index(taps_x_ * padded_channels())), n));
        if (columns) {
          emitter_.emit_loop(columns->first, columns->last, 1, "tap", [&](llvm::Value* s) { emit_tap(sums, input, weights, s, mask); });
        } else {
          for (std::int64_t s = 0; s < taps_x_; ++s) emit_tap(sums, input, weights, index(s), mask);
        }
      });
      emit_epilogue(sums, y, x, n, mask);
    };
    emitter_.emit_loop(index(0), index(even), lanes_, "channels", [&](llvm::Value* n) { at_channels(n, nullptr); });
    if (even == channels) return;
    std::vector<llvm::Constant*> live;
    for (std::int64_t i = 0; i < lanes_; ++i) live.push_back(ir().getInt1(i < channels - even));
    at_channels(index(even), llvm::ConstantVector::get(live));
  }

  std::int64_t padded_channels() const { return ceil_div(spec_.n.extent.value(), kPanelColumns) * kPanelColumns; }

  std::vector<llvm::AllocaInst*> make_sums(std::int64_t count, llvm::Value* n) {
    llvm::BasicBlock& entry = emitter_.function()->getEntryBlock();
    llvm::IRBuilder<> at_entry(&entry, entry.begin());
    llvm::Value* first = sum_of_padding(n);
    std::vector<llvm::AllocaInst*> sums;
    for (std::int64_t i = 0; i < count; ++i) {
      sums.push_back(at_entry.CreateAlloca(vector_));
      ir().CreateStore(first, sums.back());
    }
    return sums;
  }

  /// The sum where every tap falls on padding. Taps inside add what their input is more.
  llvm::Value* sum_of_padding(llvm::Value* n) {
    llvm::Value* sum = llvm::Constant::getNullValue(vector_);
    if (spec_.pad_value == 0) return sum;
    for (std::int64_t tap = 0; tap < taps_y_ * taps_x_; ++tap) {
      llvm::Value* pointer = ir().CreateInBoundsGEP(stored(weight_dtype_), weights_.base, ir().CreateAdd(index(tap * padded_channels()), n));
      sum = ir().CreateFAdd(sum, load_widened(weights_, pointer, weight_dtype_, nullptr));
    }
    return ir().CreateFMul(sum, padding());
  }

  llvm::Constant* padding() const { return llvm::ConstantFP::get(vector_, static_cast<double>(spec_.pad_value)); }

  /// The input of the first position of a tile under tap (r, 0); with columns outside, an address that only inner taps are read from.
  llvm::Value* input_pointer(llvm::Value* y, llvm::Value* x, llvm::Value* r, llvm::Value* n) {
    llvm::Value* row = ir().CreateSub(ir().CreateAdd(ir().CreateMul(y, index(spec_.stride_y)), ir().CreateMul(r, index(spec_.dilation_y))), dim(spec_.pad_y));
    emitter_.bind(spec_.a_y, row);
    emitter_.bind(spec_.a_x, ir().CreateSub(ir().CreateMul(x, index(spec_.stride_x)), dim(spec_.pad_x)));
    emitter_.bind(spec_.n.var, n);
    // No inbounds: left of the first column the address itself lies outside.
    return ir().CreateGEP(stored(input_dtype_), input_.base, emitter_.scalar(plain_load(spec_.a)->args[0]));
  }

  void emit_tap(const std::vector<llvm::AllocaInst*>& sums, llvm::Value* input, llvm::Value* weights, llvm::Value* s, llvm::Value* mask) {
    llvm::Value* weight = load_widened(weights_, ir().CreateInBoundsGEP(stored(weight_dtype_), weights, ir().CreateMul(s, index(padded_channels()))), weight_dtype_, nullptr);
    llvm::Value* tap = ir().CreateGEP(stored(input_dtype_), input, ir().CreateMul(s, index(spec_.dilation_x * plan_.pixel_stride)));
    for (std::size_t i = 0; i < sums.size(); ++i) {
      llvm::Value* pointer = ir().CreateGEP(stored(input_dtype_), tap, index(static_cast<std::int64_t>(i) * spec_.stride_x * plan_.pixel_stride));
      llvm::Value* value = load_widened(input_, pointer, input_dtype_, mask);
      if (spec_.pad_value != 0) value = ir().CreateFSub(value, padding());
      ir().CreateStore(ir().CreateIntrinsic(llvm::Intrinsic::fmuladd, {vector_}, {value, weight, ir().CreateLoad(vector_, sums[i])}), sums[i]);
    }
  }

  void emit_epilogue(const std::vector<llvm::AllocaInst*>& sums, llvm::Value* y, llvm::Value* x, llvm::Value* n, llvm::Value* mask) {
    const Lanes lanes{spec_.n.var, static_cast<int>(lanes_), mask};
    for (std::size_t i = 0; i < sums.size(); ++i) {
      emitter_.bind(spec_.y.var, y);
      emitter_.bind(spec_.x.var, ir().CreateAdd(x, index(static_cast<std::int64_t>(i))));
      emitter_.bind(spec_.n.var, n);
      llvm::Value* sum = ir().CreateLoad(vector_, sums[i]);
      if (sum_dtype_ != spec_.compute) sum = ir().CreateFPToSI(sum, llvm::FixedVectorType::get(ir().getInt32Ty(), static_cast<unsigned>(lanes_)));
      emitter_.bind(spec_.accumulator, sum);
      emitter_.store(static_cast<int>(spec_.buffers.size()) - 1, spec_.offset, emitter_.vector(spec_.result, lanes), lanes);
    }
  }

  const Contraction& spec_;
  const DepthwisePlan& plan_;
  FunctionEmitter emitter_;
  const DType sum_dtype_;
  const std::int64_t taps_y_, taps_x_;
  Span input_, weights_;
  DType input_dtype_ = DType::f32, weight_dtype_ = DType::f32;  ///< in memory
  llvm::VectorType* vector_ = nullptr;
  std::int64_t lanes_ = 0;
};

}  // namespace

std::optional<DepthwisePlan> plan_depthwise(const Contraction& spec, int vector_registers) {
  if (spec.compute != DType::f32 && spec.compute != DType::f64 && spec.compute != DType::i32) return std::nullopt;
  if (!plain_load(spec.a) || spec.a->dtype != spec.compute || spec.constant_b < 0) return std::nullopt;
  const auto taps = spec.reduction_extent().constant();
  if (spec.compute == DType::i32 && (!taps || *taps > kMostIntegerTaps)) return std::nullopt;
  if (!spec.r.extent.is_constant() || !spec.s.extent.is_constant() || !spec.n.extent.is_constant()) return std::nullopt;
  const kernel::Expr& offset = plain_load(spec.a)->args[0];
  const auto n = kernel::linear_in(offset, spec.n.var), x = kernel::linear_in(offset, spec.a_x), y = kernel::linear_in(offset, spec.a_y);
  if (!n || !x || !y || kernel::constant_value(n->stride) != 1) return std::nullopt;
  const auto pixel_stride = kernel::constant_value(x->stride);
  if (!pixel_stride) return std::nullopt;
  DepthwisePlan plan;
  plan.pixel_stride = *pixel_stride;
  plan.positions = vector_registers >= 32 ? 8 : 6;
  if (const auto rows = spec.y.extent.constant()) plan.row_tasks = std::clamp<std::int64_t>(*rows, 1, kMostRowTasks);
  plan.tasks = spec.batch[0].extent * (plan.row_tasks ? Dim(plan.row_tasks) : spec.y.extent);
  return plan;
}

void emit_depthwise(llvm::Module& module, const Contraction& spec, const DepthwisePlan& plan, const EmitOptions& options) {
  Contraction packed = spec;
  packed.buffers[spec.constant_b].elements = spec.r.extent * spec.s.extent * Dim::ceildiv(spec.n.extent, kPanelColumns) * kPanelColumns;
  DepthwiseEmitter(module, packed, plan, options).emit();
}

}  // namespace intaglio::cpu
