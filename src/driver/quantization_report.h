// What became of each convolution and matrix product of a quantized model, in ONNX node names.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "codegen/backend.h"
#include "ir/graph.h"
#include "passes/pass.h"

namespace intaglio {

struct QuantizationRow {
  Origins nodes;
  /// What its operands are rounded to: "int8", "fp8", "int4" (weights alone), or the floats that it stays in.
  std::string precision;
  /// Of its result against float32; NaN where no samples tell.
  double sqnr_db = std::numeric_limits<double>::quiet_NaN();
  /// Why it is not what was asked for; empty if it is.
  std::string reason = {};
  /// What each variant multiplies: the precision, or floats that hold the rounded values.
  std::vector<std::string> multiplied = {};
};

struct QuantizationReport {
  std::vector<QuantizationRow> rows;
  std::int64_t observed = 0;  ///< samples that ranges come from
  std::int64_t compared = 0;  ///< samples that errors come from
  std::int64_t not_finite = 0;  ///< activations whose infinities or NaN were left out
  std::vector<std::string> variants = {};
};

/// "int8" for i8 and u8, "fp8", "int4", "fp16" ..: how the command line calls a dtype.
std::string precision_name(DType dtype);

/// Of a model that brings its own quantization; nothing if none of its contractions is quantized. `graph` has been through the simplifying passes.
std::optional<QuantizationReport> report_explicit_quantization(const Graph& graph, const PassContext& context);

/// Adds what each variant multiplies, and where that is not the precision the reason: of `reasons`, by ONNX node, or that there is no kernel.
void add_arithmetic(QuantizationReport& report, std::span<const LoweredGraph> lowered, const std::map<std::string, std::string>& reasons);

/// The report as a table.
std::string to_text(const QuantizationReport& report);

}  // namespace intaglio
