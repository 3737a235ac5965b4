// Operators that move elements without computing with them.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "frontend/onnx/importers.h"
#include "frontend/onnx/shape_arithmetic.h"

namespace intaglio {
namespace {

/// The product of a run of dimensions.
Dim product(const Shape& shape, int begin, int end) {
  Dim result = 1;
  for (int i = begin; i < end; ++i) result = result * shape[static_cast<std::size_t>(i)];
  return result;
}

/// Splits the channels by two blocks, permutes and joins again: both directions of depth and space.
Value* reorder_blocks(NodeContext& node, Shape split, std::vector<std::int64_t> perm, Shape joined) {
  return node.b.reshape(node.b.transpose(node.b.reshape(node.input(0), std::move(split)), std::move(perm)), std::move(joined));
}

std::int64_t block_size(const NodeContext& node) {
  const std::int64_t size = node.integer("blocksize", 0);
  node.require(size > 0, "attribute 'blocksize' must be positive", "blocksize >= 1", std::to_string(size));
  node.require(node.rank(0) == 4, "the input must have 4 dimensions", "[N,C,H,W]", to_text(node.shape(0)));
  return size;
}

}  // namespace

Values import_reshape(NodeContext& node) {
  return {node.b.reshape(node.input(0), resolve_reshape(node, node.shape(0), node.contents(1), node.integer("allowzero", 0) != 0))};
}

Values import_flatten(NodeContext& node) {
  const int rank = node.rank(0);
  std::int64_t axis = node.integer("axis", 1);
  if (axis != rank) axis = node.axis(axis, std::max(rank, 1));
  const Shape& shape = node.shape(0);
  return {node.b.reshape(node.input(0), {product(shape, 0, static_cast<int>(axis)), product(shape, static_cast<int>(axis), rank)})};
}

Values import_squeeze(NodeContext& node) {
  const Shape& shape = node.shape(0);
  const auto given = node.axes_by_opset(13);
  Shape result;
  std::vector<std::int64_t> axes;
  if (given) axes = node.axes(*given, node.rank(0));
  for (int i = 0; i < node.rank(0); ++i) {
    const Dim& extent = shape[static_cast<std::size_t>(i)];
    const bool dropped = given ? std::ranges::find(axes, i) != axes.end() : extent == Dim(1);
    if (!dropped) {
      result.push_back(extent);
    } else if (given) {
      node.require_equal(extent, 1, fmt::format("axis {} can only be squeezed if its extent is 1", i));
    }
  }
  return {node.b.reshape(node.input(0), std::move(result))};
}

Values import_unsqueeze(NodeContext& node) {
  const auto given = node.axes_by_opset(13);
  node.require(given.has_value(), "the axes are missing");
  const int rank = node.rank(0) + static_cast<int>(given->size());
  const auto axes = node.axes(*given, rank);
  Shape result;
  std::size_t next = 0;
  for (int i = 0; i < rank; ++i) result.push_back(std::ranges::find(axes, i) != axes.end() ? Dim(1) : node.shape(0)[next++]);
  return {node.b.reshape(node.input(0), std::move(result))};
}

Values import_transpose(NodeContext& node) {
  std::vector<std::int64_t> perm(static_cast<std::size_t>(node.rank(0)));
  std::iota(perm.rbegin(), perm.rend(), 0);
  return {node.b.transpose(node.input(0), node.integers("perm").value_or(perm))};
}

Values import_expand(NodeContext& node) {
  return {node.b.op("expand", {node.input(0)}, {{"shape", broadcast_shapes(node, node.shape(0), node.contents(1))}})};
}

/// Each axis becomes a repeated one beside it, and both are joined.
Values import_tile(NodeContext& node) {
  const auto repeats = node.contents(1);
  const Shape& shape = node.shape(0);
  node.require(repeats.size() == shape.size(), "repeats must have one entry for each axis", std::to_string(shape.size()), std::to_string(repeats.size()));
  Shape spread, repeated, joined;
  for (std::size_t i = 0; i < shape.size(); ++i) {
    spread.insert(spread.end(), {Dim(1), shape[i]});
    repeated.insert(repeated.end(), {repeats[i], shape[i]});
    joined.push_back(repeats[i] * shape[i]);
  }
  Value* expanded = node.b.op("expand", {node.b.reshape(node.input(0), std::move(spread))}, {{"shape", std::move(repeated)}});
  return {node.b.reshape(expanded, std::move(joined))};
}

Values import_concat(NodeContext& node) {
  std::vector<Value*> pieces;
  for (int i = 0; i < node.input_count(); ++i) pieces.push_back(node.input(i));
  node.require(!pieces.empty(), "there is nothing to concatenate");
  node.require(node.has_attribute("axis"), "attribute 'axis' is missing");
  const std::int64_t axis = node.axis(node.integer("axis", 0), node.rank(0));
  return {node.b.op("concat", std::move(pieces), {{"axis", axis}})};
}

Values import_gather(NodeContext& node) {
  const std::int64_t axis = node.axis(node.integer("axis", 0), node.rank(0));
  return {node.b.op("gather", {node.input(0), node.input(1)}, {{"axis", axis}})};
}

Values import_gather_elements(NodeContext& node) {
  const std::int64_t axis = node.axis(node.integer("axis", 0), node.rank(0));
  return {node.b.op("gather_elements", {node.input(0), node.input(1)}, {{"axis", axis}})};
}

Values import_depth_to_space(NodeContext& node) {
  const std::int64_t k = block_size(node);
  const Shape& s = node.shape(0);
  const Dim channels = Dim::floordiv(s[1], k * k);
  const Shape joined{s[0], channels, s[2] * k, s[3] * k};
  if (node.string("mode", "DCR") == "DCR") return {reorder_blocks(node, {s[0], k, k, channels, s[2], s[3]}, {0, 3, 4, 1, 5, 2}, joined)};
  return {reorder_blocks(node, {s[0], channels, k, k, s[2], s[3]}, {0, 1, 4, 2, 5, 3}, joined)};
}

Values import_space_to_depth(NodeContext& node) {
  const std::int64_t k = block_size(node);
  const Shape& s = node.shape(0);
  const Dim height = Dim::floordiv(s[2], k), width = Dim::floordiv(s[3], k);
  return {reorder_blocks(node, {s[0], s[1], height, k, width, k}, {0, 3, 5, 1, 2, 4}, {s[0], s[1] * (k * k), height, width})};
}

Values import_trilu(NodeContext& node) {
  const int rank = node.rank(0);
  node.require(rank >= 2, "the input must have at least 2 dimensions", "[..,N,M]", to_text(node.shape(0)));
  const Shape matrix(node.shape(0).end() - 2, node.shape(0).end());
  const auto along = [&](std::int64_t axis) { return node.b.op("iota", {}, {{"shape", matrix}, {"axis", axis}, {"dtype", DType::i64}}); };
  Value* k = node.optional_input(1) ? node.b.reshape(node.input(1), {}) : node.b.scalar(DType::i64, 0);
  Value* distance = node.b.sub(along(1), along(0));
  const bool upper = node.integer("upper", 1) != 0;
  Value* kept = node.b.op(upper ? "greater_equal" : "less_equal", {distance, k});
  return {node.b.op("where", {kept, node.input(0), node.b.scalar(node.dtype(0), 0)})};
}

}  // namespace intaglio
