// Runs a fused group, given as IR text, through lower_to_loops and the interpreter, as machine code, and through the reference kernels.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "codegen/schedule/loops.h"
#include "ir/graph.h"
#include "tests/codegen/interpreter.h"
#include "tests/codegen/machine.h"

namespace intaglio::testing {

/// A group wrapped into a `kernel` node, as the compiler has it.
struct WrappedGroup {
  std::unique_ptr<Graph> graph;
  const Node* node = nullptr;
  const Graph& region() const { return *node->region(); }
};

/// `region_text` is a graph whose arguments and results are those of the group.
WrappedGroup wrap_group(const std::string& region_text);
WrappedGroup wrap_group(std::unique_ptr<Graph> region);

/// The graph of `text` after the passes that form kernels, which are the last that a graph of contractions meets.
std::unique_ptr<Graph> fused_graph(const std::string& text);

/// The values that inputs are drawn from, uniformly; by argument name. Others are in [-2, 2], integers in [-9, 9].
using InputRanges = std::map<std::string, std::pair<double, double>>;

/// Random inputs in logical order with the symbols bound.
std::vector<Tensor> random_inputs(const Graph& region, const SymbolValues& symbols, const InputRanges& ranges);

/// The buffers of the group's kernel: inputs in memory order, outputs filled with a pattern that no result has.
std::vector<Tensor> kernel_buffers(const Graph& region, const std::vector<Tensor>& inputs, const SymbolValues& symbols);

/// Lowers the group, interprets it with the symbols bound and compares all results with `evaluate`; then the same with the machine code of
/// each level that can run here.
void expect_lowering_matches(const std::string& region_text, const SymbolValues& symbols = {}, const InputRanges& ranges = {});
void expect_lowering_matches(const WrappedGroup& group, const SymbolValues& symbols, const InputRanges& ranges,
                             const std::vector<CodegenOptions>& variants = options_to_test());
/// Runs the group's code with guards on either side and compares with `evaluate`.
void expect_code_matches(const WrappedGroup& group, const Machine& machine, const std::vector<Tensor>& inputs, const SymbolValues& symbols);
/// How many tasks the group's kernel has.
std::int64_t task_count(const std::string& region_text, const SymbolValues& symbols = {});

/// Compares a kernel's outputs with the reference; `buffers` as the kernel left them.
void expect_results_match(const Graph& region, const std::vector<Tensor>& inputs, const std::vector<Tensor>& buffers);

}  // namespace intaglio::testing
