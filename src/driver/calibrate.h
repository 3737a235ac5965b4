// Post-training quantization: observes activations over samples, quantizes the graph, and tells what became of each ONNX node.
#pragma once

#include <string>

#include "driver/observer.h"
#include "driver/quantization_report.h"
#include "ir/graph.h"
#include "passes/pass.h"

namespace intaglio {

struct QuantizeOptions {
  /// i8, f8e4m3fn or i4; undefined: nothing is quantized.
  DType storage = DType::undefined;
  /// An .npz file or a folder of them; for i4 it may be empty, and no error is measured then.
  std::string samples;
  CalibrationMethod method = CalibrationMethod::mse;
};

/// Quantizes `graph`, which has been through the simplifying passes; adds what was done to `context`, which the passes that follow need.
/// CompileError for samples that do not fit.
QuantizationReport quantize_graph(Graph& graph, const QuantizeOptions& options, PassContext& context);

}  // namespace intaglio
