// Attention of f32 on the plain arithmetic units, exact. A block takes 32 queries and walks the keys in tiles of 32; four neighbouring threads
// share a query: each has 8 of its scores, then a quarter of its result.

#include <algorithm>

#include "codegen/cuda/attention_emitter.h"

namespace intaglio::cuda {
namespace {

constexpr int kQueries = 32;
constexpr int kKeys = 32;
constexpr int kSharers = 4;  // threads a query
constexpr int kThreads = kQueries * kSharers;
constexpr int kScores = kKeys / kSharers;
constexpr int kVector = 4;  // floats of 16 bytes

class SimtEmitter : AttentionEmitter {
 public:
  SimtEmitter(const Attention& spec, const AttentionOptions& options) : AttentionEmitter(spec, options), depth_(padded(spec.d)), columns_(padded(spec.e)) {}

  AttentionKernel emit() {
    const std::string s = name(spec_.s);
    // A row is an odd number of vectors, so that eight rows are in different banks.
    source_.line(fmt::format("alignas(16) __shared__ float q_tile[{}][{}];", kQueries, depth_ + kVector));
    source_.line(fmt::format("alignas(16) __shared__ float key_tile[{}][{}];  // keys, then their values", kKeys, std::max(depth_, columns_) + kVector));
    source_.line(fmt::format("__shared__ float weight_tile[{}][{} + 1];", kQueries, kKeys));
    begin(kQueries);
    source_.line(fmt::format("const int query = threadIdx.x / {0}, part = threadIdx.x % {0};", kSharers));
    stage("q_tile", spec_.q, spec_.s, "first_query", spec_.d, depth_);
    source_.line(index(fmt::format("{} = first_query + query;", s)));
    source_.line(fmt::format("float out[{}][{}] = {{}};", columns_ / (kSharers * kVector), kVector));
    source_.line("float largest = -__int_as_float(0x7f800000), total = 0;");
    source_.open(fmt::format("for ({0} first_key = 0; first_key < {1}; first_key += {2}) {{", source_.index_type(), extent(spec_.t.extent), kKeys));
    source_.line("__syncthreads();");
    stage("key_tile", spec_.k, spec_.t, "first_key", spec_.d, depth_);
    source_.line("__syncthreads();");
    multiply_keys();
    finish_scores();
    weigh();
    source_.line("__syncthreads();");
    stage("key_tile", spec_.v, spec_.t, "first_key", spec_.e, columns_);
    source_.line("__syncthreads();");
    multiply_values();
    close();
    store_results();
    const std::string text = signature(spec_.name, spec_.buffers, spec_.symbols, kThreads, 1, 0, "", {options_.overlaps}) + source_.elements() + source_.text() + "}\n";
    return {{text, kThreads}, blocks(kQueries)};
  }

 private:
  /// Each sharer has whole vectors of the columns.
  static int padded(const Axis& axis) { return static_cast<int>((axis.extent.value() + 15) / 16 * 16); }

  /// Lines that copy rows of an operand to a tile, zeros beyond its end.
  void stage(const std::string& tile, const kernel::Expr& operand, const Axis& row, const std::string& first_row, const Axis& column, int width) {
    source_.open(fmt::format("for (int i = threadIdx.x; i < {}; i += {}) {{", kKeys * width, kThreads));
    source_.line(index(fmt::format("{} = {} + i / {}, {} = i % {};", name(row), first_row, width, name(column), width)));
    source_.line("float element = 0;");
    source_.open(fmt::format("if ({} < {} && {} < {}) {{", name(row), extent(row.extent), name(column), extent(column.extent)));
    source_.line(fmt::format("element = {};", source_.value(operand)));
    close();
    source_.line(fmt::format("{0}[i / {1}][i % {1}] = element;", tile, width));
    close();
  }

  void multiply_keys() {
    source_.line(fmt::format("float scores[{}] = {{}};  // of keys part, part + {}, ..", kScores, kSharers));
    source_.line("#pragma unroll 4");
    source_.open(fmt::format("for (int d = 0; d < {}; d += {}) {{", depth_, kVector));
    source_.line("const float4 q = *reinterpret_cast<const float4*>(&q_tile[query][d]);");
    unrolled(fmt::format("for (int j = 0; j < {}; ++j) {{", kScores));
    source_.line(fmt::format("const float4 k = *reinterpret_cast<const float4*>(&key_tile[part + j * {}][d]);", kSharers));
    source_.line("scores[j] += q.x * k.x + q.y * k.y + q.z * k.z + q.w * k.w;");
    close(2);
  }

  void finish_scores() {
    const std::string s = name(spec_.s), t = name(spec_.t);
    unrolled(fmt::format("for (int j = 0; j < {}; ++j) {{", kScores));
    source_.line(index(fmt::format("{} = first_key + part + j * {};", t, kSharers)));
    source_.line(fmt::format("float score = scores[j] * {};", float_text(spec_.scale)));
    if (spec_.mask) {
      source_.open(fmt::format("if ({} < {} && {} < {}) {{", s, extent(spec_.s.extent), t, extent(spec_.t.extent)));
      source_.line(fmt::format("score += {};", source_.value(spec_.mask)));
      close();
    }
    source_.line(fmt::format("scores[j] = {} < {} ? score : -__int_as_float(0x7f800000);", t, extent(spec_.t.extent)));
    close();
  }

  /// Scores become weights relative to the largest score so far, and what is summed is made relative to it too.
  void weigh() {
    source_.line("float top = largest;");
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int j = 0; j < {}; ++j) top = fmaxf(top, scores[j]);", kScores));
    source_.line("top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 1));");
    source_.line("top = fmaxf(top, __shfl_xor_sync(0xffffffff, top, 2));");
    // Where all are hidden so far, differences to a finite number: weights of 0, not NaN.
    source_.line("const float base = top == -__int_as_float(0x7f800000) ? 0.0f : top;");
    source_.line("const float fade = expf(largest - base);");
    source_.line("largest = top;");
    source_.line("total *= fade;");
    unrolled(fmt::format("for (int j = 0; j < {}; ++j) {{", kScores));
    source_.line("const float weight = expf(scores[j] - base);");
    source_.line("total += weight;");
    source_.line(fmt::format("weight_tile[query][part + j * {}] = weight;", kSharers));
    close();
    unrolled(fmt::format("for (int j = 0; j < {}; ++j) {{", columns_ / (kSharers * kVector)));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int c = 0; c < {}; ++c) out[j][c] *= fade;", kVector));
    close();
  }

  void multiply_values() {
    source_.line("#pragma unroll 4");
    source_.open(fmt::format("for (int key = 0; key < {}; ++key) {{", kKeys));
    source_.line("const float weight = weight_tile[query][key];");
    unrolled(fmt::format("for (int j = 0; j < {}; ++j) {{", columns_ / (kSharers * kVector)));
    source_.line(fmt::format("const float4 v = *reinterpret_cast<const float4*>(&key_tile[key][(j * {} + part) * {}]);", kSharers, kVector));
    source_.line("out[j][0] += weight * v.x;");
    source_.line("out[j][1] += weight * v.y;");
    source_.line("out[j][2] += weight * v.z;");
    source_.line("out[j][3] += weight * v.w;");
    close(2);
  }

  void store_results() {
    const std::string e = name(spec_.e);
    source_.line("total += __shfl_xor_sync(0xffffffff, total, 1);");
    source_.line("total += __shfl_xor_sync(0xffffffff, total, 2);");
    source_.line(fmt::format("if ({} >= {}) return;", name(spec_.s), extent(spec_.s.extent)));
    unrolled(fmt::format("for (int j = 0; j < {}; ++j) {{", columns_ / (kSharers * kVector)));
    unrolled(fmt::format("for (int c = 0; c < {}; ++c) {{", kVector));
    source_.line(index(fmt::format("{} = (j * {} + part) * {} + c;", e, kSharers, kVector)));
    if (columns_ != spec_.e.extent.value()) source_.line(fmt::format("if ({} >= {}) continue;", e, spec_.e.extent.value()));
    store("out[j][c] / total");
    close(2);
  }

  const int depth_, columns_;  // of q and k, of v, with what fills them up
};

}  // namespace

AttentionKernel emit_attention_simt(const Attention& spec, const AttentionOptions& options) { return SimtEmitter(spec, options).emit(); }

}  // namespace intaglio::cuda
