// Fills what the tiles read from scratch: the slab (the task's input positions with padding around them) and the panels of a `b` that changes from run to run.

#include "codegen/cpu/dense_emitter.h"
#include "codegen/cpu/emitter_state.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {

/// Copies the input positions that the task's tiles read to the slab, row by row; positions outside of the input are `pad_value`.
void DenseEmitter::fill_slab(const Depth& depth) {
  const auto span = [&](const Range& range, std::int64_t stride, const Dim& taps, std::int64_t dilation) {
    llvm::Value* steps = ir().CreateMul(ir().CreateSub(ir().CreateSub(range.end, range.begin), index(1)), index(stride));
    return ir().CreateAdd(steps, index((taps.value() - 1) * dilation + 1));
  };
  llvm::Value* rows = span(y_, spec_.stride_y, spec_.r.extent, spec_.dilation_y);
  llvm::Value* columns = span(x_, spec_.stride_x, spec_.s.extent, spec_.dilation_x);
  llvm::Value* first_row = ir().CreateSub(ir().CreateMul(y_.begin, index(spec_.stride_y)), dim(spec_.pad_y));
  llvm::Value* first_column = ir().CreateSub(ir().CreateMul(x_.begin, index(spec_.stride_x)), dim(spec_.pad_x));
  llvm::Value* pitch = index(pixel_stride_);

  emitter_.emit_loop(index(0), rows, 1, "slab_row", [&](llvm::Value* row) {
    llvm::Value* destination = in_a(slab_.base, ir().CreateMul(row, row_stride_));
    llvm::Value* input_row = ir().CreateAdd(first_row, row);
    emitter_.bind(spec_.a_y, input_row);
    if (!spec_.padded) return fill_slab_pixels(destination, first_column, index(0), columns, depth);

    llvm::Value* inside = ir().CreateICmpULT(input_row, dim(spec_.input_height));  // unsigned: negative rows are far outside
    when(ir().CreateNot(inside), [&] { fill_padding(destination, ir().CreateMul(columns, pitch)); });
    when(inside, [&] {
      llvm::Value* begin = minimum(maximum(ir().CreateNeg(first_column), index(0)), columns);
      llvm::Value* end = maximum(minimum(ir().CreateSub(dim(spec_.input_width), first_column), columns), begin);
      fill_padding(destination, ir().CreateMul(begin, pitch));
      fill_slab_pixels(destination, first_column, begin, end, depth);
      fill_padding(in_a(destination, ir().CreateMul(end, pitch)), ir().CreateMul(ir().CreateSub(columns, end), pitch));
    });
  });
}

/// Copies the slab positions [begin, end) of one row.
void DenseEmitter::fill_slab_pixels(llvm::Value* destination, llvm::Value* first_column, llvm::Value* begin, llvm::Value* end, const Depth& depth) {
  const auto channels = spec_.c.extent.constant();
  const auto input_column = [&](llvm::Value* position) { return ir().CreateAdd(first_column, position); };

  // Positions without gaps between them, here and there, are one run.
  const kernel::Expr a = stored_a();
  const kernel::ExprNode* load = load_behind_casts(a);
  if (!tiling_.depth && channels == pixel_stride_ && load) {
    const auto along_c = kernel::linear_in(load->args[0], spec_.c.var);
    const auto along_x = kernel::linear_in(load->args[0], spec_.a_x);
    if (along_c && along_x && kernel::constant_value(along_c->stride) == 1 && kernel::constant_value(along_x->stride) == channels) {
      emitter_.bind(spec_.a_x, input_column(begin));
      llvm::Value* count = ir().CreateMul(ir().CreateSub(end, begin), index(*channels));
      return copy_run(in_a(destination, ir().CreateMul(begin, index(pixel_stride_))), count, a, spec_.c.var);
    }
  }
  emitter_.emit_loop(begin, end, 1, "slab_position", [&](llvm::Value* position) {
    emitter_.bind(spec_.a_x, input_column(position));
    llvm::Value* pixel = in_a(destination, ir().CreateMul(position, index(pixel_stride_)));
    if (channels && *channels < lanes_ / 2) {
      // A few channels, as in an image: lanes would mostly be empty.
      for (std::int64_t c = 0; c < *channels; ++c) {
        emitter_.bind(spec_.c.var, index(c));
        emitter_.store(slab_, in_a(pixel, index(c)), emitter_.scalar(a), format_.a_bytes());
      }
      return;
    }
    const kernel::Expr shifted = kernel::substitute(a, spec_.c.var, kernel::binary(kernel::Op::add, kernel::var(spec_.c.var), kernel::var(spec_.s.var)));
    emitter_.bind(spec_.s.var, depth.begin);
    copy_run(pixel, depth.length, shifted, spec_.c.var);
    // What fills the last group meets weights of 0, but must be a number.
    if (is_float(format_.a) && channels && *channels % format_.group != 0) {
      emitter_.store(slab_, in_a(pixel, depth.length), llvm::Constant::getNullValue(memory_type(ir().getContext(), format_.a)), format_.a_bytes());
    }
  });
}

/// An element of `a` as it lies in the slab.
kernel::Expr DenseEmitter::stored_a() const {
  const bool is_stored = spec_.a->kind == kernel::ExprKind::cast && spec_.a->args[0]->dtype == format_.a;
  return is_stored ? spec_.a->args[0] : kernel::cast(spec_.a, format_.a);
}

/// Stores the values for `var` = 0 .. count - 1.
void DenseEmitter::copy_run(llvm::Value* destination, llvm::Value* count, const kernel::Expr& value, int var) {
  for_each_slab_vector(count, [&](llvm::Value* position, const Lanes& lanes) {
    emitter_.bind(var, position);
    llvm::Value* loaded = lanes.width > 1 ? emitter_.vector(value, {var, lanes.width, lanes.mask}) : emitter_.scalar(value);
    emitter_.store(slab_, in_a(destination, position), loaded, format_.a_bytes(), lanes.mask);
  });
}

void DenseEmitter::fill_padding(llvm::Value* destination, llvm::Value* count) {
  llvm::Type* stored = memory_type(ir().getContext(), format_.a);
  for_each_slab_vector(count, [&](llvm::Value* position, const Lanes& lanes) {
    llvm::Type* type = lanes.width > 1 ? llvm::FixedVectorType::get(stored, static_cast<unsigned>(lanes.width)) : stored;
    llvm::Constant* padding = spec_.pad_value ? llvm::ConstantInt::getSigned(type, spec_.pad_value) : llvm::Constant::getNullValue(type);
    emitter_.store(slab_, in_a(destination, position), padding, format_.a_bytes(), lanes.mask);
  });
}

/// Full vectors of the slab's elements, then what is left: under a mask, or one by one where the machine masks no elements so narrow.
void DenseEmitter::for_each_slab_vector(llvm::Value* count, const std::function<void(llvm::Value*, const Lanes&)>& body) {
  const bool masks = format_.a_bytes() >= 4 || emitter_.options().vector_bytes == 64;
  const std::int64_t width = emitter_.options().vector_bytes / format_.a_bytes();
  llvm::Value* even = ir().CreateAnd(count, index(~(width - 1)));
  emitter_.emit_loop(index(0), even, width, "run", [&](llvm::Value* position) { body(position, {-1, static_cast<int>(width), nullptr}); });
  if (!masks) {
    emitter_.emit_loop(even, count, 1, "rest", [&](llvm::Value* position) { body(position, {}); });
    return;
  }
  when(ir().CreateICmpNE(even, count), [&] { body(even, {-1, static_cast<int>(width), lanes_below(ir().CreateSub(count, even), width)}); });
}

/// Writes the task's columns of `b` in panels, columns beyond the extent as 0. The order of the sum is r, s, c, as in packed weights.
void DenseEmitter::pack_panels() {
  llvm::Value* first = ir().CreateMul(first_column_tile_, index(tiling_.panels));
  llvm::Value* count = ir().CreateSub(ir().CreateMul(last_column_tile_, index(tiling_.panels)), first);
  llvm::Value* sum_extent = dim(spec_.reduction_extent());
  const auto columns = spec_.n.extent.constant();
  const bool masked = !columns || *columns % kPanelColumns != 0 || *columns / kPanelColumns % tiling_.panels != 0;

  emitter_.emit_loop(index(0), count, 1, "panel", [&](llvm::Value* panel) {
    llvm::Value* destination = at(packed_.base, ir().CreateMul(ir().CreateMul(panel, sum_extent), index(kPanelColumns)));
    llvm::Value* panel_column = ir().CreateMul(ir().CreateAdd(first, panel), index(kPanelColumns));
    for (std::int64_t v = 0; v < vectors_per_panel(); ++v) {
      llvm::Value* n = ir().CreateAdd(panel_column, index(v * lanes_));
      emitter_.bind(spec_.n.var, n);
      llvm::Value* mask = masked ? lanes_below(ir().CreateSub(dim(spec_.n.extent), n), lanes_) : nullptr;
      const auto store_row = [&](llvm::Value* k) {
        llvm::Value* row = emitter_.vector(spec_.b, {spec_.n.var, static_cast<int>(lanes_), mask});
        if (mask) row = ir().CreateSelect(mask, row, llvm::Constant::getNullValue(vector_));
        llvm::Value* pointer = at(destination, ir().CreateAdd(ir().CreateMul(k, index(kPanelColumns)), index(v * lanes_)));
        emitter_.store(packed_, pointer, row, lanes_ * element_bytes_);
      };
      emitter_.emit_loop(index(0), dim(spec_.r.extent), 1, "r", [&](llvm::Value* r) {
        emitter_.emit_loop(index(0), dim(spec_.s.extent), 1, "s", [&](llvm::Value* s) {
          emitter_.emit_loop(index(0), dim(spec_.c.extent), 1, "c", [&](llvm::Value* c) {
            emitter_.bind(spec_.r.var, r);
            emitter_.bind(spec_.s.var, s);
            emitter_.bind(spec_.c.var, c);
            llvm::Value* tap = ir().CreateAdd(ir().CreateMul(r, dim(spec_.s.extent)), s);
            store_row(ir().CreateAdd(ir().CreateMul(tap, dim(spec_.c.extent)), c));
          });
        });
      });
    }
  });
}

}  // namespace intaglio::cpu
