// See wgmma_operands.h.

#include "codegen/cuda/wgmma_operands.h"

#include <algorithm>
#include <cstring>

#include "codegen/cuda/address.h"
#include "codegen/cuda/pack_along_sum.h"
#include "codegen/cuda/tile_copy.h"
#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::ExprKind;

/// Columns change places within blocks of this many.
constexpr std::int64_t kColumnBlock = 32;

bool is_multiple(const Dim& dim, std::int64_t of) {
  return std::ranges::all_of(dim.terms(), [&](const Dim::Term& term) { return term.coefficient % of == 0; });
}

bool is_aligned(const TensorMap& map) {
  return is_multiple(map.offset, kWordBytes) && std::ranges::all_of(map.strides, [](const Dim& stride) { return is_multiple(stride, kWordBytes); });
}

/// Adds the batch axes that the address depends on as dimensions.
bool add_products(const TileRows& rows, Address& address, WgmmaOperand& operand) {
  for (const Axis& axis : rows.products) {
    const auto stride = address.take(axis.var);
    if (!stride) return false;
    if (*stride == Dim(0)) continue;
    operand.map.extents.push_back(axis.extent);
    operand.map.strides.push_back(address.bytes(*stride));
    operand.products.push_back(axis.var);
  }
  return operand.map.extents.size() <= 5;
}

bool finish(const Address& address, WgmmaOperand& operand) {
  const auto offset = address.offset_bytes();
  if (!offset) return false;
  operand.map.offset = *offset;
  operand.map.steps.assign(operand.map.extents.size(), 1);
  return is_aligned(operand.map);
}

/// Rows that follow each other at one distance.
std::optional<WgmmaOperand> lines_of_a(const Contraction& spec, const TileRows& rows) {
  if (!is_matrix_product(spec)) return std::nullopt;
  const Expr load = stored_element(spec.a);
  Address address(load);
  WgmmaOperand operand;
  operand.map.buffer = load->buffer;
  operand.map.dtype = load->dtype;
  const auto channel = address.take(spec.c.var);
  if (!channel || *channel != Dim(1)) return std::nullopt;
  auto step = address.take_line(source_axes(spec, rows.rows));
  if (!step) return std::nullopt;
  // A single row has no distance; any will do.
  if (rows.row_count() == Dim(1)) step = Dim::ceildiv(spec.c.extent, kWordBytes) * kWordBytes;
  operand.map.extents = {spec.c.extent, rows.row_count()};
  operand.map.strides = {address.bytes(*step)};
  if (!add_products(rows, address, operand) || !finish(address, operand)) return std::nullopt;
  return operand;
}

/// Rows as TMA's im2col mode walks over them: positions of images whose channels lie innermost.
std::optional<WgmmaOperand> windows_of_a(const Contraction& spec, const TileRows& rows) {
  const Expr load = stored_element(spec.a);
  Address address(load);
  WgmmaOperand operand;
  operand.im2col = true;
  operand.map.buffer = load->buffer;
  operand.map.dtype = load->dtype;
  const auto channel = address.take(spec.c.var), x = address.take(spec.a_x), y = address.take(spec.a_y);
  if (!channel || *channel != Dim(1) || !x || !y) return std::nullopt;
  const std::vector<Axis> images(rows.rows.begin(), rows.rows.end() - 2);
  if (images.size() > 1) return std::nullopt;
  const auto image = images.empty() ? std::optional<Dim>(0) : address.take(images[0].var);
  if (!image) return std::nullopt;
  // The channels of a group are a part of a pixel: a tile must end where they do.
  Dim channels = spec.c.extent;
  for (const Axis& axis : rows.products) {
    const auto stride = address.take(axis.var);
    if (!stride || *stride != spec.c.extent || !is_multiple(spec.c.extent, kLineBytes * 8 / dtype_bits(load->dtype))) return std::nullopt;
    channels = channels * axis.extent;
  }
  // An extent of 1 has no stride in the address; TMA wants one, and any multiple of what is inside will do.
  const Dim x_bytes = *x == Dim(0) ? address.bytes(channels) : address.bytes(*x);
  const Dim y_bytes = *y == Dim(0) ? x_bytes * spec.input_width : address.bytes(*y);
  const Dim image_bytes = *image == Dim(0) ? y_bytes * spec.input_height : address.bytes(*image);
  operand.map.extents = {channels, spec.input_width, spec.input_height, images.empty() ? Dim(1) : images[0].extent};
  operand.map.strides = {x_bytes, y_bytes, image_bytes};
  if (!finish(address, operand)) return std::nullopt;
  operand.map.steps = {1, static_cast<int>(spec.stride_x), static_cast<int>(spec.stride_y), 1};
  const auto last = [](const Axis& axis, std::int64_t stride, const Dim& pad, const Dim& extent) { return (axis.extent - 1) * stride - pad - (extent - 1); };
  operand.map.lower = {Dim(0) - spec.pad_x, Dim(0) - spec.pad_y};
  operand.map.upper = {last(spec.x, spec.stride_x, spec.pad_x, spec.input_width), last(spec.y, spec.stride_y, spec.pad_y, spec.input_height)};
  // The driver's limits: of corners, traversal strides, and offsets of taps.
  for (const std::vector<Dim>* corner : {&operand.map.lower, &operand.map.upper}) {
    for (const Dim& dim : *corner) {
      if (dim.is_constant() && (dim.value() < -128 || dim.value() > 127)) return std::nullopt;
    }
  }
  const auto reach = [](const Axis& tap, std::int64_t dilation) { return (tap.extent.constant().value_or(256) - 1) * dilation; };
  if (spec.stride_x > 8 || spec.stride_y > 8 || reach(spec.s, spec.dilation_x) > 255 || reach(spec.r, spec.dilation_y) > 255) return std::nullopt;
  return operand;
}

std::optional<WgmmaOperand> packed_b(const Contraction& spec, const Expr& load) {
  WgmmaOperand operand;
  const std::int64_t element = dtype_bits(load->dtype) / 8;
  const Dim taps = spec.r.extent * spec.s.extent;
  const Dim groups = spec.group_axis >= 0 ? spec.batch[static_cast<std::size_t>(spec.group_axis)].extent : Dim(1);
  operand.map.buffer = spec.constant_b;
  operand.map.dtype = load->dtype;
  operand.map.extents = {spec.c.extent, taps, packed_columns(spec) * groups};
  operand.map.strides = {spec.c.extent * element, packed_line(spec, load->dtype) * element};
  operand.map.steps = {1, 1, 1};
  if (!is_aligned(operand.map)) return std::nullopt;
  return operand;
}

std::optional<WgmmaOperand> lines_of_b(const Contraction& spec, const TileRows& rows, const Expr& load) {
  if (spec.r.extent != Dim(1) || spec.s.extent != Dim(1)) return std::nullopt;
  Address address(load);
  WgmmaOperand operand;
  operand.map.buffer = load->buffer;
  operand.map.dtype = load->dtype;
  const bool one_tap = address.take(spec.r.var) && address.take(spec.s.var);
  const auto channel = address.take(spec.c.var), column = address.take(spec.n.var);
  if (!one_tap || !channel || !column) return std::nullopt;
  if (*channel == Dim(1)) {
    operand.map.extents = {spec.c.extent, spec.n.extent};
    operand.map.strides = {address.bytes(*column)};
  } else {
    // Only 16-bit elements are taken across the sum.
    if (*column != Dim(1) || dtype_bits(load->dtype) != 16) return std::nullopt;
    operand.along_sum = false;
    operand.map.extents = {spec.n.extent, spec.c.extent};
    operand.map.strides = {address.bytes(*channel)};
  }
  if (!add_products(rows, address, operand) || !finish(address, operand)) return std::nullopt;
  return operand;
}

/// The shortest swizzled line that holds all channels. Columns of `b` that lie across the sum take the longest.
int line_bytes(const Contraction& spec, const WgmmaOperands& operands) {
  const auto channels = spec.c.extent.constant();
  if (!channels || !operands.b.along_sum) return kLineBytes;
  int bytes = 32;
  while (bytes < kLineBytes && bytes < *channels * operands.element_bytes()) bytes *= 2;
  return bytes;
}

std::optional<WgmmaType> multiplied_type(DType a, DType b) {
  if (a == b && a == DType::f16) return WgmmaType::f16;
  if (a == b && a == DType::bf16) return WgmmaType::bf16;
  if (a == b && a == DType::f8e4m3fn) return WgmmaType::e4m3;
  if (a == b && a == DType::i8) return WgmmaType::s8;
  if (a == DType::u8 && b == DType::i8) return WgmmaType::u8_s8;
  return std::nullopt;
}

}  // namespace

std::optional<WgmmaOperands> wgmma_operands(const Contraction& spec, const TileRows& rows) {
  const Expr a = stored_element(spec.a), b = stored_element(spec.b);
  // What is computed on the way to the tensor cores passes through registers, as mma.sync kernels do it.
  if (a->kind != ExprKind::load || b->kind != ExprKind::load) return std::nullopt;
  const auto type = multiplied_type(a->dtype, b->dtype);
  // TMA pads with zeros.
  if (!type || (spec.padded && spec.pad_value != 0)) return std::nullopt;
  WgmmaOperands operands;
  operands.type = *type;
  auto lines = lines_of_a(spec, rows);
  if (!lines) lines = windows_of_a(spec, rows);
  if (!lines) return std::nullopt;
  operands.a = *lines;
  operands.packed = spec.constant_b >= 0;
  auto columns = operands.packed ? packed_b(spec, b) : lines_of_b(spec, rows, b);
  if (!columns) return std::nullopt;
  operands.b = *columns;
  operands.line_bytes = line_bytes(spec, operands);
  return operands;
}

Dim packed_columns(const Contraction& spec) { return Dim::ceildiv(spec.n.extent, kColumnBlock) * kColumnBlock; }

Tensor pack_for_wgmma(const Node& kernel_node) {
  const Tensor lines = pack_along_sum(kernel_node);
  const Node& root = *region_root(*kernel_node.region());
  const std::int64_t groups = root.is("conv") ? root.integer("group") : 1;
  const Extents& shape = kernel_node.operand(root.operand(1)->index())->constant().shape();
  const std::int64_t columns = root.is("conv") ? shape[0] / groups : shape.back(), places = (columns + kColumnBlock - 1) / kColumnBlock * kColumnBlock;
  const std::size_t line_bytes = lines.bytes() / static_cast<std::size_t>(groups * columns);
  Tensor packed(lines.dtype(), {groups * places * (lines.elements() / (groups * columns))});
  for (std::int64_t i = 0; i < groups * columns; ++i) {
    const std::int64_t n = i % columns;
    // As op::column_row says.
    const std::int64_t place = i / columns * places + n / 32 * 32 + n % 8 / 2 * 8 + n / 8 % 4 * 2 + n % 2;
    std::memcpy(static_cast<char*>(packed.mutable_data()) + static_cast<std::size_t>(place) * line_bytes,
                static_cast<const char*>(lines.data()) + static_cast<std::size_t>(i) * line_bytes, line_bytes);
  }
  return packed;
}

}  // namespace intaglio::cuda
