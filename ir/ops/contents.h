// Symbolic contents of small integer values: what is known of shape arithmetic before the shapes are.
// Booleans are 0 and 1. Elements are assumed to fit their dtype.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "ir/op.h"

namespace intaglio::ops {

using Contents = std::optional<std::vector<Dim>>;
using OperandContents = std::vector<Contents>;

/// True for i32, i64 or bool of a static shape with at most 64 elements: what contents are tracked of.
bool may_have_contents(const Type& type);
/// Every known element of an integer or boolean tensor.
std::vector<Dim> contents_of(const Tensor& tensor);

/// Contents of an elementwise node: `f` of the broadcast elements of all operands; unknown if any of its answers is.
Contents map_contents(const Node& node, const OperandContents& operands,
                      const std::function<std::optional<Dim>(const std::vector<Dim>&)>& f);
/// Contents of a node that only moves elements of its operands: found by running its reference kernel on tokens that stand for them.
/// Operand `control` (-1: none) is no data but says where elements come from: it must be constant.
Contents moved_contents(const Node& node, const OperandContents& operands, int control = -1);
/// Contents of a reduction: `f` folds the elements of each group.
Contents folded_contents(const Node& node, const OperandContents& operands, const std::function<Dim(const Dim&, const Dim&)>& f);

/// True if `dim` is at least 0 (at least 1) for any extents >= 0 of its symbols, as far as can be told.
bool is_never_negative(const Dim& dim);
bool is_always_positive(const Dim& dim);
/// -1, 0 or 1 if a < b, a = b or a > b for any extents.
std::optional<int> known_order(const Dim& a, const Dim& b);

}  // namespace intaglio::ops
