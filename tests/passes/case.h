// One test file of a pass: a line that names the passes, the graph before them and the graph after them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "passes/pass.h"

namespace intaglio::test {

/// "// opt --passes=a,b --precision=f16 --quantize=i8 --ranges=x:-1:2,y:0:6  numbers: rtol 1e-5" (all but passes and numbers may be left out), then @before and @after. Without an @after the passes must leave the graph alone.
struct PassCase {
  std::vector<Pass> passes;
  PassContext context;
  double rtol = 1e-5;
  std::unique_ptr<Graph> before;
  std::unique_ptr<Graph> after;
};

PassCase read_case(const std::string& path);

/// Random inputs for `graph` with its symbols bound: floats in [-2, 2), integers and booleans 0 or 1.
std::vector<Tensor> random_inputs(const Graph& graph, const std::map<std::string, std::int64_t>& symbols, unsigned seed);

/// Several ways to bind the symbols of `graph`: all 1, and distinct extents. One empty binding if it has none.
std::vector<std::map<std::string, std::int64_t>> bindings(const Graph& graph);

/// Empty if the results agree up to `rtol` times the largest value, else the first difference.
std::string first_difference(const std::vector<Tensor>& expected, const std::vector<Tensor>& got, double rtol);

}  // namespace intaglio::test
