// What passes ask of values again and again.
#pragma once

#include <initializer_list>
#include <optional>

#include "ir/graph.h"
#include "ir/op.h"

namespace intaglio {

/// True if all are constants; absent operands do not count.
bool are_constant(std::initializer_list<const Value*> values);
/// True for a constant, and for an expression over constants that fold_constants will evaluate.
bool is_constant_expression(const Value& value);
/// The value that all elements of a constant of a number type have, or nothing.
std::optional<double> splat(const Value* value);
/// True for a constant all of whose elements equal `number`.
bool is_splat(const Value* value, double number);

bool has_shape(const Value* value, const Shape& shape);
/// True if the shape is known to hold exactly one element.
bool is_single_element(const Type& type);
bool is_elementwise(const Node& node);
bool is_movement(const Node& node);
/// True if the value is one of the graph's results.
bool is_graph_result(const Value& value);

/// The operand of a product or sum of two that is a constant expression: 0 or 1, or -1 if none is.
int constant_operand(const Node& node);
/// The contraction of 8-bit numbers whose result, multiplied, shifted and bounded by constants, is `value`; null if there is none.
const Node* stored_contraction(const Value& value);

/// The same constant once more before `before`, sharing its bytes: constants may stand anywhere, and code that moves up needs them earlier.
Value* repeat_constant(const Value& value, Node* before);

/// True if nothing reads the node's results.
bool is_dead(const Node& node);
/// Erases `node` if it is dead, and then those of its operands' producers that nothing reads any more.
void erase_with_dead_operands(Node* node);

/// The permutation that undoes `perm`.
std::vector<std::int64_t> inverse_permutation(const std::vector<std::int64_t>& perm);

}  // namespace intaglio
