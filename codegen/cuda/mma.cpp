// See mma.h.

#include "codegen/cuda/mma.h"

#include <fmt/format.h>

#include <array>

#include "codegen/cuda/cluster_join.h"
#include "codegen/cuda/pack_along_sum.h"
#include "codegen/cuda/tile_copy.h"
#include "codegen/cuda/tile_epilogue.h"

namespace intaglio::cuda {
namespace {

/// Tiles of so many rows of the result stand next to each other in the order of blocks, so that blocks that run at once share columns of `b` in the cache.
constexpr int kRowTilesTogether = 8;

constexpr std::array kTypes{
    MmaType{DType::f16, DType::f16, DType::f32, "mma_m16n8k16_f16"}, MmaType{DType::bf16, DType::bf16, DType::f32, "mma_m16n8k16_bf16"},
    MmaType{DType::f32, DType::f32, DType::f32, "mma_m16n8k8_tf32"}, MmaType{DType::i8, DType::i8, DType::i32, "mma_m16n8k32_s8"},
    MmaType{DType::u8, DType::i8, DType::i32, "mma_m16n8k32_u8_s8"}, MmaType{DType::u8, DType::u8, DType::i32, "mma_m16n8k32_u8"},
    MmaType{DType::f8e4m3fn, DType::f8e4m3fn, DType::f32, "mma_m16n8k32_e4m3"},
};

/// True for weights of 4 bits, which are unpacked to floats of any type.
bool is_unpacked(const kernel::Expr& element) {
  bool found = false;
  kernel::visit(element, [&](const kernel::ExprNode& node) { found |= node.kind == kernel::ExprKind::load && node.dtype == DType::i4; });
  return found;
}

std::string round_line(const std::string& fragment) {
  return fmt::format("for (int l = 0; l < 4; ++l) {0}[l] = ptx::to_tf32(__uint_as_float({0}[l]));", fragment);
}

class MmaEmitter {
 public:
  MmaEmitter(const Contraction& spec, const MmaType& type, const MmaTile& tile, const MmaOptions& options)
      : spec_(spec),
        b_spec_(spec.constant_b >= 0 ? with_packed_lines(spec) : spec),
        type_(type),
        tile_(tile),
        options_(options),
        rows_(spec),
        source_(b_spec_.buffers, spec_.symbols, fits_narrow_index(b_spec_.buffers, spec_.symbols), options.checked),
        a_(operand(true)),
        b_(operand(false)),
        copy_a_(choose_copy(spec_, rows_, a_)),
        copy_b_(choose_copy(b_spec_, rows_, b_)) {}

  MmaKernel emit() {
    find_tile();
    copy_a_->prepare(source_);
    copy_b_->prepare(source_);
    declare_copy();
    sum();
    const WarpTile sums{"sums", tile_.warp_rows / 16, tile_.warp_columns / 8, !copy_b_->along_sum()};
    TileEpilogue epilogue(spec_, rows_, source_);
    if (tile_.parts == 1) {
      epilogue.store_warp_tile(sums, "m0 + warp_row", "n0 + warp_column");
    } else {
      join_parts(sums, epilogue);
    }
    const std::string text = signature(spec_.name, b_spec_.buffers, spec_.symbols, tile_.threads(), tile_.parts, 0, "", {options_.hopper, spec_.constant_b}) +
                             source_.elements() + source_.text() + "}\n";
    const Dim tiles = Dim::ceildiv(rows_.row_count(), tile_.rows) * Dim::ceildiv(spec_.n.extent, tile_.columns);
    const Dim blocks = tiles * rows_.product_count() * tile_.parts;
    return {{text, tile_.threads()}, blocks, tile_.shared_bytes()};
  }

 private:
  OperandTile operand(bool is_a) const {
    OperandTile tile;
    tile.is_a = is_a;
    tile.dtype = is_a ? type_.a : type_.b;
    tile.element = kernel::cast(stored_element(is_a ? spec_.a : b_spec_.b), tile.dtype);
    tile.lines = is_a ? tile_.rows : tile_.columns;
    tile.step_bytes = tile_.step_bytes;
    tile.threads = tile_.threads();
    return tile;
  }

  std::string extent(const Dim& dim) { return int_extent(source_, dim); }

  /// Which tile this block computes, and which part of it this warp.
  void find_tile() {
    source_.line(fmt::format("// {0} x {1} results a block, {2} x {3} a warp; {4} elements of the sum at once, {5} times under way", tile_.rows, tile_.columns,
                             tile_.warp_rows, tile_.warp_columns, a_.step_elements(), tile_.stages));
    source_.line("extern __shared__ uint4 shared[];");
    source_.line("uint8* const a_tile = reinterpret_cast<uint8*>(shared);");
    source_.line(fmt::format("uint8* const b_tile = a_tile + {};", tile_.stages * a_.stage_bytes()));
    source_.line("const uint32 a_shared = ptx::shared_address(a_tile), b_shared = ptx::shared_address(b_tile);");
    source_.line("const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;");
    const int across = tile_.columns / tile_.warp_columns;
    source_.line(fmt::format("const int warp_row = warp / {0} * {1}, warp_column = warp % {0} * {2};", across, tile_.warp_rows, tile_.warp_columns));
    source_.line(fmt::format("const int row_tiles = ({} + {}) / {};", extent(rows_.row_count()), tile_.rows - 1, tile_.rows));
    source_.line(fmt::format("const int column_tiles = ({} + {}) / {};", extent(spec_.n.extent), tile_.columns - 1, tile_.columns));
    source_.line(fmt::format("const int part = blockIdx.x % {0}, block = blockIdx.x / {0};", tile_.parts));
    source_.line("const int product = block / (row_tiles * column_tiles), tile = block % (row_tiles * column_tiles);");
    source_.line(fmt::format("const int first_row_tile = tile / ({0} * column_tiles) * {0};", kRowTilesTogether));
    source_.line(fmt::format("const int together = row_tiles - first_row_tile < {0} ? row_tiles - first_row_tile : {0};", kRowTilesTogether));
    source_.line(fmt::format("const int tile_in_group = tile % ({} * column_tiles);", kRowTilesTogether));
    source_.line(fmt::format("const int m0 = (first_row_tile + tile_in_group % together) * {}, n0 = tile_in_group / together * {};", tile_.rows, tile_.columns));
    split_number(source_, rows_.products, "product");
  }

  void declare_copy() {
    source_.open("const auto copy_step = [&](int step, int stage) {");
    source_.line(fmt::format("const int k0 = step * {};", a_.step_elements()));
    for (const TileCopy* copy : {copy_a_.get(), copy_b_.get()}) {
      source_.open("{");
      copy->copy(source_);
      source_.close();
    }
    source_.close();
    source_.line(";");
  }

  void sum() {
    const int stages = tile_.stages;
    source_.line(fmt::format("{} sums[{}][{}][4] = {{}};", type_name(spec_.compute), tile_.warp_rows / 16, tile_.warp_columns / 8));
    source_.line(fmt::format("const int all_steps = ({} + {}) / {};", extent(spec_.reduction_extent()), a_.step_elements() - 1, a_.step_elements()));
    source_.line(fmt::format("const int first_step = all_steps * part / {0}, steps = all_steps * (part + 1) / {0} - first_step;", tile_.parts));
    if (options_.hopper) source_.line("ptx::allow_next_kernel(), ptx::wait_for_previous_kernel();");
    source_.open(fmt::format("for (int step = 0; step < {}; ++step) {{", stages - 1));
    source_.line("if (step < steps) copy_step(first_step + step, step);");
    source_.line("ptx::copy_commit();");
    source_.close();
    source_.line(fmt::format("int stage = 0, next_stage = {};", stages - 1));
    source_.open("for (int step = 0; step < steps; ++step) {");
    source_.line(fmt::format("ptx::copy_wait<{}>();", stages - 2));
    source_.line("__syncthreads();");
    source_.line(fmt::format("if (step + {0} < steps) copy_step(first_step + step + {0}, next_stage);", stages - 1));
    source_.line("ptx::copy_commit();");
    source_.line(fmt::format("const uint32 a_stage = a_shared + stage * {}, b_stage = b_shared + stage * {};", a_.stage_bytes(), b_.stage_bytes()));
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int kk = 0; kk < {}; ++kk) {{", tile_.step_bytes / 32));
    multiply();
    source_.close();
    source_.line(fmt::format("stage = stage + 1 < {0} ? stage + 1 : 0, next_stage = next_stage + 1 < {0} ? next_stage + 1 : 0;", stages));
    source_.close();
    source_.line("ptx::copy_wait<0>();");
  }

  /// 32 bytes of each line: fragments of both operands, then all products of them.
  void multiply() {
    const int row_tiles = tile_.warp_rows / 16, column_pairs = tile_.warp_columns / 16;
    source_.line(fmt::format("uint32 a[{}][4], b[{}][4];", row_tiles, column_pairs));
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int i = 0; i < {}; ++i) {{", row_tiles));
    source_.line(fmt::format("ptx::load_matrix_x4(a[i], a_stage + op::swizzled<{}>(warp_row + i * 16 + lane % 16, kk * 2 + lane / 16));", tile_.step_bytes));
    if (type_.rounds()) source_.line(round_line("a[i]"));
    source_.close();
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int j = 0; j < {}; ++j) {{", column_pairs));
    if (copy_b_->along_sum()) {
      source_.line(fmt::format("ptx::load_matrix_x4(b[j], b_stage + op::swizzled<{}>(warp_column + j * 16 + lane / 16 * 8 + lane % 8, kk * 2 + lane / 8 % 2));",
                               tile_.step_bytes));
    } else {
      source_.line(fmt::format("ptx::load_matrix_x4_transposed(b[j], b_stage + op::swizzled<{}>(kk * 16 + lane % 16, warp_column / 8 + j * 2 + lane / 16));",
                               tile_.columns * b_.element_bytes()));
    }
    if (type_.rounds()) source_.line(round_line("b[j]"));
    source_.close();
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int i = 0; i < {}; ++i) {{", row_tiles));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int j = 0; j < {}; ++j) ptx::{}(sums[i][j], a[i], b[j / 2] + j % 2 * 2);", 2 * column_pairs, type_.instruction));
    source_.close();
  }

  void join_parts(const WarpTile& sums, TileEpilogue& epilogue) {
    source_.line("__syncthreads();");
    source_.line(fmt::format("{0}* const part_sums = reinterpret_cast<{0}*>(shared);", type_name(spec_.compute)));
    for_lane_sums(source_, spec_.compute, sums, "warp_row", "warp_column",
                  [&] { source_.line(fmt::format("op::store_lanes<16>(part_sums + m * {} + n, lane_sums);", tile_.pitch())); });
    join_cluster(source_, epilogue, {spec_.compute, tile_.rows, tile_.columns, tile_.pitch(), tile_.parts, tile_.threads()});
  }

  const Contraction spec_;
  const Contraction b_spec_;  ///< with `b` as it lies in memory
  const MmaType& type_;
  const MmaTile tile_;
  const MmaOptions options_;
  const TileRows rows_;
  Source source_;
  const OperandTile a_, b_;
  const std::unique_ptr<TileCopy> copy_a_, copy_b_;
};

}  // namespace

const MmaType* find_mma_type(const Contraction& spec, const MmaOptions& options) {
  if (spec.kind != Contraction::Kind::dense) return nullptr;
  const DType a = stored_element(spec.a)->dtype, b = is_unpacked(spec.b) ? a : stored_element(spec.b)->dtype;
  for (const MmaType& type : kTypes) {
    if (type.a != a || type.b != b || type.sum != spec.compute) continue;
    return (type.rounds() && !options.tf32) || (type.needs_hopper() && !options.hopper) ? nullptr : &type;
  }
  return nullptr;
}

MmaKernel emit_mma(const Contraction& spec, const MmaType& type, const MmaTile& tile, const MmaOptions& options) {
  return MmaEmitter(spec, type, tile, options).emit();
}

}  // namespace intaglio::cuda
