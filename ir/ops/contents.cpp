// Symbolic contents; see contents.h.
#include "ir/ops/contents.h"

#include <algorithm>
#include <map>

#include "support/diagnostics.h"

namespace intaglio {
namespace ops {
namespace {

constexpr std::int64_t kMaxElements = 64;

/// Strides into a tensor of shape `from` for walking `to`, which it broadcasts to.
Extents broadcast_strides(const Extents& from, const Extents& to) {
  const Extents strides = row_major_strides(from);
  const std::size_t lead = to.size() - from.size();
  Extents result(to.size(), 0);
  for (std::size_t d = 0; d < from.size(); ++d) result[lead + d] = from[d] == 1 ? 0 : strides[d];
  return result;
}

/// The offset, by `strides`, of the element at row-major position `linear` of `extents`.
std::int64_t offset_at(std::int64_t linear, const Extents& extents, const Extents& strides) {
  std::int64_t offset = 0;
  for (std::size_t d = extents.size(); d-- > 0;) {
    offset += linear % extents[d] * strides[d];
    linear /= extents[d];
  }
  return offset;
}

Extents extents_of(const Value& value) { return static_extents(value.type.shape); }

std::vector<std::int64_t> integers_of(const Tensor& tensor) {
  const auto widened = [&](auto span) { return std::vector<std::int64_t>(span.begin(), span.end()); };
  if (tensor.dtype() == DType::i64) return widened(tensor.span<std::int64_t>());
  if (tensor.dtype() == DType::i32) return widened(tensor.span<std::int32_t>());
  internal_check(tensor.dtype() == DType::boolean, "contents of {} are not tracked", dtype_name(tensor.dtype()));
  return widened(tensor.span<std::uint8_t>());
}

/// The tensor of a control operand; nothing if a symbol occurs in its contents.
std::optional<Tensor> control_tensor(const Type& type, const std::vector<Dim>& contents) {
  std::vector<std::int64_t> values;
  for (const Dim& dim : contents) {
    if (!dim.is_constant()) return std::nullopt;
    values.push_back(dim.value());
  }
  const Extents extents = static_extents(type.shape);
  if (type.dtype != DType::boolean) return Tensor::of<std::int64_t>(DType::i64, extents, values);
  return Tensor::of<std::uint8_t>(DType::boolean, extents, std::vector<std::uint8_t>(values.begin(), values.end()));
}

bool has_symbolic_attributes(const Node& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(), [](const auto& attribute) {
    const auto* dims = std::get_if<Shape>(&attribute.second);
    return dims && !is_static(*dims);
  });
}

/// `dim` where each symbol is one smaller than its extent: what Dim says of extents >= 1 then holds for extents >= 0.
Dim with_empty_extents(const Dim& dim) {
  std::vector<std::string> names;
  dim.collect_symbols(names);
  std::map<std::string, Dim> smaller;
  for (const std::string& name : names) smaller.emplace(name, Dim::symbol(name) - Dim(1));
  return dim.substitute(smaller);
}

}  // namespace

bool may_have_contents(const Type& type) {
  if (type.dtype != DType::i64 && type.dtype != DType::i32 && type.dtype != DType::boolean) return false;
  if (!is_static(type.shape)) return false;
  return element_count(type.shape).value() <= kMaxElements;
}

std::vector<Dim> contents_of(const Tensor& tensor) {
  const auto values = integers_of(tensor);
  return std::vector<Dim>(values.begin(), values.end());
}

Contents map_contents(const Node& node, const OperandContents& operands,
                      const std::function<std::optional<Dim>(const std::vector<Dim>&)>& f) {
  const Extents extents = extents_of(*node.result());
  std::vector<Extents> strides;
  for (const Value* operand : node.operands()) {
    if (!operands[strides.size()]) return std::nullopt;
    strides.push_back(broadcast_strides(extents_of(*operand), extents));
  }
  std::vector<Dim> result;
  for (std::int64_t i = 0; i < element_count(extents); ++i) {
    std::vector<Dim> arguments;
    for (std::size_t o = 0; o < strides.size(); ++o) arguments.push_back((*operands[o])[offset_at(i, extents, strides[o])]);
    const auto element = f(arguments);
    if (!element) return std::nullopt;
    result.push_back(*element);
  }
  return result;
}

Contents moved_contents(const Node& node, const OperandContents& operands, int control) {
  if (has_symbolic_attributes(node)) return std::nullopt;
  std::vector<Dim> meaning{Dim(0)};  // of each token; the reference kernels fill with token 0
  std::vector<Tensor> tensors;
  for (int i = 0; i < node.operand_count(); ++i) {
    const Value* operand = node.operand(i);
    if (!operand) {
      tensors.emplace_back();
      continue;
    }
    if (!operands[i]) return std::nullopt;
    if (i == control) {
      const auto tensor = control_tensor(operand->type, *operands[i]);
      if (!tensor) return std::nullopt;
      tensors.push_back(*tensor);
      continue;
    }
    std::vector<std::int64_t> tokens;
    for (const Dim& dim : *operands[i]) {
      tokens.push_back(static_cast<std::int64_t>(meaning.size()));
      meaning.push_back(dim);
    }
    tensors.push_back(Tensor::of<std::int64_t>(DType::i64, extents_of(*operand), tokens));
  }
  std::vector<Dim> result;
  try {
    const Tensor moved = node.op().evaluate(node, tensors, {Type{DType::i64, node.result()->type.shape}})[0];
    for (std::int64_t token : moved.span<std::int64_t>()) result.push_back(meaning[token]);
  } catch (const CompileError&) {
    return std::nullopt;  // an index out of range: the run reports it if it comes to this node
  }
  return result;
}

Contents folded_contents(const Node& node, const OperandContents& operands, const std::function<Dim(const Dim&, const Dim&)>& f) {
  const Extents extents = extents_of(*node.operand(0));
  if (!operands[0] || element_count(extents) == 0) return std::nullopt;
  Extents kept = extents;
  for (std::int64_t axis : node.integers("axes")) kept[axis] = 1;
  const Extents strides = broadcast_strides(kept, extents);
  std::vector<std::optional<Dim>> totals(element_count(kept));
  for (std::int64_t i = 0; i < element_count(extents); ++i) {
    std::optional<Dim>& total = totals[offset_at(i, extents, strides)];
    total = total ? f(*total, (*operands[0])[i]) : (*operands[0])[i];
  }
  std::vector<Dim> result;
  for (const auto& total : totals) result.push_back(*total);
  return result;
}

bool is_always_positive(const Dim& dim) {
  if (const auto value = dim.constant()) return *value > 0;
  return with_empty_extents(dim).is_known_positive();
}

bool is_never_negative(const Dim& dim) { return is_always_positive(dim + Dim(1)); }

std::optional<int> known_order(const Dim& a, const Dim& b) {
  if (a == b) return 0;
  if (is_always_positive(a - b)) return 1;
  if (is_always_positive(b - a)) return -1;
  return std::nullopt;
}

namespace {

/// One walk over the producers of a value; each is visited once, whatever number of paths leads to it.
class ContentsWalk {
 public:
  Contents of(const Value& value) {
    if (!may_have_contents(value.type)) return std::nullopt;
    const Node* node = value.producer();
    if (!node || !node->op().contents) return std::nullopt;
    if (const auto found = known_.find(&value); found != known_.end()) return found->second;
    OperandContents operands;
    for (const Value* operand : node->operands()) operands.push_back(operand ? of(*operand) : std::nullopt);
    return known_[&value] = node->op().contents(*node, operands);
  }

 private:
  std::map<const Value*, Contents> known_;
};

}  // namespace
}  // namespace ops

std::optional<std::vector<Dim>> symbolic_contents(const Value& value) { return ops::ContentsWalk().of(value); }

}  // namespace intaglio
