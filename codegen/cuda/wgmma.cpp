// See wgmma.h. A block is its consumer warps and one producer warp; stages go around between them by two barriers each, full and empty.

#include "codegen/cuda/wgmma.h"

#include <algorithm>

#include "codegen/cuda/tile_epilogue.h"
#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

/// Rows that one warpgroup multiplies.
constexpr int kGroupRows = 64;
/// Columns of a box of `b` that lies across the sum.
constexpr int kBoxColumns = 64;
/// Where registers move: of 168 that each thread begins with, in units of 8.
constexpr int kProducerRegisters = 24, kConsumerRegisters = 240;

class WgmmaEmitter {
 public:
  WgmmaEmitter(const Contraction& spec, const TileRows& rows, const WgmmaOperands& operands, const WgmmaTile& tile)
      : spec_(spec),
        rows_(rows),
        operands_(operands),
        tile_(tile),
        source_(spec_.buffers, spec_.symbols, fits_narrow_index(spec_.buffers, spec_.symbols), false),
        epilogue_(spec_, rows_, source_),
        sum_type_(operands.type == WgmmaType::s8 || operands.type == WgmmaType::u8_s8 ? "int32" : "float") {}

  WgmmaKernel emit() {
    head();
    start_barriers();
    source_.open(fmt::format("if (warp >= {}) {{", tile_.warps()));
    if (tile_.moves_registers()) source_.line(fmt::format("ptx::lower_registers<{}>();", kProducerRegisters));
    produce();
    source_.close();
    source_.open("else {");
    if (tile_.moves_registers()) source_.line(fmt::format("ptx::raise_registers<{}>();", kConsumerRegisters));
    consume();
    if (tile_.split == 1) {
      epilogue_.store_warp_tile(warp_tile(), "m0 + warp * 16", "n0");
    } else {
      leave_parts();
    }
    source_.close();
    if (tile_.split > 1) add_parts();
    const std::string parameters = ", const __grid_constant__ ptx::TensorMap a_map, const __grid_constant__ ptx::TensorMap b_map";
    const std::string text =
        signature(spec_.name, spec_.buffers, spec_.symbols, tile_.threads(), tile_.split, tile_.blocks(), parameters, {true, spec_.constant_b}) + source_.text() + "}\n";
    const Dim tiles = Dim::ceildiv(rows_.row_count(), tile_.rows) * Dim::ceildiv(spec_.n.extent, tile_.columns) * rows_.product_count();
    return {{text, tile_.threads()}, tiles * tile_.split, {map_of_a(), map_of_b()}};
  }

 private:
  int line() const { return operands_.line_elements(); }
  WarpTile warp_tile() const { return {"sums", 1, tile_.columns / 8, !operands_.packed}; }
  int a_bytes() const { return tile_.rows * tile_.line_bytes; }
  std::string extent(const Dim& dim) { return int_extent(source_, dim); }
  static std::string name(const Axis& axis) { return Source::var_name(axis.var); }

  TensorMap map_of_a() const {
    TensorMap map = operands_.a.map;
    map.swizzle = tile_.line_bytes;
    if (operands_.a.im2col) {
      map.channels = line();
      map.pixels = tile_.rows;
    } else {
      map.box.assign(map.extents.size(), 1);
      map.box[0] = line();
      map.box[1] = tile_.rows;
    }
    return map;
  }

  TensorMap map_of_b() const {
    TensorMap map = operands_.b.map;
    map.swizzle = tile_.line_bytes;
    map.box.assign(map.extents.size(), 1);
    map.box[0] = operands_.b.along_sum ? line() : kBoxColumns;
    map.box[operands_.packed ? 2 : 1] = operands_.b.along_sum ? tile_.columns : line();
    return map;
  }

  /// Which tile this block computes, and which steps of its sum.
  void head() {
    source_.line("extern __shared__ char shared[];");
    source_.line(fmt::format("const uint32 tiles = (ptx::shared_address(shared) + 1023) / 1024 * 1024;  // (stage, a: {} rows of {} bytes, b: {} columns of {} bytes)",
                             tile_.rows, tile_.line_bytes, tile_.columns, tile_.line_bytes));
    source_.line(fmt::format("const uint32 full = tiles + {}, empty = full + {};", tile_.stages * tile_.stage_bytes(), tile_.stages * 8));
    source_.line("const int warp = threadIdx.x / 32;");
    source_.line(fmt::format("const int row_tiles = ({} + {}) / {};", extent(rows_.row_count()), tile_.rows - 1, tile_.rows));
    source_.line(fmt::format("const int column_tiles = ({} + {}) / {};", extent(spec_.n.extent), tile_.columns - 1, tile_.columns));
    source_.line(fmt::format("const int task = blockIdx.x{};", tile_.split > 1 ? fmt::format(" / {}", tile_.split) : ""));
    source_.line(fmt::format("const int n0 = task % column_tiles * {};", tile_.columns));
    source_.line(fmt::format("const int m0 = task / column_tiles % row_tiles * {};", tile_.rows));
    if (!rows_.products.empty()) split_number(source_, rows_.products, "(task / column_tiles / row_tiles)");
    source_.line(fmt::format("const int c_steps = ({} + {}) / {};", extent(spec_.c.extent), line() - 1, line()));
    source_.line(fmt::format("const int steps = {} * c_steps;", extent(spec_.r.extent * spec_.s.extent)));
    if (tile_.split > 1) {
      source_.line("const int rank = ptx::cluster_rank();");
      source_.line(fmt::format("const int first = steps * rank / {0}, count = steps * (rank + 1) / {0} - first;", tile_.split));
    } else {
      source_.line("const int first = 0, count = steps;");
    }
  }

  void start_barriers() {
    source_.open("if (threadIdx.x == 0) {");
    source_.line("ptx::prefetch_map(&a_map);");
    source_.line("ptx::prefetch_map(&b_map);");
    source_.open(fmt::format("for (int i = 0; i < {}; ++i) {{", tile_.stages));
    source_.line("ptx::barrier_init(full + i * 8, 1);");
    source_.line(fmt::format("ptx::barrier_init(empty + i * 8, {});", tile_.warps()));
    source_.close();
    source_.line("ptx::barrier_init_fence();");
    source_.close();
    source_.line("__syncthreads();");
    source_.line("ptx::allow_next_kernel();");
  }

  /// The producer: one thread keeps the stages full. Constant weights need not wait for the kernel before this one.
  void produce() {
    source_.open(fmt::format("if (threadIdx.x == {}) {{", tile_.warps() * 32));
    if (operands_.a.im2col) split_number(source_, rows_.rows, "m0");
    source_.open("const auto load_a = [&](int stage, int step) {");
    load_a();
    source_.close();
    source_.line(";");
    source_.open("const auto load_b = [&](int stage, int step) {");
    load_b();
    source_.close();
    source_.line(";");
    source_.line(fmt::format("const int ahead = count < {0} ? count : {0};", tile_.stages));
    if (!operands_.packed) source_.line("ptx::wait_for_previous_kernel();");
    source_.open("for (int i = 0; i < ahead; ++i) {");
    source_.line(fmt::format("ptx::barrier_expect(full + i * 8, {});", tile_.stage_bytes()));
    source_.line("load_b(i, first + i);");
    source_.close();
    if (operands_.packed) source_.line("ptx::wait_for_previous_kernel();");
    source_.line("for (int i = 0; i < ahead; ++i) load_a(i, first + i);");
    source_.line("int stage = 0;");
    source_.line("uint32 parity = 0;");
    source_.open("for (int i = ahead; i < count; ++i) {");
    source_.line("ptx::barrier_wait(empty + stage * 8, parity);");
    source_.line(fmt::format("ptx::barrier_expect(full + stage * 8, {});", tile_.stage_bytes()));
    source_.line("load_a(stage, first + i);");
    source_.line("load_b(stage, first + i);");
    next_stage();
    source_.close();
    source_.close();
    source_.line("__syncwarp();");
  }

  void next_stage() { source_.line(fmt::format("if (++stage == {}) stage = 0, parity ^= 1;", tile_.stages)); }

  std::string tile_address(int offset) const { return fmt::format("tiles + stage * {}{}", tile_.stage_bytes(), offset ? fmt::format(" + {}", offset) : ""); }

  static std::string coordinates(const WgmmaOperand& operand) {
    std::string text;
    for (int var : operand.products) text += fmt::format(", int({})", Source::var_name(var));
    return text;
  }

  void load_a() {
    if (!operands_.a.im2col) {
      source_.line(fmt::format("ptx::tma_load({}, &a_map, full + stage * 8, step * {}, m0{});", tile_address(0), line(), coordinates(operands_.a)));
      return;
    }
    std::string channel = fmt::format("step % c_steps * {}", line());
    for (const Axis& group : rows_.products) channel += fmt::format(" + int({}) * {}", name(group), extent(spec_.c.extent));
    const auto position = [&](const Axis& at, std::int64_t stride, const Dim& pad) { return fmt::format("int({}) * {} - {}", name(at), stride, extent(pad)); };
    const std::string taps = extent(spec_.s.extent);
    source_.line("const int tap = step / c_steps;");
    source_.line(fmt::format("ptx::tma_load_im2col({}, &a_map, full + stage * 8, {}, {}, {}, {}, tap % {} * {}, tap / {} * {});", tile_address(0), channel,
                             position(spec_.x, spec_.stride_x, spec_.pad_x), position(spec_.y, spec_.stride_y, spec_.pad_y),
                             rows_.rows.size() > 2 ? fmt::format("int({})", name(rows_.rows[0])) : "0", taps, spec_.dilation_x, taps, spec_.dilation_y));
  }

  void load_b() {
    if (operands_.packed) {
      std::string column = "n0";
      for (const Axis& group : rows_.products) column += fmt::format(" + int({}) * {}", name(group), extent(packed_columns(spec_)));
      source_.line(fmt::format("ptx::tma_load({}, &b_map, full + stage * 8, step % c_steps * {}, step / c_steps, {});", tile_address(a_bytes()), line(), column));
    } else if (operands_.b.along_sum) {
      source_.line(fmt::format("ptx::tma_load({}, &b_map, full + stage * 8, step * {}, n0{});", tile_address(a_bytes()), line(), coordinates(operands_.b)));
    } else {
      for (int column = 0; column < tile_.columns; column += kBoxColumns) {
        source_.line(fmt::format("ptx::tma_load({}, &b_map, full + stage * 8, n0 + {}, step * {}{});", tile_address(a_bytes() + column * kLineBytes), column,
                                 line(), coordinates(operands_.b)));
      }
    }
  }

  std::string instruction() const {
    switch (operands_.type) {
      case WgmmaType::f16: return fmt::format("wgmma_f16<{}>", operands_.b.along_sum ? 0 : 1);
      case WgmmaType::bf16: return fmt::format("wgmma_bf16<{}>", operands_.b.along_sum ? 0 : 1);
      case WgmmaType::e4m3: return "wgmma_e4m3";
      case WgmmaType::s8: return "wgmma_s8";
      case WgmmaType::u8_s8: return "wgmma_u8_s8";
    }
    return "";
  }

  /// Of a line, how many times 32 bytes hold elements: TMA fills what is beyond the channels with zeros.
  int pieces() const {
    const std::int64_t bytes = spec_.c.extent.constant().value_or(line()) * operands_.element_bytes();
    return static_cast<int>(std::min<std::int64_t>((bytes + 31) / 32, tile_.line_bytes / 32));
  }

  /// The consumers: a stage is free again when the multiplications after it have begun.
  void consume() {
    if (tile_.split == 1) {
      source_.line("ptx::wait_for_previous_kernel();");
      epilogue_.load_ahead(warp_tile(), "m0 + warp * 16", "n0");
    }
    source_.line(fmt::format("{} sums[1][{}][4] = {{}};", sum_type_, tile_.columns / 8));
    source_.line("int stage = 0, before = 0;");
    source_.line("uint32 parity = 0;");
    // Of an unrolled loop ptxas (CUDA 13.0) loses sight of which sums are still being computed, and reads them before the last wait.
    source_.line("#pragma unroll 1");
    source_.open("for (int i = 0; i < count; ++i) {");
    source_.line("ptx::barrier_wait(full + stage * 8, parity);");
    source_.line(fmt::format("const uint64 a = ptx::wgmma_lines<{}>({} + warp / 4 * {});", tile_.line_bytes, tile_address(0), kGroupRows * tile_.line_bytes));
    source_.line(operands_.b.along_sum ? fmt::format("const uint64 b = ptx::wgmma_lines<{}>({});", tile_.line_bytes, tile_address(a_bytes()))
                                       : fmt::format("const uint64 b = ptx::wgmma_columns({}, {});", tile_address(a_bytes()), kBoxColumns * kLineBytes));
    // 32 bytes of each line at once; descriptors count in units of 16 bytes.
    const int b_advance = operands_.b.along_sum ? 2 : 32 / operands_.element_bytes() * kLineBytes / 16;
    source_.line("ptx::wgmma_settle(sums[0]);");
    source_.line("ptx::wgmma_fence();");
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int k = 0; k < {}; ++k) ptx::{}(sums[0], a + k * 2, b + k * {}, i > 0 || k > 0);", pieces(), instruction(), b_advance));
    source_.line("ptx::wgmma_commit();");
    source_.line("ptx::wgmma_wait<1>();");
    source_.line("if (i > 0 && threadIdx.x % 32 == 0) ptx::barrier_arrive(empty + before * 8);");
    source_.line("before = stage;");
    next_stage();
    source_.close();
    source_.line("ptx::wgmma_wait<0>();");
    source_.line("ptx::wgmma_settle(sums[0]);");
    if (tile_.split > 1) source_.line("ptx::wait_for_previous_kernel();");
  }

  /// The sums of this block, where the others of the cluster find them: (tile of 8 columns, thread, 4).
  void leave_parts() {
    const int threads = tile_.warps() * 32;
    source_.line(fmt::format("ptx::sync_named(1, {});  // all have read the stages", threads));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int j = 0; j < {}; ++j) ptx::store_shared(tiles + (j * {} + threadIdx.x) * 16, sums[0][j]);", tile_.columns / 8, threads));
  }

  /// A warp adds up, in the order of the blocks, what one warp of each block of the cluster has of 32 columns.
  void add_parts() {
    const int threads = tile_.warps() * 32, units = tile_.warps() * (tile_.columns / 32);
    source_.line("ptx::cluster_sync();");
    source_.line(fmt::format("const int unit = warp * {} + rank, rows = unit % {}, columns = unit / {};", tile_.split, tile_.warps(), tile_.warps()));
    source_.line(fmt::format("const bool adds = warp < {} && unit < {};", tile_.warps(), units));
    source_.line(fmt::format("{} parts[{}][4][4], sums[1][4][4] = {{}};", sum_type_, tile_.split));
    source_.open("if (adds) {");
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int i = 0; i < {}; ++i) {{", tile_.split * 4));
    source_.line(fmt::format("const uint32 place = tiles + ((columns * 4 + i % 4) * {} + rows * 32 + threadIdx.x % 32) * 16;", threads));
    source_.line("ptx::load_from_block(parts[i / 4][i % 4], place, i / 4);");
    source_.close();
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int i = 0; i < {}; ++i) sums[0][i / 4 % 4][i % 4] += parts[i / 16][i / 4 % 4][i % 4];", tile_.split * 16));
    source_.close();
    source_.line("ptx::cluster_arrive();");
    source_.open("if (adds) {");
    epilogue_.store_warp_tile({"sums", 1, 4, !operands_.packed}, "m0 + rows * 16", "n0 + columns * 32");
    source_.close();
    source_.line("ptx::cluster_wait();  // what others read lives until they have");
  }

  const Contraction& spec_;
  const TileRows& rows_;
  const WgmmaOperands& operands_;
  const WgmmaTile tile_;
  Source source_;
  TileEpilogue epilogue_;
  const std::string sum_type_;
};

}  // namespace

WgmmaKernel emit_wgmma(const Contraction& spec, const TileRows& rows, const WgmmaOperands& operands, const WgmmaTile& tile) {
  return WgmmaEmitter(spec, rows, operands, tile).emit();
}

}  // namespace intaglio::cuda
