// Identities of operators that only move data.
#include <algorithm>
#include <array>

#include "passes/match.h"
#include "passes/simplify_rules.h"

namespace intaglio {
namespace {

bool is_zero(const Dim& dim) { return dim == Dim(0); }
bool is_one(const Dim& dim) { return dim == Dim(1); }

Value* same_shape(Node& node, Builder&) { return has_shape(node.operand(0), node.result()->type.shape) ? node.operand(0) : nullptr; }

Value* reshape_of_reshape(Node& node, Builder& b) {
  Node* inner = node.operand(0)->producer("reshape");
  return inner ? b.reshape(inner->operand(0), node.result()->type.shape) : nullptr;
}

Value* transpose_identity(Node& node, Builder&) {
  const auto& perm = node.integers("perm");
  return std::is_sorted(perm.begin(), perm.end()) ? node.operand(0) : nullptr;
}

Value* transpose_of_transpose(Node& node, Builder& b) {
  Node* inner = node.operand(0)->producer("transpose");
  if (!inner) return nullptr;
  std::vector<std::int64_t> perm = node.integers("perm");
  for (std::int64_t& axis : perm) axis = inner->integers("perm")[static_cast<std::size_t>(axis)];
  return b.transpose(inner->operand(0), std::move(perm));
}

/// A transpose that moves only axes of extent 1 keeps the order of the elements.
Value* transpose_of_ones(Node& node, Builder& b) {
  std::vector<std::int64_t> wide;
  for (std::int64_t axis : node.integers("perm")) {
    if (!is_one(node.operand(0)->type.shape[static_cast<std::size_t>(axis)])) wide.push_back(axis);
  }
  return std::is_sorted(wide.begin(), wide.end()) ? b.reshape(node.operand(0), node.result()->type.shape) : nullptr;
}

/// True if a slice takes every element in order.
bool takes_all(const Node& slice) {
  const auto& steps = slice.integers("steps");
  const auto& starts = slice.dims("starts");
  return has_shape(slice.operand(0), slice.result()->type.shape) && std::all_of(starts.begin(), starts.end(), is_zero) &&
         std::all_of(steps.begin(), steps.end(), [](std::int64_t step) { return step == 1; });
}

Value* slice_of_all(Node& node, Builder&) { return takes_all(node) ? node.operand(0) : nullptr; }

Value* slice_of_slice(Node& node, Builder& b) {
  Node* inner = node.operand(0)->producer("slice");
  if (!inner) return nullptr;
  Shape starts = node.dims("starts");
  std::vector<std::int64_t> steps = node.integers("steps");
  for (std::size_t d = 0; d < steps.size(); ++d) {
    const std::int64_t step = inner->integers("steps")[d];
    starts[d] = inner->dims("starts")[d] + starts[d] * Dim(step);
    steps[d] *= step;
  }
  return b.op("slice", {inner->operand(0)}, {{"starts", starts}, {"sizes", node.dims("sizes")}, {"steps", steps}});
}

/// The one axis that `slice` does not take whole, or nothing.
std::optional<std::size_t> sliced_axis(const Node& slice) {
  std::optional<std::size_t> axis;
  const Shape& from = slice.operand(0)->type.shape;
  for (std::size_t d = 0; d < from.size(); ++d) {
    if (is_zero(slice.dims("starts")[d]) && slice.integers("steps")[d] == 1 && from[d] == slice.dims("sizes")[d]) continue;
    if (axis) return std::nullopt;
    axis = d;
  }
  return axis;
}

/// A slice that lies within one piece of a concatenation reads that piece.
Value* slice_of_concat(Node& node, Builder& b) {
  Node* concat = node.operand(0)->producer("concat");
  const auto axis = sliced_axis(node);
  if (!concat || !axis || concat->integer("axis") != static_cast<std::int64_t>(*axis) || node.integers("steps")[*axis] != 1) return nullptr;
  const auto start = node.dims("starts")[*axis].constant();
  const auto size = node.dims("sizes")[*axis].constant();
  if (!start || !size) return nullptr;
  std::int64_t offset = 0;
  for (Value* piece : concat->operands()) {
    const auto extent = piece->type.shape[*axis].constant();
    if (!extent) return nullptr;
    if (*start >= offset && *start + *size <= offset + *extent) {
      Shape starts = node.dims("starts");
      starts[*axis] = *start - offset;
      return b.op("slice", {piece}, {{"starts", starts}, {"sizes", node.dims("sizes")}, {"steps", node.integers("steps")}});
    }
    offset += *extent;
  }
  return nullptr;
}

Value* concat_of_one(Node& node, Builder&) { return node.operand_count() == 1 ? node.operand(0) : nullptr; }

Value* concat_of_concat(Node& node, Builder& b) {
  std::vector<Value*> pieces;
  for (Value* piece : node.operands()) {
    const Node* inner = piece->producer("concat");
    // Another reader would have the inner one copied twice.
    if (inner && inner->integer("axis") == node.integer("axis") && piece->has_one_use()) {
      pieces.insert(pieces.end(), inner->operands().begin(), inner->operands().end());
    } else {
      pieces.push_back(piece);
    }
  }
  return pieces.size() > static_cast<std::size_t>(node.operand_count()) ? b.op("concat", std::move(pieces), node.attributes) : nullptr;
}

Value* expand_of_expand(Node& node, Builder& b) {
  Node* inner = node.operand(0)->producer("expand");
  return inner ? b.op("expand", {inner->operand(0)}, node.attributes) : nullptr;
}

Value* pad_nothing(Node& node, Builder&) {
  const auto& begins = node.dims("begins");
  const auto& ends = node.dims("ends");
  return std::all_of(begins.begin(), begins.end(), is_zero) && std::all_of(ends.begin(), ends.end(), is_zero) ? node.operand(0) : nullptr;
}

/// Gathering one known index is a slice, which others can read in place.
Value* gather_one(Node& node, Builder& b) {
  Value* x = node.operand(0);
  const auto axis = static_cast<std::size_t>(node.integer("axis"));
  const auto extent = x->type.shape[axis].constant();
  const auto index = splat(node.operand(1));
  // With a symbolic extent the index may be out of range, which gather reports at run time.
  if (!index || !is_single_element(node.operand(1)->type) || !extent || *index < static_cast<double>(-*extent) ||
      *index >= static_cast<double>(*extent)) {
    return nullptr;
  }
  Shape starts(x->type.shape.size(), Dim(0));
  Shape sizes = x->type.shape;
  starts[axis] = static_cast<std::int64_t>(*index) + (*index < 0 ? *extent : 0);
  sizes[axis] = 1;
  Value* slice = b.op("slice", {x}, {{"starts", starts}, {"sizes", sizes}, {"steps", std::vector<std::int64_t>(sizes.size(), 1)}});
  return b.reshape(slice, node.result()->type.shape);
}

Value* layout_of_layout(Node& node, Builder& b) {
  Node* inner = node.operand(0)->producer("convert_layout");
  return inner ? b.op("convert_layout", {inner->operand(0)}, node.attributes) : nullptr;
}

constexpr std::array kRules{
    SimplifyRule{"reshape", same_shape},
    SimplifyRule{"reshape", reshape_of_reshape},
    SimplifyRule{"transpose", transpose_identity},
    SimplifyRule{"transpose", transpose_of_transpose},
    SimplifyRule{"transpose", transpose_of_ones},
    SimplifyRule{"slice", slice_of_all},
    SimplifyRule{"slice", slice_of_slice},
    SimplifyRule{"slice", slice_of_concat},
    SimplifyRule{"concat", concat_of_one},
    SimplifyRule{"concat", concat_of_concat},
    SimplifyRule{"expand", same_shape},
    SimplifyRule{"expand", expand_of_expand},
    SimplifyRule{"pad", pad_nothing},
    SimplifyRule{"gather", gather_one},
    SimplifyRule{"convert_layout", layout_of_layout},
};

}  // namespace

std::span<const SimplifyRule> movement_rules() { return kRules; }

}  // namespace intaglio
