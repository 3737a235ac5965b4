// Inside of the dense generator: one object emits one kernel. dense.cpp cuts it into tasks, dense_operands.cpp fills slab and panels, dense_tile.cpp is the hot loop.
#pragma once

#include <functional>
#include <vector>

#include "codegen/cpu/dense.h"

namespace intaglio::cpu {

class DenseEmitter {
 public:
  DenseEmitter(llvm::Module& module, const Contraction& spec, const DensePlan& plan, const EmitOptions& options);
  void emit();

 private:
  /// The positions of one line that a task owns: [begin, end), and the tiles they make up when the line is static.
  struct Range {
    llvm::Value* begin = nullptr;
    llvm::Value* end = nullptr;
    llvm::Value* first_tile = nullptr;
    llvm::Value* last_tile = nullptr;
  };
  /// One register tile: `height` x `width` positions from (y, x), `panels` panels of columns from column `n`.
  struct Tile {
    std::int64_t height, width, panels;
    llvm::Value *y, *x, *n;
    bool masked;  ///< some columns lie beyond the extent
    std::int64_t rows() const { return height * width; }
  };
  /// The part of the sum that is computed at once: all of it, or a block of channels.
  struct Depth {
    llvm::Value* begin = nullptr;   ///< first channel
    llvm::Value* length = nullptr;  ///< channels
    llvm::Value* is_first = nullptr;
    llvm::Value* is_last = nullptr;
  };

  // dense.cpp
  void bind_task();
  Range task_range(const TileLine& line, const TaskSplit& split, const Dim& extent, llvm::Value* index);
  void for_each_depth(const std::function<void(const Depth&)>& body);
  void for_each_column_tile(const std::function<void(std::int64_t panels, llvm::Value* n, bool masked)>& body);
  void for_each_tile(const TileLine& line, const Range& range, const std::function<void(std::int64_t size, llvm::Value* position)>& body);

  // dense_operands.cpp
  void fill_slab(const Depth& depth);
  void fill_slab_pixels(llvm::Value* destination, llvm::Value* first_column, llvm::Value* begin, llvm::Value* end, const Depth& depth);
  void copy_run(llvm::Value* destination, llvm::Value* count, const kernel::Expr& value, int var);
  void fill_padding(llvm::Value* destination, llvm::Value* count);
  void for_each_slab_vector(llvm::Value* count, const std::function<void(llvm::Value* position, const Lanes& lanes)>& body);
  kernel::Expr stored_a() const;
  void pack_panels();

  // dense_tile.cpp
  void emit_tile(const Tile& tile, const Depth& depth);
  void emit_sum(const Tile& tile, const Depth& depth);
  void emit_inner(const Tile& tile, llvm::Value* a, llvm::Value* b, llvm::Value* panel_stride, llvm::Value* length);
  std::int64_t steps_of_turn() const;
  void emit_step(const Tile& tile, llvm::Value* a, llvm::Value* b, llvm::Value* panel_stride, llvm::Value* k);
  void emit_outer_product(const Tile& tile, llvm::Value* a, const std::vector<llvm::Value*>& row);
  void emit_epilogue(const Tile& tile);
  void move_partial_sums(const Tile& tile, bool store);
  llvm::Value* operand_pointer(const Tile& tile, const Depth& depth);
  llvm::Value* first_panel(const Tile& tile);
  llvm::Value* panels_pointer(const Tile& tile, const Depth& depth);
  /// Distance in elements of row `i` of a tile from its first row in `a`.
  llvm::Value* row_offset(const Tile& tile, std::int64_t i);

  // dense_int4.cpp
  void emit_int4_sum(const Tile& tile, const Depth& depth);
  void emit_int4_blocks(const Tile& tile, llvm::Value* a, llvm::Value* words, llvm::Value* scales, llvm::Value* length);
  void emit_int4_steps(const Tile& tile, llvm::Value* a, llvm::Value* words, llvm::Value* k, std::int64_t steps);
  llvm::Value* unpacked(llvm::Value* words, std::int64_t step);
  llvm::Value* looked_up(llvm::Value* words, std::int64_t step);

  // Shorthand.
  llvm::IRBuilder<>& ir() { return emitter_.builder(); }
  llvm::Value* index(std::int64_t value) { return ir().getInt64(value); }
  llvm::Value* dim(const Dim& value) { return emitter_.scalar(kernel::from_dim(value)); }
  /// A pointer moved by elements of the compute type ..
  llvm::Value* at(llvm::Value* pointer, llvm::Value* elements);
  /// .. of `a` as tiles read it, and of the panels of `b`, which may be narrower.
  llvm::Value* in_a(llvm::Value* pointer, llvm::Value* elements);
  llvm::Value* in_panels(llvm::Value* pointer, llvm::Value* elements);
  llvm::Value* minimum(llvm::Value* a, llvm::Value* b);
  llvm::Value* maximum(llvm::Value* a, llvm::Value* b);
  void when(llvm::Value* condition, const std::function<void()>& body);
  llvm::Value* lanes_below(llvm::Value* count, std::int64_t lanes);
  llvm::Value* multiply_add(llvm::Value* a, llvm::Value* b, llvm::Value* sum);
  llvm::Value* multiply_add_groups(llvm::Value* a, llvm::Value* b, llvm::Value* sum);
  /// The elements of `a` from `pointer` that one step multiplies, in every lane.
  llvm::Value* spread_of_a(llvm::Value* pointer);
  /// The elements of `b` from `pointer` that one step multiplies, in the type they are multiplied in.
  llvm::Value* row_of_b(llvm::Value* pointer);
  std::int64_t vectors_per_panel() const { return kPanelColumns / lanes_; }

  const Contraction& spec_;
  const DensePlan& plan_;
  const Tiling& tiling_;
  const StepFormat& format_;
  FunctionEmitter emitter_;
  llvm::Type* element_;
  llvm::VectorType* vector_;
  std::int64_t lanes_;
  std::int64_t element_bytes_;

  Range y_, x_;
  llvm::Value *first_column_tile_ = nullptr, *last_column_tile_ = nullptr;
  Span a_, b_;                    ///< what the tiles read: memory, or what was prepared of it in scratch
  Span scales_;                   ///< of weights of 4 bits
  Span slab_, packed_, partial_;  ///< parts of scratch
  llvm::Value *row_stride_ = nullptr;  ///< elements from one input row to the next, in place or in the slab
  std::int64_t pixel_stride_ = 0;      ///< elements from one input position to the next
  std::vector<llvm::AllocaInst*> sums_;
};

}  // namespace intaglio::cpu
