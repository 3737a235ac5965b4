// See simt.h.

#include "codegen/cuda/simt.h"

#include "codegen/schedule/tiling.h"
#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::Op;

constexpr int kThreads = 256;
constexpr int kTile = 64;        // rows and columns of a block's tile
constexpr int kDepth = 16;       // steps of the sum staged at once
constexpr int kThreadTile = 4;   // rows and columns that one thread sums
constexpr int kThreadColumns = kTile / kThreadTile;

class SimtEmitter {
 public:
  SimtEmitter(const Contraction& spec, bool checked)
      : spec_(with_packed_b(spec)), type_(type_name(spec.compute)), source_(spec_.buffers, spec_.symbols, fits_narrow_index(spec_.buffers, spec_.symbols), checked) {}

  SimtKernel emit() {
    head();
    source_.open(fmt::format("for ({0} k0 = 0; k0 < {1}; k0 += {2}) {{", source_.index_type(), depth_, kDepth));
    stage_a();
    stage_b();
    source_.line("__syncthreads();");
    multiply();
    source_.line("__syncthreads();");
    source_.close();
    store_results();
    const std::string text = signature(spec_.name, spec_.buffers, spec_.symbols, kThreads) + source_.elements() + source_.text() + "}\n";
    Dim blocks = Dim::ceildiv(spec_.y.extent * spec_.x.extent, kTile) * Dim::ceildiv(spec_.n.extent, kTile);
    for (const Axis& axis : spec_.batch) blocks = blocks * axis.extent;
    return {{text, kThreads}, blocks};
  }

 private:
  /// A constant `b` lies in panels of 16 columns: [group][panel][r, s, c][16].
  static Contraction with_packed_b(Contraction spec) {
    if (spec.constant_b < 0) return spec;
    const Expr n = kernel::var(spec.n.var), columns = kernel::index_constant(kPanelColumns);
    const auto add = [](const Expr& a, const Expr& b) { return kernel::binary(Op::add, a, b); };
    const auto times = [](const Expr& a, const Dim& b) { return kernel::binary(Op::mul, a, kernel::from_dim(b)); };
    const Dim panels = Dim::ceildiv(spec.n.extent, kPanelColumns), depth = spec.reduction_extent();
    Expr panel = kernel::binary(Op::index_div, n, columns);
    if (spec.group_axis >= 0) panel = add(times(kernel::var(spec.batch[static_cast<std::size_t>(spec.group_axis)].var), panels), panel);
    const Expr tap = add(times(kernel::var(spec.r.var), spec.s.extent), kernel::var(spec.s.var));
    const Expr step = add(times(tap, spec.c.extent), kernel::var(spec.c.var));
    const Expr offset = add(times(add(times(panel, depth), step), kPanelColumns), kernel::binary(Op::index_mod, n, columns));
    const Dim groups = spec.group_axis >= 0 ? spec.batch[static_cast<std::size_t>(spec.group_axis)].extent : Dim(1);
    kernel::Buffer& buffer = spec.buffers[static_cast<std::size_t>(spec.constant_b)];
    buffer.elements = groups * panels * depth * kPanelColumns;
    const Expr element = kernel::load(spec.constant_b, buffer.dtype, offset);
    spec.b = spec.b->dtype == buffer.dtype ? element : kernel::cast(element, spec.b->dtype);
    return spec;
  }

  std::string extent(const Dim& dim) { return source_.index(kernel::from_dim(dim)); }
  std::string index(const std::string& text) const { return fmt::format("const {} {}", source_.index_type(), text); }
  static std::string name(const Axis& axis) { return Source::var_name(axis.var); }

  /// Which tile this block computes; its sums.
  void head() {
    rows_ = extent(spec_.y.extent * spec_.x.extent);
    columns_ = extent(spec_.n.extent);
    width_ = extent(spec_.x.extent);
    depth_ = extent(spec_.reduction_extent());
    source_.line(fmt::format("__shared__ {} a_tile[{}][{} + 1];  // (k, row)", type_, kDepth, kTile));
    source_.line(fmt::format("__shared__ {} b_tile[{}][{}];  // (k, column)", type_, kDepth, kTile));
    source_.line(index(fmt::format("row_tiles = ({} + {}) / {};", rows_, kTile - 1, kTile)));
    source_.line(index(fmt::format("column_tiles = ({} + {}) / {};", columns_, kTile - 1, kTile)));
    source_.line(fmt::format("{} task = blockIdx.x;", source_.index_type()));
    source_.line(index(fmt::format("n0 = task % column_tiles * {};", kTile)));
    source_.line("task /= column_tiles;");
    source_.line(index(fmt::format("m0 = task % row_tiles * {};", kTile)));
    source_.line("task /= row_tiles;");
    for (std::size_t i = spec_.batch.size(); i-- > 0;) {
      source_.line(index(fmt::format("{} = task % {};", name(spec_.batch[i]), extent(spec_.batch[i].extent))));
      source_.line(fmt::format("task /= {};", extent(spec_.batch[i].extent)));
    }
    source_.line(fmt::format("{} sums[{}][{}] = {{}};", type_, kThreadTile, kThreadTile));
    source_.line(fmt::format("const int thread_row = threadIdx.x / {0} * {1}, thread_column = threadIdx.x % {0} * {1};", kThreadColumns, kThreadTile));
  }

  /// r, s and c of step `k` of the sum.
  void split_step() {
    if (spec_.r.extent == Dim(1) && spec_.s.extent == Dim(1)) {
      source_.line(index(fmt::format("{} = k;", name(spec_.c))));
      source_.line(index(fmt::format("{} = 0, {} = 0;", name(spec_.r), name(spec_.s))));
      return;
    }
    const std::string channels = extent(spec_.c.extent), taps = extent(spec_.s.extent);
    source_.line(index(fmt::format("{} = k % {};", name(spec_.c), channels)));
    source_.line(index(fmt::format("{} = k / {} % {};", name(spec_.s), channels, taps)));
    source_.line(index(fmt::format("{} = k / {} / {};", name(spec_.r), channels, taps)));
  }

  void split_row() {
    source_.line(index(fmt::format("{} = m / {};", name(spec_.y), width_)));
    source_.line(index(fmt::format("{} = m % {};", name(spec_.x), width_)));
  }

  /// Rows of `a`, channels innermost, as they lie in memory.
  void stage_a() {
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int i = threadIdx.x; i < {}; i += {}) {{", kTile * kDepth, kThreads));
    source_.line(fmt::format("const int kk = i % {0}, mm = i / {0};", kDepth));
    source_.line(index("k = k0 + kk, m = m0 + mm;"));
    source_.line(fmt::format("{} element = {};  // beyond the sum it meets zeros of b", type_, spec_.pad_value));
    source_.open(fmt::format("if (k < {} && m < {}) {{", depth_, rows_));
    split_step();
    split_row();
    const auto position = [&](int var, const Axis& at, std::int64_t stride, const Axis& tap, std::int64_t dilation, const Dim& pad) {
      source_.line(index(fmt::format("{} = {} * {} + {} * {} - {};", Source::var_name(var), name(at), stride, name(tap), dilation, extent(pad))));
    };
    position(spec_.a_y, spec_.y, spec_.stride_y, spec_.r, spec_.dilation_y, spec_.pad_y);
    position(spec_.a_x, spec_.x, spec_.stride_x, spec_.s, spec_.dilation_x, spec_.pad_x);
    if (spec_.padded) {
      const std::string y = Source::var_name(spec_.a_y), x = Source::var_name(spec_.a_x);
      source_.open(fmt::format("if ({0} >= 0 && {0} < {1} && {2} >= 0 && {2} < {3}) {{", y, extent(spec_.input_height), x, extent(spec_.input_width)));
    }
    source_.line(fmt::format("element = {};", source_.value(spec_.a)));
    if (spec_.padded) source_.close();
    source_.close();
    source_.line("a_tile[kk][mm] = element;");
    source_.close();
  }

  void stage_b() {
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int i = threadIdx.x; i < {}; i += {}) {{", kTile * kDepth, kThreads));
    source_.line(fmt::format("const int nn = i % {0}, kk = i / {0};", kTile));
    source_.line(index(fmt::format("k = k0 + kk, {} = n0 + nn;", name(spec_.n))));
    source_.line(fmt::format("{} element = 0;", type_));
    source_.open(fmt::format("if (k < {} && {} < {}) {{", depth_, name(spec_.n), columns_));
    split_step();
    source_.line(fmt::format("element = {};", source_.value(spec_.b)));
    source_.close();
    source_.line("b_tile[kk][nn] = element;");
    source_.close();
  }

  void multiply() {
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int kk = 0; kk < {}; ++kk) {{", kDepth));
    source_.line(fmt::format("{} a[{}], b[{}];", type_, kThreadTile, kThreadTile));
    for (int i = 0; i < kThreadTile; ++i) source_.line(fmt::format("a[{0}] = a_tile[kk][thread_row + {0}], b[{0}] = b_tile[kk][thread_column + {0}];", i));
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int i = 0; i < {}; ++i) {{", kThreadTile));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int j = 0; j < {}; ++j) sums[i][j] += a[i] * b[j];", kThreadTile));
    source_.close();
    source_.close();
  }

  void store_results() {
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int i = 0; i < {}; ++i) {{", kThreadTile));
    source_.line(index("m = m0 + thread_row + i;"));
    source_.line(fmt::format("if (m >= {}) break;", rows_));
    split_row();
    source_.line("#pragma unroll");
    source_.open(fmt::format("for (int j = 0; j < {}; ++j) {{", kThreadTile));
    source_.line(index(fmt::format("{} = n0 + thread_column + j;", name(spec_.n))));
    source_.line(fmt::format("if ({} >= {}) break;", name(spec_.n), columns_));
    source_.line(fmt::format("const {} t{} = sums[i][j];", type_, spec_.accumulator));
    source_.store(static_cast<int>(spec_.buffers.size()) - 1, spec_.offset, source_.value(spec_.result));
    source_.close();
    source_.close();
  }

  const Contraction spec_;
  const std::string type_;
  Source source_;
  std::string rows_, columns_, width_, depth_;
};

}  // namespace

SimtKernel emit_simt(const Contraction& spec, bool checked) { return SimtEmitter(spec, checked).emit(); }

}  // namespace intaglio::cuda
