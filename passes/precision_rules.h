// Which dtype each node's floats get when a graph is converted to 16-bit floats, and the user's exceptions from it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "passes/pass.h"

namespace intaglio {

/// The precision that the user asks of a node: by the last entry that matches one of its ONNX nodes; nothing if none does.
/// CompileError (invalid) if its ONNX nodes, computed as one, are asked for in different ones.
std::optional<DType> asked_precision(const Node& node, const std::vector<LayerPrecision>& layers);

/// The dtype (f32, f16, bf16) of each node that computes with f32 values; constants have none of their own.
std::map<const Node*, DType> choose_precision(const Graph& graph, const PassContext& context);

/// True if the node reads or writes f32 values.
bool has_f32(const Node& node);

/// CompileError (invalid) for an entry that changes nothing because no node that it matches computes floats at run time.
void check_layers_apply(const Graph& graph, const std::vector<LayerPrecision>& layers);

}  // namespace intaglio
