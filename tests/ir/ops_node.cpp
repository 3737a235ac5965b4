// Builds nodes from the text of their operand types; see ops_node.h.
#include "tests/ir/ops_node.h"

#include <stdexcept>

#include "support/diagnostics.h"

namespace intaglio::testing {
namespace {

/// The parts of "a,b(c,d),e" between the commas that stand outside of parentheses.
std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  if (text.empty()) return parts;
  parts.emplace_back();
  int depth = 0;
  for (char c : text) {
    depth += c == '(' ? 1 : c == ')' ? -1 : 0;
    if (c == ',' && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

}  // namespace

Shape shape_of(std::string_view text) {
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') throw std::invalid_argument("no shape: " + std::string(text));
  Shape shape;
  for (const std::string& part : split(text.substr(1, text.size() - 2))) {
    const auto dim = parse_dim(part);
    if (!dim) throw std::invalid_argument("no dimension: " + part);
    shape.push_back(*dim);
  }
  return shape;
}

Type type_of(std::string_view text) {
  const std::size_t bracket = text.find('[');
  const auto dtype = parse_dtype(text.substr(0, bracket));
  if (!dtype || bracket == std::string_view::npos) throw std::invalid_argument("no type: " + std::string(text));
  return {*dtype, shape_of(text.substr(bracket))};
}

OneNode::OneNode(std::string_view op, const std::vector<std::string>& operands, Attributes attributes) {
  std::vector<Value*> values;
  for (const std::string& operand : operands) {
    const std::string name = "x" + std::to_string(values.size());
    values.push_back(operand == "_" ? nullptr : graph.add_argument(type_of(operand), name));
  }
  node = graph.add_node(op, values, std::move(attributes));
  for (int i = 0; i < node->result_count(); ++i) graph.add_result(node->result(i), "y" + std::to_string(i));
}

std::string refusal(std::string_view op, const std::vector<std::string>& operands, Attributes attributes) {
  try {
    OneNode(op, operands, std::move(attributes));
  } catch (const CompileError& error) {
    return error.what();
  }
  return {};
}

}  // namespace intaglio::testing
