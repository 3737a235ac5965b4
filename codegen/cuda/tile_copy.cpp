// See tile_copy.h.

#include "codegen/cuda/tile_copy.h"

#include <fmt/format.h>

#include <numeric>

namespace intaglio::cuda {
namespace {

using kernel::Expr;

constexpr int kChunkBytes = 16;

bool has_one_tap(const Contraction& spec) { return spec.r.extent == Dim(1) && spec.s.extent == Dim(1); }

/// "a_y" and "a_x": the position in the input that the result's position and a tap meet at, before padding is cut off.
void define_position(Source& source, const Contraction& spec, bool with_taps) {
  const auto position = [&](int var, const Axis& at, std::int64_t stride, const Axis& tap, std::int64_t dilation, const Dim& pad) {
    const auto times = [](int factor, std::int64_t by) { return by == 1 ? Source::var_name(factor) : fmt::format("{} * {}", Source::var_name(factor), by); };
    std::string text = times(at.var, stride);
    if (with_taps) text += " + " + times(tap.var, dilation);
    if (pad != Dim(0)) text += fmt::format(" - {}", source.index(kernel::from_dim(pad)));
    source.line(fmt::format("const {} {} = {};", source.index_type(), Source::var_name(var), text));
  };
  position(spec.a_y, spec.y, spec.stride_y, spec.r, spec.dilation_y, spec.pad_y);
  position(spec.a_x, spec.x, spec.stride_x, spec.s, spec.dilation_x, spec.pad_x);
}

std::string inside(Source& source, const Contraction& spec, const std::string& y, const std::string& x) {
  return fmt::format("unsigned({}) < unsigned({}) && unsigned({}) < unsigned({})", y, int_extent(source, spec.input_height), x, int_extent(source, spec.input_width));
}

/// Elements of a line that lie side by side: asynchronous copies of `piece` bytes.
class LineCopy final : public TileCopy {
 public:
  LineCopy(const Contraction& spec, const TileRows& rows, const OperandTile& tile, int piece, Expr line_offset, Expr step_offset)
      : spec_(spec), rows_(rows), tile_(tile), piece_(piece), line_offset_(std::move(line_offset)), step_offset_(std::move(step_offset)) {}

  void prepare(Source& source) const override {
    const std::string x = tile_.name();
    source.line(fmt::format("const int {0}_piece = threadIdx.x % {1}, {0}_line = threadIdx.x / {1};", x, pieces()));
    source.line(fmt::format("{} {}_at[{}];", source.index_type(), x, passes()));
    if (checks_position()) {
      source.line(fmt::format("int {0}_y[{1}], {0}_x[{1}];", x, passes()));
    } else {
      source.line(fmt::format("bool {}_valid[{}];", x, passes()));
    }
    source.line("#pragma unroll");
    source.open(fmt::format("for (int i = 0; i < {}; ++i) {{", passes()));
    if (tile_.is_a) {
      prepare_row(source);
    } else {
      const std::string n = Source::var_name(spec_.n.var);
      source.line(fmt::format("const {} {} = n0 + b_line + i * {};", source.index_type(), n, lines_at_once()));
      source.line(fmt::format("b_valid[i] = {} < {};", n, int_extent(source, spec_.n.extent)));
    }
    source.line(fmt::format("{}_at[i] = {};", x, source.index(line_offset_)));
    source.close();
  }

  void copy(Source& source) const override {
    const std::string x = tile_.name();
    source.line(fmt::format("const int k = k0 + {}_piece * {};", x, piece_ / tile_.element_bytes()));
    split_step(source, spec_, "k");
    source.line(fmt::format("const bool in_sum = k < {};", int_extent(source, spec_.reduction_extent())));
    if (checks_position()) {
      source.line(fmt::format("const int tap_y = {} * {}, tap_x = {} * {};", Source::var_name(spec_.r.var), spec_.dilation_y, Source::var_name(spec_.s.var), spec_.dilation_x));
    }
    source.line(fmt::format("const {} step_at = {};", source.index_type(), source.index(step_offset_)));
    source.line("#pragma unroll");
    source.open(fmt::format("for (int i = 0; i < {}; ++i) {{", passes()));
    const std::string valid = checks_position() ? "in_sum && " + inside(source, spec_, x + "_y[i] + tap_y", x + "_x[i] + tap_x") : fmt::format("in_sum && {}_valid[i]", x);
    const std::string line = fmt::format("{}_line + i * {}", x, lines_at_once());
    const std::string place = fmt::format("op::swizzled<{}>({}, {})", tile_.step_bytes, tile_.is_a ? line : "op::column_row(" + line + ")",
                                          piece_ == kChunkBytes ? x + "_piece" : fmt::format("{}_piece / {}", x, kChunkBytes / piece_));
    const std::string within = piece_ == kChunkBytes ? "" : fmt::format(" + {}_piece % {} * {}", x, kChunkBytes / piece_, piece_);
    source.line(fmt::format("const bool valid = {};", valid));
    source.line(fmt::format("const {} from = {}_at[i] + step_at;", source.index_type(), x));
    source.check(tile_.element->buffer, "valid ? from : 0");
    source.check(tile_.element->buffer, fmt::format("valid ? from + {} : 0", piece_ / tile_.element_bytes() - 1));
    source.line(fmt::format("const int to = stage * {} + {}{};", tile_.stage_bytes(), place, within));
    const std::string copy = fmt::format("ptx::copy_async<{}>({}_shared + to, b{} + from, valid);", piece_, x, tile_.element->buffer);
    if (!checks_position() || spec_.pad_value == 0) {
      source.line(copy);
    } else {
      // What is not of the image holds the padding; rows beyond the last and elements beyond the sum may, too.
      source.line("if (valid) " + copy);
      const auto byte = static_cast<std::uint8_t>(spec_.pad_value);
      source.line(fmt::format("else for (int w = 0; w < {}; ++w) reinterpret_cast<uint32*>(a_tile + to)[w] = {:#x}u;", piece_ / 4, byte * 0x01010101u));
    }
    source.close();
  }

 private:
  int pieces() const { return tile_.step_bytes / piece_; }
  int lines_at_once() const { return tile_.threads / pieces(); }
  int passes() const { return tile_.lines / lines_at_once(); }
  bool checks_position() const { return tile_.is_a && spec_.padded; }

  /// Where a row of the result begins to read.
  void prepare_row(Source& source) const {
    source.line(fmt::format("const int m = m0 + a_line + i * {};", lines_at_once()));
    split_number(source, rows_.rows, "m");
    define_position(source, spec_, false);
    const std::string in_rows = fmt::format("m < {}", int_extent(source, rows_.row_count()));
    if (!checks_position()) return source.line(fmt::format("a_valid[i] = {};", in_rows));
    // Rows beyond the last are far outside of the image.
    source.line(fmt::format("a_y[i] = {} ? {} : -(1 << 30), a_x[i] = {};", in_rows, Source::var_name(spec_.a_y), Source::var_name(spec_.a_x)));
  }

  const Contraction& spec_;
  const TileRows& rows_;
  const OperandTile tile_;
  int piece_;
  Expr line_offset_;  ///< of the line's first element, at the tap 0, 0
  Expr step_offset_;  ///< of an element of the sum from there
};

/// `b` as it lies when its columns are side by side: a line of shared memory holds one element of the sum of all columns of the tile.
class ColumnsCopy final : public TileCopy {
 public:
  ColumnsCopy(const Contraction& spec, const OperandTile& tile, Expr offset) : spec_(spec), tile_(tile), offset_(std::move(offset)) {}

  void prepare(Source& source) const override {
    source.line(fmt::format("const int b_piece = threadIdx.x % {0}, b_line = threadIdx.x / {0};", pieces()));
    source.line(fmt::format("const {} {} = n0 + b_piece * {};", source.index_type(), Source::var_name(spec_.n.var), kChunkBytes / tile_.element_bytes()));
    source.line(fmt::format("const bool b_valid = {} < {};", Source::var_name(spec_.n.var), int_extent(source, spec_.n.extent)));
  }

  void copy(Source& source) const override {
    source.line("#pragma unroll");
    source.open(fmt::format("for (int i = 0; i < {}; ++i) {{", tile_.step_elements() / lines_at_once()));
    source.line(fmt::format("const int line = b_line + i * {}, k = k0 + line;", lines_at_once()));
    split_step(source, spec_, "k");
    source.line(fmt::format("const bool valid = b_valid && k < {};", int_extent(source, spec_.reduction_extent())));
    source.line(fmt::format("const {} from = {};", source.index_type(), source.index(offset_)));
    source.check(tile_.element->buffer, "valid ? from : 0");
    source.check(tile_.element->buffer, fmt::format("valid ? from + {} : 0", kChunkBytes / tile_.element_bytes() - 1));
    source.line(fmt::format("ptx::copy_async<16>(b_shared + stage * {} + op::swizzled<{}>(line, b_piece), b{} + from, valid);", tile_.stage_bytes(), row_bytes(),
                            tile_.element->buffer));
    source.close();
  }

  bool along_sum() const override { return false; }

 private:
  int row_bytes() const { return tile_.lines * tile_.element_bytes(); }
  int pieces() const { return row_bytes() / kChunkBytes; }
  int lines_at_once() const { return tile_.threads / pieces(); }

  const Contraction& spec_;
  const OperandTile tile_;
  Expr offset_;
};

/// Any operand: chunks of elements computed one by one.
class ComputedCopy final : public TileCopy {
 public:
  ComputedCopy(const Contraction& spec, const TileRows& rows, const OperandTile& tile, bool lines_first) : spec_(spec), rows_(rows), tile_(tile), lines_first_(lines_first) {}

  void prepare(Source&) const override {}

  void copy(Source& source) const override {
    const std::string x = tile_.name();
    const int elements = kChunkBytes / tile_.element_bytes(), chunks_of_tile = tile_.lines * chunks();
    source.open(fmt::format("for (int chunk = threadIdx.x; chunk < {}; chunk += {}) {{", chunks_of_tile, tile_.threads));
    // Neighbouring threads take what lies side by side in memory.
    source.line(lines_first_ ? fmt::format("const int line = chunk % {0}, piece = chunk / {0};", tile_.lines)
                             : fmt::format("const int piece = chunk % {0}, line = chunk / {0};", chunks()));
    if (tile_.is_a) {
      source.line("const int m = m0 + line;");
      split_number(source, rows_.rows, "m");
    } else {
      source.line(fmt::format("const {} {} = n0 + line;", source.index_type(), Source::var_name(spec_.n.var)));
    }
    const std::string in_lines = tile_.is_a ? fmt::format("m < {}", int_extent(source, rows_.row_count()))
                                            : fmt::format("{} < {}", Source::var_name(spec_.n.var), int_extent(source, spec_.n.extent));
    source.line(fmt::format("{} elements[{}] = {{}};", type_name(tile_.dtype), elements));
    source.line("#pragma unroll");
    source.open(fmt::format("for (int l = 0; l < {}; ++l) {{", elements));
    source.line(fmt::format("const int k = k0 + piece * {} + l;", elements));
    split_step(source, spec_, "k");
    if (tile_.is_a) define_position(source, spec_, true);
    source.open(fmt::format("if (k < {} && {}) {{", int_extent(source, spec_.reduction_extent()), in_lines));
    const bool padded = tile_.is_a && spec_.padded;
    if (padded) {
      if (spec_.pad_value != 0) source.line(fmt::format("elements[l] = {};", spec_.pad_value));
      source.open(fmt::format("if ({}) {{", inside(source, spec_, Source::var_name(spec_.a_y), Source::var_name(spec_.a_x))));
    }
    source.line(fmt::format("elements[l] = {};", source.value(tile_.element)));
    if (padded) source.close();
    source.close();
    source.close();
    source.line(fmt::format("op::store_lanes<16>(reinterpret_cast<{}*>({}_tile + stage * {} + op::swizzled<{}>({}, piece)), elements);", type_name(tile_.dtype), x,
                            tile_.stage_bytes(), tile_.step_bytes, tile_.is_a ? "line" : "op::column_row(line)"));
    source.close();
  }

 private:
  int chunks() const { return tile_.step_bytes / kChunkBytes; }

  const Contraction& spec_;
  const TileRows& rows_;
  const OperandTile tile_;
  bool lines_first_;
};

/// The offset of `tile` as where a line begins and what an element of the sum adds to it, if it is that.
struct SplitOffset {
  Expr line, step;
};
std::optional<SplitOffset> split_offset(const Contraction& spec, const OperandTile& tile, const Expr& offset) {
  const auto times = [](const Expr& a, const Expr& b) { return kernel::binary(kernel::Op::mul, a, b); };
  const auto add = [](const Expr& a, const Expr& b) { return kernel::binary(kernel::Op::add, a, b); };
  const auto along_c = kernel::linear_in(offset, spec.c.var);
  if (!along_c || kernel::constant_value(along_c->stride) != 1) return std::nullopt;
  Expr step = kernel::var(spec.c.var);
  if (tile.is_a) {
    const auto along_y = kernel::linear_in(offset, spec.a_y), along_x = kernel::linear_in(offset, spec.a_x);
    if (!along_y || !along_x) return std::nullopt;
    const auto taps = [&](const Axis& tap, std::int64_t dilation, const Expr& stride) { return times(times(kernel::var(tap.var), kernel::index_constant(dilation)), stride); };
    step = add(step, add(taps(spec.r, spec.dilation_y, along_y->stride), taps(spec.s, spec.dilation_x, along_x->stride)));
    return SplitOffset{along_c->rest, step};
  }
  Expr rest = along_c->rest;
  for (const Axis* tap : {&spec.r, &spec.s}) {
    const auto along = kernel::linear_in(rest, tap->var);
    if (!along) return std::nullopt;
    step = add(step, times(kernel::var(tap->var), along->stride));
    rest = along->rest;
  }
  return SplitOffset{rest, step};
}

}  // namespace

Expr stored_element(const Expr& element) { return element->kind == kernel::ExprKind::cast ? element->args[0] : element; }

void split_step(Source& source, const Contraction& spec, const std::string& k) {
  // All three are named, for expressions that mention one of extent 1.
  const auto define = [&](const Axis& axis, const std::string& text) { source.line(fmt::format("const {} {} = {};", source.index_type(), Source::var_name(axis.var), text)); };
  if (has_one_tap(spec)) {
    define(spec.c, k);
    define(spec.r, "0");
    return define(spec.s, "0");
  }
  const std::string channels = int_extent(source, spec.c.extent), taps = int_extent(source, spec.s.extent);
  define(spec.c, fmt::format("{} % {}", k, channels));
  define(spec.s, fmt::format("{} / {} % {}", k, channels, taps));
  define(spec.r, fmt::format("{} / {} / {}", k, channels, taps));
}

std::unique_ptr<TileCopy> choose_copy(const Contraction& spec, const TileRows& rows, const OperandTile& tile) {
  const Multiples none;
  const Expr& element = tile.element;
  bool lines_first = false;
  if (element->kind == kernel::ExprKind::load && element->dtype == tile.dtype) {
    const Expr& offset = element->args[0];
    if (const auto split = split_offset(spec, tile, offset)) {
      std::int64_t together = std::gcd(known_divisor(split->line, none), std::gcd(known_divisor(kernel::from_dim(spec.c.extent), none), kChunkBytes));
      // What is left of the taps is a multiple of their strides.
      const Expr taps = kernel::substitute(split->step, spec.c.var, kernel::index_constant(0));
      together = std::gcd(together, known_divisor(taps, none));
      for (int piece = kChunkBytes; piece >= 4; piece /= 2) {
        const int elements = piece / tile.element_bytes();
        if (elements >= 1 && together % elements == 0) return std::make_unique<LineCopy>(spec, rows, tile, piece, split->line, split->step);
      }
    }
    const auto along_n = kernel::linear_in(offset, tile.is_a ? spec.a_x : spec.n.var);
    lines_first = along_n && kernel::constant_value(along_n->stride) == 1;
    const int elements = kChunkBytes / tile.element_bytes();
    if (lines_first && !tile.is_a && tile.element_bytes() == 2 && known_divisor(along_n->rest, none) % elements == 0 &&
        known_divisor(kernel::from_dim(spec.n.extent), none) % elements == 0) {
      return std::make_unique<ColumnsCopy>(spec, tile, offset);
    }
  }
  return std::make_unique<ComputedCopy>(spec, rows, tile, lines_first);
}

}  // namespace intaglio::cuda
