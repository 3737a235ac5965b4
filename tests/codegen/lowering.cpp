// The comparison of lowered groups with the reference kernels.
#include "tests/codegen/lowering.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <random>

#include "passes/passes.h"
#include "tests/codegen/gpu.h"

namespace intaglio::testing {
namespace {

Extents bound_extents(const Shape& shape, const SymbolValues& symbols) {
  Extents extents;
  for (const Dim& dim : shape) extents.push_back(dim.evaluate([&](const std::string& name) { return symbols.at(name); }));
  return extents;
}

std::pair<double, double> default_range(DType dtype) {
  if (dtype == DType::boolean) return {0, 1};
  if (is_unsigned_integer(dtype)) return {0, 9};
  if (dtype == DType::i4) return {-8, 7};
  return is_float(dtype) ? std::pair(-2.0, 2.0) : std::pair(-9.0, 9.0);
}

/// Relative to max(1, |value|). The reference rounds 16-bit floats after every operator, fused code at the end.
double tolerance(DType dtype) {
  if (dtype == DType::f16) return 4e-3;
  if (dtype == DType::bf16) return 3e-2;
  return dtype == DType::f32 ? 1e-5 : 1e-12;
}

bool close(double actual, double expected, DType dtype) {
  if (!is_float(dtype)) return actual == expected;
  if (std::isnan(expected)) return std::isnan(actual);
  if (std::isinf(expected)) return actual == expected;
  return std::fabs(actual - expected) <= tolerance(dtype) * std::max(1.0, std::fabs(expected));
}

/// The code of a group, kept for the next values of its symbols.
const Machine& machine_of(const WrappedGroup& group, const CodegenOptions& options) {
  static std::map<std::string, std::unique_ptr<Machine>> known;
  std::unique_ptr<Machine>& machine = known[options.cpu + (options.checked ? "!" : " ") + to_text(*group.graph)];
  if (!machine) machine = std::make_unique<Machine>(*group.graph, options);
  return *machine;
}

}  // namespace

WrappedGroup wrap_group(const std::string& region_text) { return wrap_group(std::move(parse_graphs(region_text, "test").front())); }

std::unique_ptr<Graph> fused_graph(const std::string& text) {
  auto graph = std::move(parse_graphs(text, "test").front());
  choose_layouts(*graph, {});
  fuse_kernels(*graph, {});
  return graph;
}

WrappedGroup wrap_group(std::unique_ptr<Graph> region) {
  WrappedGroup group{std::make_unique<Graph>("main"), nullptr};
  std::vector<Value*> operands;
  std::vector<Type> result_types;
  for (const auto& argument : region->arguments()) operands.push_back(group.graph->add_argument(argument->type, argument->name));
  for (const Value* result : region->results()) result_types.push_back(result->type);
  Node* node = group.graph->add_node_typed("kernel", operands, {}, result_types, std::move(region));
  for (int i = 0; i < node->result_count(); ++i) group.graph->add_result(node->result(i), "out" + std::to_string(i));
  group.node = node;
  return group;
}

std::vector<Tensor> random_inputs(const Graph& region, const SymbolValues& symbols, const InputRanges& ranges) {
  std::mt19937 random(17);
  std::vector<Tensor> inputs;
  for (const auto& argument : region.arguments()) {
    const DType dtype = argument->type.dtype;
    const auto given = ranges.find(argument->name);
    const auto [low, high] = given != ranges.end() ? given->second : default_range(dtype);
    Tensor tensor(dtype, bound_extents(argument->type.shape, symbols));
    std::uniform_real_distribution<double> real(low, high);
    std::uniform_int_distribution<int> integer(static_cast<int>(low), static_cast<int>(high));
    for (std::int64_t i = 0; i < tensor.elements(); ++i) set_element(tensor, i, is_float(dtype) ? real(random) : integer(random));
    inputs.push_back(tensor);
  }
  return inputs;
}

std::vector<Tensor> kernel_buffers(const Graph& region, const std::vector<Tensor>& inputs, const SymbolValues& symbols) {
  std::vector<Tensor> buffers;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    buffers.push_back(to_memory_order(inputs[i], explicit_layout(region.arguments()[i]->type)));
  }
  for (const Value* result : region.results()) {
    Tensor tensor(result->type.dtype, bound_extents(result->type.shape, symbols));
    std::memset(tensor.mutable_data(), 0x5a, tensor.bytes());
    buffers.push_back(tensor);
  }
  return buffers;
}

void expect_results_match(const Graph& region, const std::vector<Tensor>& inputs, const std::vector<Tensor>& buffers) {
  const std::vector<Tensor> expected = evaluate(region, inputs);
  ASSERT_EQ(expected.size(), region.results().size());
  for (std::size_t r = 0; r < expected.size(); ++r) {
    const Type& type = region.results()[r]->type;
    const Tensor actual = from_memory_order(buffers[inputs.size() + r], explicit_layout(type));
    ASSERT_EQ(actual.shape(), expected[r].shape());
    ASSERT_EQ(actual.dtype(), expected[r].dtype());
    for (std::int64_t i = 0; i < actual.elements(); ++i) {
      const double a = element_at(actual, i), e = element_at(expected[r], i);
      ASSERT_TRUE(close(a, e, type.dtype)) << "result " << r << " element " << i << ": " << a << " instead of " << e;
    }
  }
}

void expect_lowering_matches(const std::string& region_text, const SymbolValues& symbols, const InputRanges& ranges) {
  expect_lowering_matches(wrap_group(region_text), symbols, ranges);
}

void expect_lowering_matches(const WrappedGroup& group, const SymbolValues& symbols, const InputRanges& ranges,
                             const std::vector<CodegenOptions>& variants) {
  SCOPED_TRACE(to_text(group.region()));
  const kernel::Kernel kernel = lower_to_loops(*group.node, {});
  SCOPED_TRACE(to_text(kernel));
  const std::vector<Tensor> inputs = random_inputs(group.region(), symbols, ranges);
  std::vector<Tensor> buffers = kernel_buffers(group.region(), inputs, symbols);
  ASSERT_NO_THROW(interpret(kernel, buffers, symbols));
  expect_results_match(group.region(), inputs, buffers);
  for (const CodegenOptions& options : variants) {
    SCOPED_TRACE(options.cpu + (options.checked ? ", checked" : ""));
    expect_code_matches(group, machine_of(group, options), inputs, symbols);
  }
  expect_cuda_matches(group, inputs, symbols);
}

void expect_code_matches(const WrappedGroup& group, const Machine& machine, const std::vector<Tensor>& inputs,
                         const SymbolValues& symbols) {
  ASSERT_EQ(machine.undefined_symbols(), std::vector<std::string>());
  for (Guard guard : {Guard::before, Guard::after}) {
    std::vector<Tensor> buffers = kernel_buffers(group.region(), inputs, symbols);
    buffers.resize(inputs.size());
    const std::vector<Tensor> results = machine.run(buffers, symbols, guard);
    buffers.insert(buffers.end(), results.begin(), results.end());
    expect_results_match(group.region(), inputs, buffers);
  }
}

std::int64_t task_count(const std::string& region_text, const SymbolValues& symbols) {
  const WrappedGroup group = wrap_group(region_text);
  return lower_to_loops(*group.node, {}).tasks.evaluate([&](const std::string& name) { return symbols.at(name); });
}

}  // namespace intaglio::testing
