// From an ONNX model to graph IR. All problems of a model are gathered and reported together.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace intaglio {

struct ImportOptions {
  /// What messages call the model; empty: the path.
  std::string name_in_messages = {};
  /// Replaces the symbolic dimensions of inputs, by input name. A shape that contradicts the model is refused.
  std::map<std::string, Shape> input_shapes = {};
};

/// Reads an ONNX file (opset 7 to the newest) and lowers it to core operators. Arguments and results keep ONNX's names and order; every node's origins
/// are the names of its ONNX nodes ("Relu_12", the operator and the position, for a node without a name).
/// CompileError with code `environment` if the file cannot be read, with code `invalid` and every problem found if it cannot be compiled.
std::unique_ptr<Graph> import_onnx(const std::string& path, const ImportOptions& options = {});

/// The same for a model in memory.
std::unique_ptr<Graph> import_onnx_bytes(std::string_view bytes, const ImportOptions& options = {});

/// One row of the import table.
struct OperatorCoverage {
  std::string_view op_type;
  int first_opset;
  int last_opset;
};

/// The ONNX operators that can be imported, sorted by name, each with the opsets of the models it may come from.
std::vector<OperatorCoverage> onnx_operator_coverage();

}  // namespace intaglio
