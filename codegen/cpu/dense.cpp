// Plans scratch and tasks of a dense contraction and emits the loops around the tiles.

#include "codegen/cpu/dense.h"

#include <llvm/IR/Function.h>

#include "codegen/cpu/dense_emitter.h"
#include "codegen/cpu/emitter_state.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

using kernel::Expr;

constexpr std::int64_t kCacheLine = 64;

Dim round_up(const Dim& value, std::int64_t multiple) { return Dim::ceildiv(value, multiple) * multiple; }

/// The strides of `a` if it is a plain load of consecutive channels at constant distances, with every tap inside of the input.
std::optional<OperandStrides> strides_in_place(const Contraction& spec, const StepFormat& format) {
  const kernel::ExprNode* load = load_behind_casts(spec.a);
  if (spec.padded || !load || load->dtype != format.a) return std::nullopt;
  // A group reaches beyond channels that do not fill it.
  if (format.is_grouped() && spec.c.extent.value() % format.group != 0) return std::nullopt;
  const Expr& offset = load->args[0];
  const auto c = kernel::linear_in(offset, spec.c.var);
  const auto x = kernel::linear_in(offset, spec.a_x);
  const auto y = kernel::linear_in(offset, spec.a_y);
  if (!c || !x || !y) return std::nullopt;
  const auto c_stride = kernel::constant_value(c->stride);
  const auto x_stride = kernel::constant_value(x->stride);
  if ((c_stride != 1 && spec.c.extent != Dim(1)) || !x_stride) return std::nullopt;
  // Rows that depend on each other's position (a diagonal view) have no constant distance.
  if (kernel::depends_on(y->stride, spec.a_x) || kernel::depends_on(x->rest, spec.a_x)) return std::nullopt;
  return OperandStrides{kernel::constant_value(y->stride), *x_stride};
}

/// Positions that a task has at most.
std::int64_t most_positions(const TileLine& line, const TaskSplit& split) {
  if (!line.is_static()) return split.chunk * line.size;
  return (line.count + split.tasks - 1) / split.tasks * line.size;
}

Dim task_count(const TileLine& line, const TaskSplit& split, const Dim& extent) {
  return line.is_static() ? Dim(split.tasks) : Dim::ceildiv(extent, split.chunk * line.size);
}

}  // namespace

std::optional<DensePlan> plan_dense(const Contraction& spec, const TileTraits& traits) {
  const auto taps_y = spec.r.extent.constant(), taps_x = spec.s.extent.constant(), channels = spec.c.extent.constant();
  if (!taps_y || !taps_x) return std::nullopt;
  if (!channels && (*taps_y != 1 || *taps_x != 1)) return std::nullopt;
  for (const Axis* axis : {&spec.y, &spec.x, &spec.n, &spec.c}) {
    if (axis->extent == Dim(0)) return std::nullopt;
  }

  DensePlan plan;
  plan.format = choose_step_format(spec, traits.dot);
  plan.direct = strides_in_place(spec, plan.format);
  plan.tiling = choose_tiling(spec, plan.format, plan.direct, traits);
  const Tiling& tiling = plan.tiling;

  plan.tasks = task_count(tiling.y, tiling.y_split, spec.y.extent) * task_count(tiling.x, tiling.x_split, spec.x.extent);
  for (const Axis& axis : spec.batch) plan.tasks = plan.tasks * axis.extent;
  const Dim column_tiles = Dim::ceildiv(spec.n.extent, tiling.panels * kPanelColumns);
  const bool static_columns = tiling.column_tiles > 0;
  plan.tasks = plan.tasks * (static_columns ? Dim(tiling.column_split.tasks) : Dim::ceildiv(column_tiles, tiling.column_split.chunk));

  const std::int64_t rows = most_positions(tiling.y, tiling.y_split), columns = most_positions(tiling.x, tiling.x_split);
  const std::int64_t task_panels =
      tiling.panels * (static_columns ? (tiling.column_tiles + tiling.column_split.tasks - 1) / tiling.column_split.tasks : tiling.column_split.chunk);
  if (tiling.slab) {
    plan.slab_width = (columns - 1) * spec.stride_x + (*taps_x - 1) * spec.dilation_x + 1;
    const std::int64_t slab_height = (rows - 1) * spec.stride_y + (*taps_y - 1) * spec.dilation_y + 1;
    // The last group may reach beyond the last position.
    plan.slab_elements = round_up(slab_height * plan.slab_width * tiling.slab_pitch + plan.format.group - 1, kCacheLine / plan.format.a_bytes());
  }
  if (spec.constant_b < 0) plan.packed_elements = spec.reduction_extent() * (task_panels * kPanelColumns);
  if (tiling.depth) plan.partial_elements = rows * columns * task_panels * kPanelColumns;
  plan.scratch_bytes = plan.slab_elements * plan.format.a_bytes() + (plan.packed_elements + plan.partial_elements) * (dtype_bits(spec.compute) / 8);
  return plan;
}

void emit_dense(llvm::Module& module, const Contraction& spec, const DensePlan& plan, const EmitOptions& options) {
  Contraction packed = spec;
  if (spec.constant_b >= 0) {
    const Dim groups = spec.group_axis >= 0 ? spec.batch[spec.group_axis].extent : Dim(1);
    const Dim panels = groups * panel_count(spec.n.extent);
    packed.buffers[spec.constant_b].elements = panels * plan.format.steps * kPanelColumns;
    if (plan.format.is_int4()) {
      // Read word by word.
      packed.buffers[spec.constant_b] = {packed.buffers[spec.constant_b].name, DType::i32, panels * int4_words(spec) * kPanelColumns};
      packed.buffers[spec.scales].elements = panels * int4_scales(spec) * kPanelColumns;
    }
  }
  DenseEmitter(module, packed, plan, options).emit();
}

DenseEmitter::DenseEmitter(llvm::Module& module, const Contraction& spec, const DensePlan& plan, const EmitOptions& options)
    : spec_(spec),
      plan_(plan),
      tiling_(plan.tiling),
      format_(plan.format),
      emitter_(module, spec.name, spec.buffers, spec.symbols, spec.task_var, options),
      element_bytes_(dtype_bits(spec.compute) / 8) {
  llvm::LLVMContext& context = module.getContext();
  switch (spec.compute) {
    case DType::f32: element_ = llvm::Type::getFloatTy(context); break;
    case DType::f64: element_ = llvm::Type::getDoubleTy(context); break;
    default: element_ = llvm::Type::getIntNTy(context, dtype_bits(spec.compute)); break;
  }
  lanes_ = std::min<std::int64_t>(kPanelColumns, options.vector_bytes / element_bytes_);
  vector_ = llvm::FixedVectorType::get(element_, static_cast<unsigned>(lanes_));
}

void DenseEmitter::emit() {
  bind_task();
  if (spec_.constant_b < 0) pack_panels();
  for_each_depth([&](const Depth& depth) {
    if (tiling_.slab) fill_slab(depth);
    for_each_column_tile([&](std::int64_t panels, llvm::Value* n, bool masked) {
      for_each_tile(tiling_.y, y_, [&](std::int64_t height, llvm::Value* y) {
        for_each_tile(tiling_.x, x_, [&](std::int64_t width, llvm::Value* x) { emit_tile({height, width, panels, y, x, n, masked}, depth); });
      });
    });
  });
  emitter_.finish();
}

/// Splits the task number into batch indices and the ranges of this task, and lays out its scratch.
void DenseEmitter::bind_task() {
  llvm::Value* rest = emitter_.scalar(kernel::var(spec_.task_var));
  const auto take = [&](llvm::Value* count) {
    llvm::Value* taken = ir().CreateURem(rest, count);
    rest = ir().CreateUDiv(rest, count);
    return taken;
  };
  const bool static_columns = tiling_.column_tiles > 0;
  const Dim column_tiles = Dim::ceildiv(spec_.n.extent, tiling_.panels * kPanelColumns);
  const TaskSplit& split = tiling_.column_split;
  if (static_columns) {
    llvm::Value* task = take(index(split.tasks));
    first_column_tile_ = ir().CreateUDiv(ir().CreateMul(task, index(tiling_.column_tiles)), index(split.tasks));
    last_column_tile_ = ir().CreateUDiv(ir().CreateMul(ir().CreateAdd(task, index(1)), index(tiling_.column_tiles)), index(split.tasks));
  } else {
    llvm::Value* task = take(dim(Dim::ceildiv(column_tiles, split.chunk)));
    first_column_tile_ = ir().CreateMul(task, index(split.chunk));
    last_column_tile_ = minimum(ir().CreateAdd(first_column_tile_, index(split.chunk)), dim(column_tiles));
  }
  x_ = task_range(tiling_.x, tiling_.x_split, spec_.x.extent, take(dim(task_count(tiling_.x, tiling_.x_split, spec_.x.extent))));
  y_ = task_range(tiling_.y, tiling_.y_split, spec_.y.extent, take(dim(task_count(tiling_.y, tiling_.y_split, spec_.y.extent))));
  for (std::size_t i = spec_.batch.size(); i-- > 0;) emitter_.bind(spec_.batch[i].var, take(dim(spec_.batch[i].extent)));

  if (plan_.scratch_bytes != Dim(0)) {
    slab_ = {emitter_.scratch_pointer(), dim(plan_.slab_elements), -1};
    packed_ = {in_a(slab_.base, slab_.elements), dim(plan_.packed_elements), -2};
    partial_ = {at(packed_.base, packed_.elements), dim(plan_.partial_elements), -3};
  }
  a_ = tiling_.slab ? slab_ : emitter_.buffer_span(load_behind_casts(spec_.a)->buffer);
  b_ = spec_.constant_b < 0 ? packed_ : emitter_.buffer_span(spec_.constant_b);
  if (format_.is_int4()) {
    // They follow the words.
    scales_ = emitter_.buffer_span(spec_.scales);
    scales_.base = ir().CreateInBoundsGEP(ir().getInt32Ty(), b_.base, b_.elements);
  }
  if (tiling_.slab) {
    pixel_stride_ = tiling_.slab_pitch;
    row_stride_ = index(plan_.slab_width * tiling_.slab_pitch);
  } else {
    pixel_stride_ = plan_.direct->x;
    row_stride_ = emitter_.scalar(kernel::linear_in(load_behind_casts(spec_.a)->args[0], spec_.a_y)->stride);
  }
}

DenseEmitter::Range DenseEmitter::task_range(const TileLine& line, const TaskSplit& split, const Dim& extent, llvm::Value* task) {
  if (!line.is_static()) {
    llvm::Value* begin = ir().CreateMul(task, index(split.chunk * line.size));
    return {begin, minimum(ir().CreateAdd(begin, index(split.chunk * line.size)), dim(extent)), nullptr, nullptr};
  }
  const auto tile_at = [&](llvm::Value* i) { return ir().CreateUDiv(ir().CreateMul(i, index(line.count)), index(split.tasks)); };
  const auto position = [&](llvm::Value* tile) {
    llvm::Value* even = ir().CreateMul(tile, index(line.size));
    if (line.first == line.count) return even;
    return ir().CreateSub(even, maximum(ir().CreateSub(tile, index(line.first)), index(0)));
  };
  llvm::Value* first = tile_at(task);
  llvm::Value* last = tile_at(ir().CreateAdd(task, index(1)));
  return {position(first), position(last), first, last};
}

void DenseEmitter::for_each_depth(const std::function<void(const Depth&)>& body) {
  llvm::Value* channels = dim(spec_.c.extent);
  if (!tiling_.depth) return body({index(0), channels, ir().getTrue(), ir().getTrue()});
  const auto known = spec_.c.extent.constant();
  const bool even = known && *known % tiling_.depth == 0;
  emitter_.emit_loop(index(0), channels, tiling_.depth, "depth", [&](llvm::Value* begin) {
    llvm::Value* left = ir().CreateSub(channels, begin);
    llvm::Value* length = even ? index(tiling_.depth) : minimum(left, index(tiling_.depth));
    body({begin, length, ir().CreateICmpEQ(begin, index(0)), ir().CreateICmpSLE(left, index(tiling_.depth))});
  });
}

void DenseEmitter::for_each_column_tile(const std::function<void(std::int64_t, llvm::Value*, bool)>& body) {
  const std::int64_t width = tiling_.panels * kPanelColumns;
  const auto column = [&](llvm::Value* tile) { return ir().CreateMul(tile, index(width)); };
  if (!tiling_.column_tiles) {
    emitter_.emit_loop(first_column_tile_, last_column_tile_, 1, "columns", [&](llvm::Value* tile) { body(tiling_.panels, column(tile), true); });
    return;
  }
  const std::int64_t last_width = spec_.n.extent.value() - (tiling_.column_tiles - 1) * width;
  if (last_width == width) {
    emitter_.emit_loop(first_column_tile_, last_column_tile_, 1, "columns", [&](llvm::Value* tile) { body(tiling_.panels, column(tile), false); });
    return;
  }
  llvm::Value* partial = index(tiling_.column_tiles - 1);
  if (tiling_.column_tiles > 1) {
    emitter_.emit_loop(first_column_tile_, minimum(last_column_tile_, partial), 1, "columns",
                       [&](llvm::Value* tile) { body(tiling_.panels, column(tile), false); });
  }
  when(ir().CreateICmpEQ(last_column_tile_, index(tiling_.column_tiles)), [&] {
    const std::int64_t panels = (last_width + kPanelColumns - 1) / kPanelColumns;
    body(panels, column(partial), last_width % kPanelColumns != 0);
  });
}

void DenseEmitter::for_each_tile(const TileLine& line, const Range& range, const std::function<void(std::int64_t, llvm::Value*)>& body) {
  if (line.is_static()) {
    llvm::Value* boundary = index(line.first);
    const bool even = line.first == line.count;
    emitter_.emit_loop(range.first_tile, even ? range.last_tile : minimum(range.last_tile, boundary), 1, "tile",
                       [&](llvm::Value* tile) { body(line.size, ir().CreateMul(tile, index(line.size))); });
    if (even) return;
    emitter_.emit_loop(maximum(range.first_tile, boundary), range.last_tile, 1, "tile", [&](llvm::Value* tile) {
      body(line.size - 1, ir().CreateAdd(ir().CreateMul(tile, index(line.size - 1)), boundary));
    });
    return;
  }
  // Full tiles, then the remainder in tiles of powers of two.
  llvm::Value* length = ir().CreateSub(range.end, range.begin);
  llvm::Value* rest = ir().CreateURem(length, index(line.size));
  llvm::Value* position = ir().CreateSub(range.end, rest);
  emitter_.emit_loop(range.begin, position, line.size, "tile", [&](llvm::Value* at_position) { body(line.size, at_position); });
  std::int64_t size = 1;
  while (size * 2 < line.size) size *= 2;
  for (; line.size > 1 && size >= 1; size /= 2) {
    llvm::Value* bit = ir().CreateAnd(rest, index(size));
    when(ir().CreateICmpNE(bit, index(0)), [&, start = position] { body(size, start); });
    position = ir().CreateAdd(position, bit);
  }
}

llvm::Value* DenseEmitter::at(llvm::Value* pointer, llvm::Value* elements) { return ir().CreateInBoundsGEP(element_, pointer, elements); }

llvm::Value* DenseEmitter::in_a(llvm::Value* pointer, llvm::Value* elements) {
  return ir().CreateInBoundsGEP(memory_type(ir().getContext(), format_.a), pointer, elements);
}

llvm::Value* DenseEmitter::in_panels(llvm::Value* pointer, llvm::Value* elements) {
  return ir().CreateInBoundsGEP(memory_type(ir().getContext(), format_.b), pointer, elements);
}

llvm::Value* DenseEmitter::minimum(llvm::Value* a, llvm::Value* b) { return ir().CreateSelect(ir().CreateICmpSLT(a, b), a, b); }

llvm::Value* DenseEmitter::maximum(llvm::Value* a, llvm::Value* b) { return ir().CreateSelect(ir().CreateICmpSGT(a, b), a, b); }

void DenseEmitter::when(llvm::Value* condition, const std::function<void()>& body) {
  llvm::Function* function = emitter_.function();
  auto* then_block = llvm::BasicBlock::Create(function->getContext(), "then", function);
  auto* end_block = llvm::BasicBlock::Create(function->getContext(), "end", function);
  ir().CreateCondBr(condition, then_block, end_block);
  ir().SetInsertPoint(then_block);
  body();
  ir().CreateBr(end_block);
  ir().SetInsertPoint(end_block);
}

/// <lanes x i1>, true in the first `count` lanes.
llvm::Value* DenseEmitter::lanes_below(llvm::Value* count, std::int64_t lanes) {
  std::vector<llvm::Constant*> numbers;
  for (std::int64_t i = 0; i < lanes; ++i) numbers.push_back(ir().getInt32(static_cast<std::uint32_t>(i)));
  llvm::Value* limit = ir().CreateTrunc(maximum(minimum(count, index(lanes)), index(0)), ir().getInt32Ty());
  return ir().CreateICmpSLT(llvm::ConstantVector::get(numbers), ir().CreateVectorSplat(static_cast<unsigned>(lanes), limit));
}

}  // namespace intaglio::cpu
