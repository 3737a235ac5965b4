// See depthwise.h.

#include "codegen/cuda/depthwise.h"

#include <algorithm>

#include "codegen/cuda/tile_rows.h"
#include "codegen/schedule/tiling.h"
#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::ExprKind;
using kernel::Op;

constexpr int kThreads = 128;
constexpr std::int64_t kWidestAccess = 16;
/// Wider tiles read less often what neighbours share, but take registers, and threads from small images.
constexpr int kMostPositions = 4;
/// Threads that a GPU should have before each of them does more.
constexpr std::int64_t kEnoughThreads = 1 << 16;
/// What an unknown extent is taken for.
constexpr std::int64_t kTypicalExtent = 8;
/// What a thread may have in registers before it starts to multiply.
constexpr std::int64_t kMostLoadsAtOnce = 18;

/// The load of an operand that is one, perhaps converted; null for others.
Expr plain_load(const Expr& operand) {
  Expr e = operand;
  while (e->kind == ExprKind::cast) e = e->args[0];
  return e->kind == ExprKind::load ? e : nullptr;
}

Contraction with_packed_weights(Contraction spec) {
  if (spec.constant_b < 0) return spec;
  kernel::Buffer& buffer = spec.buffers[static_cast<std::size_t>(spec.constant_b)];
  const Dim width = Dim::ceildiv(spec.n.extent, kPanelColumns) * kPanelColumns;
  buffer.elements = spec.r.extent * spec.s.extent * width;
  const auto add = [](const Expr& a, const Expr& b) { return kernel::binary(Op::add, a, b); };
  const auto times = [](const Expr& a, const Dim& b) { return kernel::binary(Op::mul, a, kernel::from_dim(b)); };
  const Expr tap = add(times(kernel::var(spec.r.var), spec.s.extent), kernel::var(spec.s.var));
  spec.b = kernel::cast(kernel::load(spec.constant_b, buffer.dtype, add(times(tap, width), kernel::var(spec.n.var))), spec.b->dtype);
  return spec;
}

class DepthwiseEmitter {
 public:
  DepthwiseEmitter(const Contraction& spec, const DepthwisePlan& plan, bool checked)
      : spec_(with_packed_weights(spec)),
        plan_(plan),
        type_(type_name(spec.compute)),
        source_(spec_.buffers, spec_.symbols, fits_narrow_index(spec_.buffers, spec_.symbols), checked),
        lanes_{spec.n.var, plan.channels, {}},
        columns_((plan.positions - 1) * spec.stride_x + (spec.s.extent.value() - 1) * spec.dilation_x + 1) {}

  DepthwiseKernel emit() {
    head();
    sum();
    store();
    const std::string text = signature(spec_.name, spec_.buffers, spec_.symbols, kThreads, 1, 0, "", {true, spec_.constant_b}) + source_.elements() + source_.text() + "}\n";
    return {{text, kThreads}, Dim::ceildiv(threads(), kThreads)};
  }

 private:
  static std::string name(const Axis& axis) { return Source::var_name(axis.var); }
  std::string extent(const Dim& dim) { return source_.index(kernel::from_dim(dim)); }
  void define(const std::string& variable, const std::string& value) { source_.line(fmt::format("const {} {} = {};", source_.index_type(), variable, value)); }
  void unroll(const std::string& loop) {
    source_.line("#pragma unroll");
    source_.open(loop);
  }
  void unroll(const std::string& variable, std::int64_t count) { unroll(fmt::format("for (int {0} = 0; {0} < {1}; ++{0}) {{", variable, count)); }

  Dim channel_groups() const { return Dim::floordiv(spec_.n.extent, plan_.channels); }
  Dim tiles() const { return Dim::ceildiv(spec_.x.extent, plan_.positions); }
  Dim threads() const {
    Dim count = channel_groups() * tiles() * spec_.y.extent;
    for (const Axis& axis : spec_.batch) count = count * axis.extent;
    return count;
  }

  /// Which channels and positions are this thread's.
  void head() {
    source_.line("ptx::allow_next_kernel();");
    source_.line(fmt::format("const {0} thread = {0}(blockIdx.x) * {1} + threadIdx.x;", source_.index_type(), kThreads));
    source_.line(fmt::format("if (thread >= {}) return;", extent(threads())));
    std::vector<Axis> axes = spec_.batch;
    axes.push_back(spec_.y);
    axes.push_back({tile_, tiles()});
    axes.push_back({group_, channel_groups()});
    split_number(source_, axes, "thread");
    define(name(spec_.n), fmt::format("{} * {}", Source::var_name(group_), plan_.channels));
    source_.set_multiple(spec_.n.var, plan_.channels);
    source_.line(fmt::format("{} sums[{}][{}] = {{}};", type_, plan_.positions, plan_.channels));
  }

  void sum() {
    const std::int64_t rows = spec_.r.extent.value();
    // With few inputs all loads of a thread are on their way at once; otherwise many threads hide how long a row takes.
    const bool at_once = rows * columns_ <= kMostLoadsAtOnce;
    const std::string row = at_once ? name(spec_.r) : "0";
    const std::string over_rows = fmt::format("for (int {0} = 0; {0} < {1}; ++{0}) {{", name(spec_.r), rows);
    declare("inputs", at_once ? rows : 1, columns_, plain_load(spec_.a));
    declare("weights", at_once ? rows : 1, spec_.s.extent.value(), plain_load(spec_.b));
    const bool early = spec_.constant_b >= 0 && at_once;
    if (!early) source_.line("ptx::wait_for_previous_kernel();");
    if (at_once) {
      unroll(over_rows);
      load_weights(row);
      source_.close();
      if (early) source_.line("ptx::wait_for_previous_kernel();");
      unroll(over_rows);
      load_inputs(row);
      source_.close();
      unroll(over_rows);
    } else {
      source_.open(over_rows);
      load_weights(row);
      load_inputs(row);
    }
    multiply(row);
    source_.close();
  }

  void declare(const std::string& array, std::int64_t rows, std::int64_t columns, const Expr& element) {
    source_.line(fmt::format("{} {}[{}][{}][{}];", type_name(element->dtype), array, rows, columns, plan_.channels));
  }

  void load_weights(const std::string& row) {
    unroll(name(spec_.s), spec_.s.extent.value());
    source_.load_values(plain_load(spec_.b), fmt::format("weights[{}][{}]", row, name(spec_.s)), lanes_);
    source_.close();
  }

  /// The columns of a row that this thread's positions use, 0 outside of the input.
  void load_inputs(const std::string& row) {
    define(Source::var_name(spec_.a_y), fmt::format("{} * {} + {} * {} - {}", name(spec_.y), spec_.stride_y, name(spec_.r), spec_.dilation_y, extent(spec_.pad_y)));
    unroll("column", columns_);
    const std::string y = Source::var_name(spec_.a_y), x = Source::var_name(spec_.a_x);
    define(x, fmt::format("{} * {} + column - {}", Source::var_name(tile_), plan_.positions * spec_.stride_x, extent(spec_.pad_x)));
    const bool whole = !spec_.padded && spec_.x.extent == tiles() * Dim(plan_.positions);
    const std::string inside = whole ? "" : fmt::format("{0} >= 0 && {0} < {1} && {2} >= 0 && {2} < {3}", y, extent(spec_.input_height), x, extent(spec_.input_width));
    source_.load_values(plain_load(spec_.a), fmt::format("inputs[{}][column]", row), lanes_, inside);
    source_.close();
  }

  /// Each column by the taps under which one of the positions sees it.
  void multiply(const std::string& row) {
    const std::int64_t taps = spec_.s.extent.value();
    source_.line(fmt::format("{} taps[{}][{}];", type_, taps, plan_.channels));
    unroll(name(spec_.s), taps);
    source_.set_values(plain_load(spec_.b), fmt::format("weights[{}][{}]", row, name(spec_.s)));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int l = 0; l < {}; ++l) taps[{}][l] = {}[l];", plan_.channels, name(spec_.s), source_.values(spec_.b, lanes_)));
    source_.close();
    unroll("column", columns_);
    source_.set_values(plain_load(spec_.a), fmt::format("inputs[{}][column]", row));
    const std::string values = source_.values(spec_.a, lanes_);
    unroll("s", taps);
    source_.line(fmt::format("const int ahead = column - s * {}, t = ahead / {};", spec_.dilation_x, spec_.stride_x));
    source_.line(fmt::format("if (ahead < 0 || ahead % {} != 0 || t >= {}) continue;", spec_.stride_x, plan_.positions));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int l = 0; l < {}; ++l) sums[t][l] += {}[l] * taps[s][l];", plan_.channels, values));
    source_.close();
    source_.close();
  }

  void store() {
    unroll("t", plan_.positions);
    define(name(spec_.x), fmt::format("{} * {} + t", Source::var_name(tile_), plan_.positions));
    const bool whole = spec_.x.extent == tiles() * Dim(plan_.positions);
    if (!whole) source_.open(fmt::format("if ({} < {}) {{", name(spec_.x), extent(spec_.x.extent)));
    const Lanes lanes{spec_.n.var, plan_.channels, {{spec_.accumulator, "sums[t]"}}};
    source_.store_values(static_cast<int>(spec_.buffers.size()) - 1, spec_.offset, source_.values(spec_.result, lanes), lanes);
    if (!whole) source_.close();
    source_.close();
  }

  Contraction spec_;
  const DepthwisePlan plan_;
  const std::string type_;
  Source source_;
  const Lanes lanes_;
  const std::int64_t columns_;
  const int tile_ = spec_.new_variable(), group_ = spec_.new_variable();  ///< number the tiles of a row, the groups of channels
};

}  // namespace

std::optional<DepthwisePlan> plan_depthwise(const Contraction& spec) {
  const Expr input = plain_load(spec.a);
  if (!input || !plain_load(spec.b) || !spec.r.extent.is_constant() || !spec.s.extent.is_constant()) return std::nullopt;
  DepthwisePlan plan;
  const std::int64_t bytes = std::max<std::int64_t>(dtype_bits(input->dtype) / 8, 2);
  plan.channels = static_cast<int>(kWidestAccess / bytes);
  while (known_divisor(kernel::from_dim(spec.n.extent), {}) % plan.channels != 0) plan.channels /= 2;
  Dim elements = spec.x.extent * spec.y.extent * spec.n.extent;
  for (const Axis& axis : spec.batch) elements = elements * axis.extent;
  const std::int64_t vectors = elements.evaluate([](const std::string&) { return kTypicalExtent; }) / plan.channels;
  while (plan.positions < kMostPositions && vectors / plan.positions > kEnoughThreads) plan.positions *= 2;
  return plan;
}

DepthwiseKernel emit_depthwise(const Contraction& spec, const DepthwisePlan& plan, bool checked) { return DepthwiseEmitter(spec, plan, checked).emit(); }

}  // namespace intaglio::cuda
