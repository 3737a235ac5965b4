// Post-training quantization: observes activations over samples, quantizes the graph, and tells what became of each ONNX node.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "driver/observer.h"
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

/// What became of a contraction.
struct QuantizationRow {
  Origins nodes;
  std::string precision;
  /// Of its result against float32, over all samples; NaN where there are none.
  double sqnr_db;
  std::string reason;  ///< why it is not what was asked for; empty if it is
};

struct QuantizationReport {
  std::vector<QuantizationRow> rows;
  std::int64_t observed = 0;  ///< samples that ranges come from
  std::int64_t compared = 0;  ///< samples that errors come from
};

/// Quantizes `graph`, which has been through the simplifying passes; adds what was done to `context`, which the passes that follow need.
/// CompileError for samples that do not fit.
QuantizationReport quantize_graph(Graph& graph, const QuantizeOptions& options, PassContext& context);

/// The report as a table.
std::string to_text(const QuantizationReport& report);

}  // namespace intaglio
