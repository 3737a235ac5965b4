// Writes the operator table as a document; see ops_document.h.
#include "tests/ir/ops_document.h"

#include <fmt/format.h>

#include <array>

#include "ir/op.h"

namespace intaglio::testing {
namespace {

constexpr std::string_view kHead = R"(# Core operators

What ONNX models are lowered to. The text is made from the operator table, `ir/ops/`: a test compares both and writes the new text beside its
build when they differ. `C1`, `C2` .. are the constraints that messages cite. What holds for all operators (NaN, overflow, rounding) is in
[ir.md](ir.md); how to add one is in [adding-an-operator.md](adding-an-operator.md).

Axes count from the front. Shapes broadcast by ONNX's (numpy's) rules: aligned at the end, extents of 1 repeat. Attributes of kind `dims` are lists
of dimensions, which may be symbolic.
)";

struct Section {
  OpClass op_class;
  std::string_view title;
  std::string_view text;
};

constexpr std::array kSections{
    Section{OpClass::constant, "Constants", "Data that the compiler holds."},
    Section{OpClass::elementwise, "Elementwise", "Each element of the result from the broadcast elements of the operands."},
    Section{OpClass::movement, "Movement", "Each element of the result is one element of an operand, found by its index."},
    Section{OpClass::reduction, "Reductions", "Some axes are folded."},
    Section{OpClass::row, "Rows", "Several passes over the same axes."},
    Section{OpClass::window, "Windows", "Windows move over the spatial axes."},
    Section{OpClass::contraction, "Contractions", "Sums of products; where the time goes."},
    Section{OpClass::kernel, "Groups", "What fusion makes."},
};

std::string_view kind_name(AttributeKind kind) {
  constexpr std::array<std::string_view, 8> names{"integer", "real", "string", "dtype", "integers", "reals", "dims", "tensor"};
  return names[static_cast<std::size_t>(kind)];
}

std::string value_text(const Attribute& attribute) {
  if (const auto* integer = std::get_if<std::int64_t>(&attribute)) return fmt::format("{}", *integer);
  if (const auto* real = std::get_if<double>(&attribute)) return fmt::format("{}", *real);
  if (const auto* text = std::get_if<std::string>(&attribute)) return fmt::format("\"{}\"", *text);
  if (const auto* dtype = std::get_if<DType>(&attribute)) return std::string(dtype_name(*dtype));
  if (const auto* integers = std::get_if<std::vector<std::int64_t>>(&attribute)) return fmt::format("[{}]", fmt::join(*integers, ","));
  return "?";
}

std::string operand_count(const OpRecord& op) {
  if (op.max_operands < 0) return fmt::format("{} or more", op.min_operands);
  return op.min_operands == op.max_operands ? fmt::format("{}", op.min_operands)
                                            : fmt::format("{} to {}", op.min_operands, op.max_operands);
}

std::string operator_text(const OpRecord& op) {
  std::string text = fmt::format("\n### {}\n\n{} Operands: {}.\n", op.name, op.doc, operand_count(op));
  if (op.attributes.empty() && op.constraints.empty()) return text;
  text += "\n";
  for (const AttributeSpec& attribute : op.attributes) {
    const std::string fallback = attribute.fallback ? ", default " + value_text(*attribute.fallback) : "";
    text += fmt::format("- `{}` ({}{}): {}\n", attribute.name, kind_name(attribute.kind), fallback, attribute.doc);
  }
  for (std::string_view constraint : op.constraints) text += fmt::format("- {}\n", constraint);
  return text;
}

}  // namespace

std::string operators_document() {
  std::string text(kHead);
  for (const Section& section : kSections) {
    text += fmt::format("\n## {}\n\n{}\n", section.title, section.text);
    for (const OpRecord& op : op_table()) {
      if (op.op_class == section.op_class) text += operator_text(op);
    }
  }
  return text;
}

}  // namespace intaglio::testing
