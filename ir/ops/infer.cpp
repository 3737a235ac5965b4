// InferContext, and the checks that inference functions share.
#include "ir/ops/infer.h"

#include <algorithm>

#include "support/diagnostics.h"

namespace intaglio {
namespace {

/// The constraint "C2: .." of a record, without its number.
std::string_view constraint_text(const OpRecord& op, std::string_view number) {
  for (std::string_view constraint : op.constraints) {
    if (constraint.starts_with(number) && constraint.substr(number.size()).starts_with(": ")) return constraint.substr(number.size() + 2);
  }
  internal_check(false, "{} cites {}, which its record does not have", op.name, number);
  return {};
}

/// What an equation's reason says of its node: its origin where it has one.
std::string node_text(const Node& node) {
  return node.origins.empty() ? std::string(node.op_name()) : fmt::format("node '{}' ({})", node.origins.front(), node.op_name());
}

/// Different for any values of the symbols.
bool never_equal(const Dim& a, const Dim& b) {
  const auto difference = (a - b).constant();
  return difference && *difference != 0;
}

/// (a - 1) * (b - 1) * (a - b) = 0: extents that are equal, or one of which is 1.
Graph::Equation broadcast_equation(const Dim& a, const Dim& b, std::string reason) {
  Dim product = 1;
  if (!never_equal(a, Dim(1))) product = product * (a - Dim(1));
  if (!never_equal(b, Dim(1))) product = product * (b - Dim(1));
  return {product * (a - b), Dim(0), std::move(reason)};
}

}  // namespace

void InferContext::fail(std::string_view constraint, std::string message, std::string expected, std::string got, std::string help) const {
  if (expected.empty()) expected = constraint_text(node_.op(), constraint);
  const std::string operands = ops::operand_types(node_);
  got = got.empty() ? operands : fmt::format("{}   ({})", got, operands);
  throw CompileError(
      ErrorCode::invalid,
      Diagnostic{
          {}, fmt::format("{} ({}, {})", message, node_.op_name(), constraint), std::move(expected), std::move(got), std::move(help)});
}

void InferContext::require_equal(const Dim& a, const Dim& b, std::string_view constraint, const std::string& what) {
  if (a == b) return;
  if (never_equal(a, b)) fail(constraint, what + " differ", {}, fmt::format("{} and {}", a.text(), b.text()));
  equations.push_back({a, b, fmt::format("{}: {}", node_text(node_), what)});
}

int InferContext::normalized_axis(std::int64_t axis, int rank, std::string_view constraint) const {
  if (axis < -rank || axis >= rank) {
    fail(constraint, "the axis is out of range", fmt::format("{} <= axis < {}", -rank, rank), fmt::format("axis = {}", axis));
  }
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

Shape InferContext::broadcast(const Shape& a, const Shape& b, std::string_view constraint) {
  const Shape& longer = a.size() >= b.size() ? a : b;
  const Shape& shorter = a.size() >= b.size() ? b : a;
  Shape result = longer;
  const std::size_t lead = longer.size() - shorter.size();
  for (std::size_t i = 0; i < shorter.size(); ++i) {
    const Dim& x = longer[lead + i];
    const Dim& y = shorter[i];
    if (x == y || y == Dim(1)) continue;
    if (x == Dim(1)) {
      result[lead + i] = y;
      continue;
    }
    if (x.is_constant() && y.is_constant()) {
      fail(constraint, "the shapes do not broadcast", {}, fmt::format("{} and {}", to_text(a), to_text(b)));
    }
    equations.push_back(broadcast_equation(x, y, fmt::format("{}: the operands' shapes broadcast", node_text(node_))));
    // A constant that is not 1 is the result whatever the other one is bound to.
    result[lead + i] = x.is_constant() ? x : y.is_constant() ? y : Dim::bcast(x, y);
  }
  return result;
}

namespace ops {

std::string operand_types(const Node& node) {
  std::string text;
  for (const Value* operand : node.operands()) {
    if (!text.empty()) text += ", ";
    text += operand ? to_text(operand->type) : "_";
  }
  return text.empty() ? "no operands" : text;
}

bool is_number(DType dtype) { return is_float(dtype) || is_integer(dtype); }
bool is_byte(DType dtype) { return dtype == DType::u8 || dtype == DType::i8; }
DType product_dtype(DType dtype) { return is_byte(dtype) ? DType::i32 : dtype == DType::f8e4m3fn ? DType::f32 : dtype; }

void require_number(const InferContext& context, int operand, std::string_view constraint) {
  if (!is_number(context.operand(operand).dtype)) context.fail(constraint, fmt::format("operand {} does not hold numbers", operand));
}

void require_float(const InferContext& context, int operand, std::string_view constraint) {
  if (!is_float(context.operand(operand).dtype)) context.fail(constraint, fmt::format("operand {} does not hold floats", operand));
}

void require_boolean(const InferContext& context, int operand, std::string_view constraint) {
  if (context.operand(operand).dtype != DType::boolean) context.fail(constraint, fmt::format("operand {} is not boolean", operand));
}

void require_equal_dtypes(const InferContext& context, std::string_view constraint, int first) {
  for (int i = first + 1; i < context.node().operand_count(); ++i) {
    if (!context.has_operand(i) || context.operand(i).dtype == context.operand(first).dtype) continue;
    context.fail(constraint, fmt::format("operands {} and {} have different dtypes", first, i));
  }
}

int axis_attribute(const InferContext& context, std::string_view name, int rank, std::string_view constraint) {
  const std::int64_t axis = context.node().integer(name);
  if (axis < 0 || axis >= rank) {
    context.fail(constraint, fmt::format("attribute '{}' is out of range", name), fmt::format("0 <= {} < {}", name, rank),
                 fmt::format("{} = {}", name, axis));
  }
  return static_cast<int>(axis);
}

std::vector<std::int64_t> axes_attribute(const InferContext& context, int rank, std::string_view constraint) {
  std::vector<std::int64_t> axes = context.node().integers("axes");
  std::sort(axes.begin(), axes.end());
  const bool in_range = axes.empty() || (axes.front() >= 0 && axes.back() < rank);
  if (!in_range || std::adjacent_find(axes.begin(), axes.end()) != axes.end()) {
    context.fail(constraint, "attribute 'axes' is out of range or repeats an axis", fmt::format("distinct axes, each 0 <= axis < {}", rank),
                 fmt::format("axes = [{}]", fmt::join(context.node().integers("axes"), ",")));
  }
  return axes;
}

void require_count(const InferContext& context, std::string_view name, std::size_t count, std::string_view constraint, bool may_be_empty) {
  const std::size_t found = context.node().integers(name).size();
  if (found == count || (may_be_empty && found == 0)) return;
  context.fail(constraint, fmt::format("attribute '{}' has the wrong number of entries", name), fmt::format("{} entries", count),
               fmt::format("{} = [{}]", name, fmt::join(context.node().integers(name), ",")));
}

void require_broadcastable(InferContext& context, const Dim& a, const Dim& b, std::string_view constraint, const std::string& what) {
  if (a == b || a == Dim(1)) return;
  if (never_equal(a, b) && never_equal(a, Dim(1))) {
    context.fail(constraint, what + " does not broadcast", {}, fmt::format("{} to {}", a.text(), b.text()));
  }
  Dim product = a - b;
  if (!never_equal(a, Dim(1))) product = product * (a - Dim(1));
  context.equations.push_back({product, Dim(0), fmt::format("{}: {} broadcasts", node_text(context.node()), what)});
}

void require_broadcastable(InferContext& context, const Shape& shape, const Shape& to, std::string_view constraint,
                           const std::string& what) {
  if (shape.size() > to.size()) {
    context.fail(constraint, what + " does not broadcast", {}, fmt::format("{} to {}", to_text(shape), to_text(to)));
  }
  const std::size_t lead = to.size() - shape.size();
  for (std::size_t d = 0; d < shape.size(); ++d) require_broadcastable(context, shape[d], to[lead + d], constraint, what);
}

}  // namespace ops
}  // namespace intaglio
