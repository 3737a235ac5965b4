// One node of an operator with operands of given types: what operator tests ask.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "ir/op.h"

namespace intaglio::testing {

/// "f32[N,3,2*H]" as a type; "_" and an unreadable text fail the test.
Type type_of(std::string_view text);
/// "[N,3]" as a shape.
Shape shape_of(std::string_view text);

/// A graph with one argument for each operand type ("_" for an absent operand) and the node over them.
/// CompileError if inference refuses them.
class OneNode {
 public:
  OneNode(std::string_view op, const std::vector<std::string>& operands, Attributes attributes = {});

  Graph graph;
  Node* node = nullptr;
  std::string result_type() const { return to_text(node->result()->type); }
};

/// The message of the refusal of a node, empty if it is accepted.
std::string refusal(std::string_view op, const std::vector<std::string>& operands, Attributes attributes = {});

/// What attribute lists are written with.
inline Attribute ints(std::vector<std::int64_t> values) { return values; }
inline Attribute dims(std::string_view text) { return shape_of(text); }
inline Attribute integer(std::int64_t value) { return value; }

}  // namespace intaglio::testing
