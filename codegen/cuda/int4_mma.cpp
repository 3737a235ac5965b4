// See int4_mma.h.

#include "codegen/cuda/int4_mma.h"

#include <fmt/format.h>

#include "codegen/cuda/cluster_join.h"
#include "codegen/cuda/tile_copy.h"
#include "codegen/cuda/tile_epilogue.h"

namespace intaglio::cuda {
namespace {

Contraction with_packed_buffer(Contraction spec, const Int4Weights& weights) {
  for (int operand : {weights.integers, weights.scales}) {
    kernel::Buffer& buffer = spec.buffers[static_cast<std::size_t>(operand)];
    buffer.dtype = DType::u8;
    buffer.elements = weights.packed_bytes();
  }
  return spec;
}

class Int4Emitter {
 public:
  Int4Emitter(const Contraction& spec, const Int4Weights& weights, const Int4Tile& tile, const MmaOptions& options)
      : spec_(with_packed_buffer(spec, weights)),
        weights_(weights),
        tile_(tile),
        options_(options),
        rows_(spec_),
        source_(spec_.buffers, spec_.symbols, fits_narrow_index(spec_.buffers, spec_.symbols), options.checked),
        a_(operand()),
        copy_a_(choose_copy(spec_, rows_, a_)) {}

  MmaKernel emit() {
    find_tile();
    copy_a_->prepare(source_);
    declare_copies();
    sum();
    TileEpilogue epilogue(spec_, rows_, source_);
    join_warps(epilogue);
    const std::string text = signature(spec_.name, spec_.buffers, spec_.symbols, tile_.threads(), tile_.parts, 0, "", {options_.hopper, weights_.integers}) +
                             source_.elements() + source_.text() + "}\n";
    const Dim blocks = Dim::ceildiv(rows_.row_count(), tile_.rows) * column_tiles() * tile_.parts;
    return {{text, tile_.threads()}, blocks, tile_.shared_bytes()};
  }

 private:
  OperandTile operand() const {
    OperandTile tile;
    tile.dtype = weights_.dtype;
    tile.element = kernel::cast(stored_element(spec_.a), tile.dtype);
    tile.lines = tile_.rows;
    tile.step_bytes = tile_.row_bytes();
    tile.threads = tile_.threads();
    return tile;
  }

  std::int64_t column_tiles() const { return (weights_.columns + tile_.columns() - 1) / tile_.columns(); }
  bool is_tf32() const { return weights_.dtype == DType::f32; }
  std::string type() const { return is_tf32() ? "tf32" : std::string(dtype_name(weights_.dtype)); }
  std::string instruction() const { return is_tf32() ? "mma_m16n8k8_tf32" : "mma_m16n8k16_" + type(); }
  int unit_bytes() const { return int4_unit_bytes(weights_.dtype); }

  /// Which tile this block computes, and which part of it this warp.
  void find_tile() {
    source_.line(fmt::format("// {} rows x {} columns a block; a step of {} elements of the sum, {} times under way, is split between {} warps", tile_.rows, tile_.columns(),
                             tile_.step(), tile_.stages, tile_.warps_along));
    source_.line("extern __shared__ uint4 shared[];");
    source_.line("uint8* const a_tile = reinterpret_cast<uint8*>(shared);");
    source_.line(fmt::format("uint8* const weight_tile = a_tile + {};", tile_.stages * a_.stage_bytes()));
    source_.line("const uint32 a_shared = ptx::shared_address(a_tile);");
    source_.line("const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;");
    source_.line(fmt::format("const int warp_unit = warp / {0} * {1}, warp_part = warp % {0};", tile_.warps_along, tile_.units));
    source_.line(fmt::format("const int part = blockIdx.x % {0}, block = blockIdx.x / {0};", tile_.parts));
    // Blocks next to each other share weights.
    source_.line(fmt::format("const int row_tiles = ({} + {}) / {};", int_extent(source_, rows_.row_count()), tile_.rows - 1, tile_.rows));
    source_.line(fmt::format("const int m0 = block % row_tiles * {}, n0 = block / row_tiles * {};", tile_.rows, tile_.columns()));
    const std::int64_t steps = (weights_.depth_units() + tile_.warps_along - 1) / tile_.warps_along;
    source_.line(fmt::format("const int first_step = {0} * part / {1}, steps = {0} * (part + 1) / {1} - first_step;", steps, tile_.parts));
  }

  void declare_copies() {
    source_.open("const auto copy_weights = [&](int step, int stage) {");
    source_.line(fmt::format("const int k_unit = step * {} + warp_part;", tile_.warps_along));
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int j = 0; j < {}; ++j) {{", tile_.units));
    source_.line(fmt::format("const int unit = n0 / {} + warp_unit + j;", kInt4Columns));
    source_.line(fmt::format("const bool valid = unit < {} && k_unit < {};", weights_.column_units(), weights_.depth_units()));
    source_.line(fmt::format("const {0} from = valid ? ({0}(unit) * {1} + k_unit) * {2} + lane * {3} : 0;", source_.index_type(), weights_.depth_units(), unit_bytes(),
                             kInt4LaneBytes));
    source_.line(fmt::format("const uint32 to = ptx::shared_address(weight_tile) + stage * {} + (warp * {} + j) * {} + lane * {};", tile_.weight_bytes(), tile_.units,
                             unit_bytes(), kInt4LaneBytes));
    source_.line(fmt::format("ptx::copy_async<16>(to, b{} + from, valid);", weights_.integers));
    source_.line(fmt::format("if (lane < {}) ptx::copy_async<16>(to + {}, b{} + from + {}, valid);", (unit_bytes() - kInt4ScalesAt) / 16, kInt4ScalesAt, weights_.integers,
                             kInt4ScalesAt));
    source_.close();
    source_.close();
    source_.line(";");
    source_.open("const auto copy_rows = [&](int step, int stage) {");
    source_.line(fmt::format("const int k0 = step * {};", tile_.step()));
    copy_a_->copy(source_);
    source_.close();
    source_.line(";");
  }

  void sum() {
    const int ahead = tile_.stages - 1;
    source_.line(fmt::format("float sums[{}][{}][4] = {{}};  // 16 columns x 8 rows each", tile_.units, tile_.rows / 8));
    // Weights are constant: their copies need not wait.
    source_.line(fmt::format("for (int step = 0; step < {0} && step < steps; ++step) copy_weights(first_step + step, step);", ahead));
    if (options_.hopper) source_.line("ptx::allow_next_kernel(), ptx::wait_for_previous_kernel();");
    source_.open(fmt::format("for (int step = 0; step < {}; ++step) {{", ahead));
    source_.line("if (step < steps) copy_rows(first_step + step, step);");
    source_.line("ptx::copy_commit();");
    source_.close();
    source_.line(fmt::format("int stage = 0, next_stage = {};", ahead));
    source_.open("for (int step = 0; step < steps; ++step) {");
    source_.line(fmt::format("ptx::copy_wait<{}>();", tile_.stages - 2));
    source_.line("__syncthreads();");
    source_.line(fmt::format("if (step + {0} < steps) copy_weights(first_step + step + {0}, next_stage), copy_rows(first_step + step + {0}, next_stage);", ahead));
    source_.line("ptx::copy_commit();");
    multiply();
    source_.line(fmt::format("stage = stage + 1 < {0} ? stage + 1 : 0, next_stage = next_stage + 1 < {0} ? next_stage + 1 : 0;", tile_.stages));
    source_.close();
    source_.line("ptx::copy_wait<0>();");
    source_.line("__syncthreads();");
  }

  /// This warp's part of a step: a unit of each 16 columns, by 64 bytes of all rows, which are two products.
  void multiply() {
    const int row_tiles = tile_.rows / 8, chunks = kInt4Steps * dtype_bits(weights_.dtype) / 8 / 64, scale_words = chunks;
    source_.line(fmt::format("const uint32 a_stage = a_shared + stage * {};", a_.stage_bytes()));
    source_.line(fmt::format("const uint8* const unit = weight_tile + stage * {} + warp * {};", tile_.weight_bytes(), tile_.units * unit_bytes()));
    source_.line(fmt::format("uint32 packed[{0}][4], scales[{0}][{1}];", tile_.units, scale_words));
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int j = 0; j < {}; ++j) {{", tile_.units));
    source_.line(fmt::format("op::load_lanes<16>(packed[j], reinterpret_cast<const uint32*>(unit + j * {} + lane * {}));", unit_bytes(), kInt4LaneBytes));
    source_.line(fmt::format("op::load_lanes<{0}>(scales[j], reinterpret_cast<const uint32*>(unit + j * {1} + {2} + lane / 4 * {0}));", scale_words * 4, unit_bytes(), kInt4ScalesAt));
    source_.close();
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int chunk = 0; chunk < {}; ++chunk) {{", chunks));
    source_.line(fmt::format("uint32 rows[{}][4];", row_tiles));
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int i = 0; i < {}; ++i) {{", row_tiles));
    source_.line(fmt::format("ptx::load_matrix_x4(rows[i], a_stage + op::swizzled<{}>(i * 8 + lane % 8, (warp_part * {} + chunk) * 4 + lane / 8));", tile_.row_bytes(), chunks));
    if (is_tf32()) source_.line("for (int l = 0; l < 4; ++l) rows[i][l] = ptx::to_tf32(__uint_as_float(rows[i][l]));");
    source_.close();
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int j = 0; j < {}; ++j) {{", tile_.units));
    source_.line("uint32 weights[2][4];");
    source_.line(fmt::format("op::unpack_int4_{}(weights, packed[j] + chunk{}, scales[j] + chunk{});", type(), is_tf32() ? "" : " * 2", is_tf32() ? " / 2 * 2" : ""));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int i = 0; i < {}; ++i) ptx::{}(sums[j][i], weights[0], rows[i]);", row_tiles, instruction()));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int i = 0; i < {}; ++i) ptx::{}(sums[j][i], weights[1], rows[i] + 2);", row_tiles, instruction()));
    for (int loop = 0; loop < 2; ++loop) source_.close();
  }

  /// The parts of the warps, and those of the blocks of a cluster, are added up in their order.
  void join_warps(TileEpilogue& epilogue) {
    const int groups = tile_.columns() / kLaneColumns, floats = tile_.part_floats();
    source_.line("float* const part_sums = reinterpret_cast<float*>(shared);  // (warp_part, row, column)");
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int j = 0; j < {}; ++j) {{", tile_.units));
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int i = 0; i < {}; ++i) {{", tile_.rows / 8));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int l = 0; l < 4; ++l) part_sums[warp_part * {} + (i * 8 + lane % 4 * 2 + l % 2) * {} + (warp_unit + j) * 16 + l / 2 * 8 + lane / 4] = sums[j][i][l];",
                             floats, tile_.pitch()));
    source_.close();
    source_.close();
    source_.line("__syncthreads();");
    source_.open(fmt::format("for (int i = threadIdx.x; i < {}; i += {}) {{", tile_.rows * groups, tile_.threads()));
    source_.line(fmt::format("const int row = i / {0}, column = i % {0} * {1};", groups, kLaneColumns));
    source_.line(fmt::format("float* const first_part = part_sums + row * {} + column;", tile_.pitch()));
    source_.line(fmt::format("float lane_sums[{}] = {{}};", kLaneColumns));
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int other = 0; other < {}; ++other) {{", tile_.warps_along));
    source_.line(fmt::format("float of_part[{}];", kLaneColumns));
    source_.line(fmt::format("op::load_lanes<16>(of_part, first_part + other * {});", floats));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int l = 0; l < {}; ++l) lane_sums[l] += of_part[l];", kLaneColumns));
    source_.close();
    if (tile_.parts > 1) {
      source_.line("op::store_lanes<16>(first_part, lane_sums);");
    } else {
      source_.line("const int m = m0 + row, n = n0 + column;");
      epilogue.store_columns("lane_sums", "m", "n");
    }
    source_.close();
    if (tile_.parts > 1) join_cluster(source_, epilogue, {DType::f32, tile_.rows, tile_.columns(), tile_.pitch(), tile_.parts, tile_.threads()});
  }

  const Contraction spec_;
  const Int4Weights& weights_;
  const Int4Tile tile_;
  const MmaOptions options_;
  const TileRows rows_;
  Source source_;
  const OperandTile a_;
  const std::unique_ptr<TileCopy> copy_a_;
};

}  // namespace

bool has_int4_kernel(const Contraction& spec, const Int4Weights& weights, const MmaOptions& options) {
  const DType a = stored_element(spec.a)->dtype;
  const bool is_multiplied = a == DType::f16 || a == DType::bf16 || (a == DType::f32 && options.tf32);
  return spec.kind == Contraction::Kind::dense && spec.compute == DType::f32 && is_multiplied && a == weights.dtype && TileRows(spec).products.empty();
}

MmaKernel emit_int4_mma(const Contraction& spec, const Int4Weights& weights, const Int4Tile& tile, const MmaOptions& options) {
  return Int4Emitter(spec, weights, tile, options).emit();
}

}  // namespace intaglio::cuda
