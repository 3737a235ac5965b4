// Attention of 16-bit floats on tensor cores. A warp takes 16 queries, or 32 where there are many, so that its scores, as mma leaves them in
// registers, are the operand that the second product wants; keys and values come through shared memory, two tiles in turn.

#include <algorithm>

#include "codegen/cuda/attention_emitter.h"

#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

constexpr int kWarps = 4;
constexpr int kThreads = kWarps * 32;
constexpr int kChunk = 8;  // elements of 16 bytes
/// From so many blocks on a GPU is busy enough for blocks of twice the queries, which read keys and values half as often.
constexpr std::int64_t kManyBlocks = 4 * 132;

class MmaEmitter : AttentionEmitter {
 public:
  MmaEmitter(const Attention& spec, const AttentionOptions& options)
      : AttentionEmitter(spec, options),
        type_(type_name(spec.storage)),
        depth_(padded(spec.d)),
        columns_(padded(spec.e)),
        // Both tiles of both operands fit 48 KB.
        keys_(std::max(depth_, columns_) > 64 ? 32 : 64),
        row_tiles_(row_tiles()),
        queries_(kWarps * 16 * row_tiles_) {}

  AttentionKernel emit() {
    declare_tiles();
    begin(queries_);
    load_queries();
    source_.line(fmt::format("float out[{}][{}][4] = {{}};  // (row tile, tile of 8 columns, as mma has it)", row_tiles_, columns_ / 8));
    source_.line(fmt::format("float largest[{0}][2], total[{0}][2] = {{}};  // of rows g and g + 8; the total of this lane's keys alone", row_tiles_));
    unrolled(fmt::format("for (int m = 0; m < {}; ++m) {{", row_tiles_));
    source_.line("largest[m][0] = largest[m][1] = -__int_as_float(0x7f800000);");
    close();
    source_.line(fmt::format("const bool has_queries = warp_s < {};", extent(spec_.s.extent)));
    walk_keys();
    store_results();
    const std::string text = signature(spec_.name, spec_.buffers, spec_.symbols, kThreads, 1, 0, "", {options_.overlaps}) + source_.elements() + source_.text() + "}\n";
    return {{text, kThreads}, blocks(queries_)};
  }

 private:
  /// Sums are in steps of 16.
  static int padded(const Axis& axis) { return static_cast<int>((axis.extent.value() + 15) / 16 * 16); }

  int row_tiles() const {
    const auto blocks_of_many = blocks(kWarps * 32).constant();
    const bool wastes_more = Dim::ceildiv(spec_.s.extent, 128) * 2 != Dim::ceildiv(spec_.s.extent, 64);
    // Registers: 32 rows of 64 columns of sums and of scores.
    return blocks_of_many && *blocks_of_many >= kManyBlocks && !wastes_more && depth_ <= 64 && columns_ <= 64 ? 2 : 1;
  }

  void declare_tiles() {
    // A row is an odd number of chunks, so that a column of chunks is in 8 different groups of banks.
    source_.line(fmt::format("alignas(16) __shared__ {} k_tile[2][{}][{}];  // (stage, key, d)", type_, keys_, depth_ + kChunk));
    source_.line(fmt::format("alignas(16) __shared__ {} v_tile[2][{}][{}];  // (stage, key, e)", type_, keys_, columns_ + kChunk));
    source_.line("const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;");
  }

  /// The queries of the warp as the first operand of mma: pairs of columns 2t, 2t + 1 and 2t + 8, 2t + 9 of rows g and g + 8.
  void load_queries() {
    const std::string s = name(spec_.s), d = name(spec_.d);
    source_.line(index(fmt::format("warp_s = first_query + warp * {};", 16 * row_tiles_)));
    source_.line(fmt::format("uint32 q[{}][{}][4];  // (row tile, step of 16 columns, pair)", row_tiles_, depth_ / 16));
    unrolled(fmt::format("for (int m = 0; m < {}; ++m) {{", row_tiles_));
    unrolled(fmt::format("for (int step = 0; step < {}; ++step) {{", depth_ / 16));
    unrolled("for (int i = 0; i < 4; ++i) {");
    source_.line(index(fmt::format("{} = warp_s + m * 16 + i % 2 * 8 + lane / 4;", s)));
    source_.line("uint32 pair = 0;");
    if (const auto* load = load_in_groups(spec_.q, spec_.d, 2)) {
      source_.line(index(fmt::format("{} = step * 16 + i / 2 * 8 + lane % 4 * 2;", d)));
      source_.open(fmt::format("if ({} < {} && {} < {}) {{", s, extent(spec_.s.extent), d, extent(spec_.d.extent)));
      source_.line(fmt::format("pair = *reinterpret_cast<const uint32*>(b{} + {});", load->buffer, source_.index(load->args[0])));
      close();
    } else {
      unrolled("for (int half = 0; half < 2; ++half) {");
      source_.line(index(fmt::format("{} = step * 16 + i / 2 * 8 + lane % 4 * 2 + half;", d)));
      source_.open(fmt::format("if ({} < {} && {} < {}) {{", s, extent(spec_.s.extent), d, extent(spec_.d.extent)));
      source_.line(fmt::format("pair |= uint32({}.bits) << half * 16;", narrowed(source_.value(spec_.q))));
      close(2);
    }
    source_.line("q[m][step][i] = pair;");
    close(3);
  }

  std::string narrowed(const std::string& value) const { return fmt::format("op::to_{}({})", type_, value); }

  /// Lines that begin to bring rows of keys or values from key `t` on to a tile; what is beyond the last key or column becomes zero.
  void stage(const std::string& tile, const kernel::Expr& operand, const Axis& column, int padded_columns) {
    const std::string t = name(spec_.t), c = name(column);
    const auto* load = load_in_groups(operand, column, kChunk);
    const int width = load ? kChunk : 1, parts = padded_columns / width;
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int i = threadIdx.x; i < {}; i += {}) {{", keys_ * parts, kThreads));
    source_.line(fmt::format("const int row = i / {0}, column = i % {0} * {1};", parts, width));
    source_.line(index(fmt::format("{} = next_t + row, {} = column;", t, c)));
    const std::string inside = fmt::format("{} < {} && {} < {}", t, extent(spec_.t.extent), c, extent(column.extent));
    if (load) {
      source_.line(fmt::format("ptx::copy_async<16>(ptx::shared_address(&{}[next_stage][row][column]), b{} + {}, {});", tile, load->buffer, source_.index(load->args[0]), inside));
    } else {
      source_.line(fmt::format("{} element = {{}};", type_));
      source_.open(fmt::format("if ({}) {{", inside));
      source_.line(fmt::format("element = {};", narrowed(source_.value(operand))));
      close();
      source_.line(fmt::format("{}[next_stage][row][column] = element;", tile));
    }
    close();
  }

  void stage_both(const std::string& t, const std::string& stage_number) {
    source_.open("{");
    source_.line(index(fmt::format("next_t = {};", t)));
    source_.line(fmt::format("const int next_stage = {};", stage_number));
    stage("k_tile", spec_.k, spec_.d, depth_);
    stage("v_tile", spec_.v, spec_.e, columns_);
    close();
  }

  void walk_keys() {
    const std::string keys = extent(spec_.t.extent);
    source_.line("int stage = 0;");
    stage_both("0", "0");
    source_.line("ptx::copy_commit();");
    source_.open(fmt::format("for ({0} first_key = 0; first_key < {1}; first_key += {2}, stage ^= 1) {{", source_.index_type(), keys, keys_));
    // All have left the other stage when all are here.
    source_.line("ptx::copy_wait<0>();");
    source_.line("__syncthreads();");
    source_.open(fmt::format("if (first_key + {} < {}) {{", keys_, keys));
    stage_both(fmt::format("first_key + {}", keys_), "stage ^ 1");
    source_.line("ptx::copy_commit();");
    close();
    source_.line("if (!has_queries) continue;");
    const auto known = spec_.t.extent.constant();
    const int rest = known ? static_cast<int>(*known % keys_) : keys_;
    if (!known || *known >= keys_) {
      source_.open(fmt::format("if (first_key + {} <= {}) {{", keys_, keys));
      process_tile(keys_, false);
      if (rest > 0) source_.line("continue;");
      close();
    }
    if (rest > 0) process_tile((rest + 15) / 16 * 16, true);
    close();
  }

  /// Scores, weights and weighted values of the first `count` keys of the tile; some of them may be beyond the last one.
  void process_tile(int count, bool is_last) {
    multiply_keys(count);
    finish_scores(count, is_last);
    weigh(count);
    multiply_values(count);
  }

  void multiply_keys(int count) {
    source_.line(fmt::format("float scores[{}][{}][4] = {{}};  // (row tile, tile of 8 keys, as mma has it)", row_tiles_, count / 8));
    unrolled(fmt::format("for (int step = 0; step < {}; ++step) {{", depth_ / 16));
    unrolled(fmt::format("for (int n = 0; n < {}; n += 2) {{", count / 8));
    source_.line("uint32 k[4];  // two columns of tiles");
    source_.line("ptx::load_matrix_x4(k, ptx::shared_address(&k_tile[stage][n * 8 + lane / 16 * 8 + lane % 8][step * 16 + lane / 8 % 2 * 8]));");
    unrolled(fmt::format("for (int m = 0; m < {}; ++m) {{", row_tiles_));
    source_.line(fmt::format("ptx::mma_m16n8k16_{0}(scores[m][n], q[m][step], k);", dtype_name(spec_.storage)));
    source_.line(fmt::format("ptx::mma_m16n8k16_{0}(scores[m][n + 1], q[m][step], k + 2);", dtype_name(spec_.storage)));
    close(3);
  }

  /// Scales the scores to exponents of 2, adds the mask, and hides what is beyond the last key.
  void finish_scores(int count, bool is_last) {
    const std::string s = name(spec_.s), t = name(spec_.t), scale = float_text(spec_.scale * kLog2E);
    const bool by_row = spec_.mask && kernel::depends_on(spec_.mask, spec_.s.var);
    unrolled(fmt::format("for (int n = 0; n < {}; ++n) {{", count / 8));
    unrolled("for (int c = 0; c < 2; ++c) {");
    source_.line(index(fmt::format("{} = first_key + n * 8 + lane % 4 * 2 + c;", t)));
    const std::string inside = is_last ? fmt::format("{} < {}", t, extent(spec_.t.extent)) : "";
    if (spec_.mask && !by_row) {
      source_.line("float added = 0;");
      if (is_last) source_.open(fmt::format("if ({}) {{", inside));
      source_.line(fmt::format("added = {} * {};", source_.value(spec_.mask), float_text(kLog2E)));
      if (is_last) close();
    }
    unrolled(fmt::format("for (int m = 0; m < {}; ++m) {{", row_tiles_));
    unrolled("for (int half = 0; half < 2; ++half) {");
    if (by_row) {
      source_.line(index(fmt::format("{} = warp_s + m * 16 + half * 8 + lane / 4;", s)));
      source_.line("float added = 0;");
      source_.open(fmt::format("if ({} < {}{}{}) {{", s, extent(spec_.s.extent), is_last ? " && " : "", inside));
      source_.line(fmt::format("added = {} * {};", source_.value(spec_.mask), float_text(kLog2E)));
      close();
    }
    source_.line("float& score = scores[m][n][half * 2 + c];");
    source_.line(fmt::format("score = score * {}{};", scale, spec_.mask ? " + added" : ""));
    if (is_last) source_.line(fmt::format("if (!({})) score = -__int_as_float(0x7f800000);", inside));
    close(4);
  }

  /// Scores become weights relative to the largest score so far, and what is summed is made relative to it too.
  void weigh(int count) {
    unrolled(fmt::format("for (int m = 0; m < {}; ++m) {{", row_tiles_));
    unrolled("for (int half = 0; half < 2; ++half) {");
    source_.line("float top = largest[m][half];");
    unrolled(fmt::format("for (int n = 0; n < {}; ++n) {{", count / 8));
    source_.line("top = fmaxf(top, fmaxf(scores[m][n][half * 2], scores[m][n][half * 2 + 1]));");
    close();
    source_.line("top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 1));");
    source_.line("top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 2));");
    // Where all are hidden so far, differences to a finite number: weights of 0, not NaN.
    source_.line("const float base = top == -__int_as_float(0x7f800000) ? 0.0f : top;");
    source_.line("const float fade = ptx::exp2(largest[m][half] - base);");
    source_.line("largest[m][half] = top;");
    source_.line("float sum = 0;");
    unrolled(fmt::format("for (int n = 0; n < {}; ++n) {{", count / 8));
    unrolled("for (int c = 0; c < 2; ++c) {");
    source_.line("float& weight = scores[m][n][half * 2 + c];");
    source_.line("weight = ptx::exp2(weight - base);");
    source_.line("sum += weight;");
    close(2);
    source_.line("total[m][half] = total[m][half] * fade + sum;");
    unrolled(fmt::format("for (int j = 0; j < {}; ++j) {{", columns_ / 8));
    source_.line("out[m][j][half * 2] *= fade;");
    source_.line("out[m][j][half * 2 + 1] *= fade;");
    close(3);
  }

  void multiply_values(int count) {
    unrolled(fmt::format("for (int step = 0; step < {}; ++step) {{", count / 16));
    source_.line(fmt::format("uint32 weights[{}][4];", row_tiles_));
    unrolled(fmt::format("for (int m = 0; m < {}; ++m) {{", row_tiles_));
    unrolled("for (int i = 0; i < 4; ++i) {");
    source_.line("const float* const two = &scores[m][step * 2 + i / 2][i % 2 * 2];");
    source_.line(fmt::format("weights[m][i] = ptx::pack_{}(two[0], two[1]);", dtype_name(spec_.storage)));
    close(2);
    unrolled(fmt::format("for (int j = 0; j < {}; j += 2) {{", columns_ / 8));
    source_.line("uint32 v[4];  // two columns of tiles");
    source_.line("ptx::load_matrix_x4_transposed(v, ptx::shared_address(&v_tile[stage][step * 16 + lane % 16][j * 8 + lane / 16 * 8]));");
    unrolled(fmt::format("for (int m = 0; m < {}; ++m) {{", row_tiles_));
    source_.line(fmt::format("ptx::mma_m16n8k16_{0}(out[m][j], weights[m], v);", dtype_name(spec_.storage)));
    source_.line(fmt::format("ptx::mma_m16n8k16_{0}(out[m][j + 1], weights[m], v + 2);", dtype_name(spec_.storage)));
    close(3);
  }

  void store_results() {
    unrolled(fmt::format("for (int m = 0; m < {}; ++m) {{", row_tiles_));
    source_.line("float scale[2];");
    unrolled("for (int half = 0; half < 2; ++half) {");
    source_.line("float sum = total[m][half];");
    source_.line("sum += __shfl_xor_sync(0xffffffff, sum, 1);");
    source_.line("sum += __shfl_xor_sync(0xffffffff, sum, 2);");
    source_.line("scale[half] = 1.0f / sum;");
    close();
    if (spec_.e.extent.value() % (4 * kChunk) == 0) {
      store_chunks();
    } else {
      store_pairs();
    }
    close();
  }

  /// Lanes of a quad exchange their columns, so that each has 8 that follow each other.
  void store_chunks() {
    unrolled(fmt::format("for (int j = 0; j < {}; j += 4) {{", columns_ / 8));
    source_.line("op::gather_columns(&out[m][j]);");
    unrolled("for (int half = 0; half < 2; ++half) {");
    skip_missing_query();
    source_.line(index(fmt::format("{} = j * 8 + lane % 4 * {};", name(spec_.e), kChunk)));
    source_.line(fmt::format("float columns[{}];", kChunk));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int l = 0; l < {}; ++l) columns[l] = out[m][j + l / 2][half * 2 + l % 2] * scale[half];", kChunk));
    source_.set_multiple(spec_.e.var, kChunk);
    const Lanes lanes{spec_.e.var, kChunk, {{spec_.accumulator, "columns"}}};
    const std::string results = source_.values(spec_.result, lanes);
    source_.store_values(static_cast<int>(spec_.buffers.size()) - 1, spec_.offset, results, lanes);
    close(2);
  }

  void store_pairs() {
    unrolled("for (int half = 0; half < 2; ++half) {");
    skip_missing_query();
    unrolled(fmt::format("for (int j = 0; j < {}; ++j) {{", columns_ / 8));
    unrolled("for (int c = 0; c < 2; ++c) {");
    source_.line(index(fmt::format("{} = j * 8 + lane % 4 * 2 + c;", name(spec_.e))));
    if (columns_ != spec_.e.extent.value()) source_.line(fmt::format("if ({} >= {}) continue;", name(spec_.e), spec_.e.extent.value()));
    store("out[m][j][half * 2 + c] * scale[half]");
    close(3);
  }

  void skip_missing_query() {
    source_.line(index(fmt::format("{} = warp_s + m * 16 + half * 8 + lane / 4;", name(spec_.s))));
    source_.line(fmt::format("if ({} >= {}) continue;", name(spec_.s), extent(spec_.s.extent)));
  }

  const std::string type_;
  const int depth_, columns_;  // of q and k, of v, with what fills them up to whole steps
  const int keys_;             // in a tile
  const int row_tiles_;        // of 16 queries, a warp
  const int queries_;          // a block
};

}  // namespace

AttentionKernel emit_attention_mma(const Attention& spec, const AttentionOptions& options) { return MmaEmitter(spec, options).emit(); }

}  // namespace intaglio::cuda
