// Checks the rules of docs/ir.md. A violation is a bug of ours: the importer and the parser refuse bad input before.

#include <algorithm>
#include <set>

#include "ir/graph.h"
#include "ir/op.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

void verify_attributes(const Node& node) {
  for (const auto& [name, value] : node.attributes) {
    if (name == "wildcard") continue;  // of tests
    const auto spec = std::ranges::find(node.op().attributes, name, &AttributeSpec::name);
    internal_check(spec != node.op().attributes.end(), "{} has no attribute '{}'", node.op_name(), name);
    internal_check(spec->kind == kind_of(value), "attribute '{}' of {} is of another kind", name, node.op_name());
  }
  for (const AttributeSpec& spec : node.op().attributes) internal_check(node.find(spec.name), "{} lacks attribute '{}'", node.op_name(), spec.name);
}

void verify_types(const Node& node) {
  InferContext context(node);
  std::vector<Type> expected;
  try {
    expected = node.op().infer(context);
  } catch (const CompileError& error) {
    internal_check(false, "a node became invalid: {}", error.what());
  }
  internal_check(static_cast<int>(expected.size()) == node.result_count(), "{} has {} results", node.op_name(), node.result_count());
  for (int i = 0; i < node.result_count(); ++i) {
    const Type& type = node.result(i)->type;
    internal_check(type.dtype == expected[i].dtype && type.shape == expected[i].shape, "{} yields {} but its result is {}", node.op_name(),
                   to_text(expected[i]), to_text(type));
  }
}

void verify_layout(const Type& type) {
  Layout sorted = type.layout;
  std::ranges::sort(sorted);
  internal_check(sorted.empty() || sorted.size() == type.shape.size(), "layout of another rank: {}", to_text(type));
  for (int i = 0; i < static_cast<int>(sorted.size()); ++i) internal_check(sorted[i] == i, "a layout is an order of the dimensions: {}", to_text(type));
}

void verify_region(const Node& node) {
  const Graph& region = *node.region();
  verify(region);
  int roots = 0;
  for (const Node* inner : region.nodes()) {
    const OpClass c = inner->op().op_class;
    roots += c == OpClass::reduction || c == OpClass::row || c == OpClass::window || c == OpClass::contraction;
    internal_check(c != OpClass::kernel, "a kernel stands in a kernel");
  }
  internal_check(roots <= 1, "a kernel has {} roots", roots);
  for (int i = 0; i < node.operand_count(); ++i) {
    const Type& outside = node.operand(i)->type;
    const Type& inside = region.arguments()[i]->type;
    internal_check(explicit_layout(outside) == explicit_layout(inside), "operand {} of a kernel has another layout inside: {} and {}", i, to_text(outside), to_text(inside));
  }
}

}  // namespace

void verify(const Graph& graph) {
  std::set<const Value*> defined;
  for (const auto& argument : graph.arguments()) {
    verify_layout(argument->type);
    defined.insert(argument.get());
  }
  for (const Node* node : graph.nodes()) {
    internal_check(node->operand_count() >= node->op().min_operands && (node->op().max_operands < 0 || node->operand_count() <= node->op().max_operands),
                   "{} has {} operands", node->op_name(), node->operand_count());
    for (int i = 0; i < node->operand_count(); ++i) {
      Value* operand = node->operand(i);
      if (!operand) {
        internal_check(i >= node->op().min_operands, "operand {} of {} is absent", i, node->op_name());
        continue;
      }
      internal_check(defined.contains(operand), "operand {} of {} is not defined before", i, node->op_name());
      const auto is_this_use = [&](const Value::Use& use) { return use.user == node && use.operand == i; };
      internal_check(std::ranges::count_if(operand->uses(), is_this_use) == 1, "the uses of operand {} of {} are wrong", i, node->op_name());
    }
    verify_attributes(*node);
    verify_types(*node);
    if (node->region()) verify_region(*node);
    for (int i = 0; i < node->result_count(); ++i) {
      verify_layout(node->result(i)->type);
      defined.insert(node->result(i));
    }
  }
  for (const Value* result : graph.results()) internal_check(defined.contains(result), "the graph returns a value that it does not define");
}

}  // namespace intaglio
