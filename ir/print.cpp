// The text form of graphs; docs/ir.md has the grammar.

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "ir/graph.h"
#include "ir/op.h"
#include "support/elements.h"

namespace intaglio {
namespace {

bool is_identifier(std::string_view name) {
  const auto allowed = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '.'; };
  return !name.empty() && std::ranges::all_of(name, allowed);
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string real_text(double value) {
  std::string text = fmt::format("{}", value);
  if (std::isfinite(value) && text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

std::string element_text(const Tensor& tensor, std::int64_t i) {
  if (tensor.dtype() == DType::f32) return fmt::format("{}", tensor.span<float>()[i]);
  if (is_float(tensor.dtype())) return fmt::format("{}", get_real(tensor, i));
  if (tensor.dtype() == DType::u64) return fmt::format("{}", static_cast<std::uint64_t>(get_integer(tensor, i)));
  return fmt::format("{}", get_integer(tensor, i));
}

bool is_printed_in_full(const Tensor& tensor, const PrintOptions& options) {
  const bool has_numbers = is_float(tensor.dtype()) || is_integer(tensor.dtype()) || tensor.dtype() == DType::boolean;
  return has_numbers && tensor.elements() <= options.constant_elements;
}

std::string attribute_text(const Attribute& attribute) {
  struct Printer {
    std::string operator()(std::int64_t value) const { return fmt::format("{}", value); }
    std::string operator()(double value) const { return real_text(value); }
    std::string operator()(const std::string& value) const { return quoted(value); }
    std::string operator()(DType value) const { return std::string(dtype_name(value)); }
    std::string operator()(const std::vector<std::int64_t>& values) const { return fmt::format("[{}]", fmt::join(values, ",")); }
    std::string operator()(const std::vector<double>& values) const {
      std::vector<std::string> texts;
      for (double value : values) texts.push_back(real_text(value));
      return fmt::format("[{}]", fmt::join(texts, ","));
    }
    std::string operator()(const Shape& value) const { return to_text(value); }
    std::string operator()(const Tensor& value) const { return fmt::format("<{}>", dtype_name(value.dtype())); }
  };
  return std::visit(Printer{}, attribute);
}

class Printer {
 public:
  Printer(const PrintOptions& options, int& constants) : options_(options), constants_(constants) {}

  std::string print(const Graph& graph, const std::string& indent) {
    name_values(graph);
    std::vector<std::string> arguments, types;
    for (const auto& argument : graph.arguments()) arguments.push_back(fmt::format("{}: {}", name(argument.get()), to_text(argument->type)));
    for (const Value* result : graph.results()) types.push_back(to_text(result->type));
    const std::string results = types.size() == 1 ? types[0] : fmt::format("({})", fmt::join(types, ", "));
    std::string text = fmt::format("graph @{}({}) -> {} {{\n", is_identifier(graph.name) ? graph.name : quoted(graph.name), fmt::join(arguments, ", "), results);
    for (const Graph::Equation& equation : graph.equations) {
      text += fmt::format("{}  require {} == {} {}\n", indent, equation.left.text(), equation.right.text(), quoted(equation.reason));
    }
    for (const Node* node : graph.nodes()) text += indent + "  " + print(*node, indent + "  ") + "\n";
    std::vector<std::string> returned;
    for (std::size_t i = 0; i < graph.results().size(); ++i) {
      const std::string& as = graph.result_names()[i];
      returned.push_back(name(graph.results()[i]) + (as.empty() ? "" : " as " + quoted(as)));
    }
    return text + fmt::format("{}  return {}\n{}}}", indent, fmt::join(returned, ", "), indent);
  }

 private:
  void name_values(const Graph& graph) {
    std::set<std::string> taken;
    std::vector<const Value*> unnamed;
    const auto visit = [&](const Value* value) {
      if (value->name.empty()) return unnamed.push_back(value);
      std::string unique = value->name;
      for (int i = 2; !taken.insert(unique).second; ++i) unique = fmt::format("{}_{}", value->name, i);
      names_[value] = unique;
    };
    for (const auto& argument : graph.arguments()) visit(argument.get());
    for (const Node* node : graph.nodes()) {
      for (int i = 0; i < node->result_count(); ++i) visit(node->result(i));
    }
    int next = 0;
    for (const Value* value : unnamed) {
      while (!taken.insert(std::to_string(next)).second) ++next;
      names_[value] = std::to_string(next);
    }
  }

  std::string name(const Value* value) const {
    if (!value) return "_";
    const std::string& text = names_.at(value);
    return "%" + (is_identifier(text) ? text : quoted(text));
  }

  std::string print(const Node& node, const std::string& indent) {
    std::vector<std::string> results, operands, attributes, types;
    for (int i = 0; i < node.result_count(); ++i) {
      results.push_back(name(node.result(i)));
      types.push_back(to_text(node.result(i)->type));
    }
    for (const Value* operand : node.operands()) operands.push_back(name(operand));
    std::string text = fmt::format("{} = {}", fmt::join(results, ", "), node.op_name());
    if (node.is("const")) {
      text += " " + constant_text(node);
    } else {
      text += fmt::format("({})", fmt::join(operands, ", "));
      for (const auto& [key, value] : node.attributes) attributes.push_back(fmt::format("{}={}", key, attribute_text(value)));
      if (!attributes.empty()) text += fmt::format(" {{{}}}", fmt::join(attributes, ", "));
    }
    text += fmt::format(" : {}", fmt::join(types, ", "));
    if (node.region()) text += " with " + Printer(options_, constants_).print(*node.region(), indent);
    if (options_.origins && !node.origins.empty()) text += fmt::format("  ; from {}", fmt::join(node.origins, ", "));
    return text;
  }

  std::string constant_text(const Node& node) {
    if (node.has("wildcard")) return "_";
    const Tensor& tensor = node.result()->constant();
    if (!is_printed_in_full(tensor, options_)) return fmt::format("#{}", constants_++);
    std::vector<std::string> elements;
    for (std::int64_t i = 0; i < tensor.elements(); ++i) elements.push_back(element_text(tensor, i));
    return fmt::format("[{}]", fmt::join(elements, ", "));
  }

  const PrintOptions& options_;
  int& constants_;  ///< counts on through regions
  std::map<const Value*, std::string> names_;
};

void collect_constants(const Graph& graph, const PrintOptions& options, ConstantTable& table) {
  for (const Node* node : graph.nodes()) {
    if (node->region()) collect_constants(*node->region(), options, table);
    if (!node->is("const") || node->has("wildcard")) continue;
    const Tensor& tensor = node->result()->constant();
    if (!is_printed_in_full(tensor, options)) table.emplace(std::to_string(table.size()), tensor);
  }
}

}  // namespace

std::string to_text(const Graph& graph, const PrintOptions& options) {
  int constants = 0;
  return Printer(options, constants).print(graph, "") + "\n";
}

ConstantTable constant_table(const Graph& graph, const PrintOptions& options) {
  ConstantTable table;
  collect_constants(graph, options, table);
  return table;
}

}  // namespace intaglio
