// Model in, artifact out: what joins importer, passes and code generation.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "codegen/backend.h"
#include "driver/calibrate.h"
#include "ir/graph.h"
#include "passes/pass.h"

namespace intaglio {

struct CompileOptions {
  std::string model;   ///< an ONNX file
  std::string output;  ///< the artifact; empty: nothing is written
  std::map<std::string, Shape> input_shapes;
  CodegenOptions codegen;
  RunnerOptions passes;
  /// What f32 values become: f32, f16 or bf16.
  DType precision = DType::f32;
  std::vector<LayerPrecision> layer_precision;
  QuantizeOptions quantize;
  /// Told what is being done, a line at a time; may be empty.
  std::function<void(const std::string&)> progress;
};

/// What the user is told in the end.
struct CompileReport {
  std::optional<QuantizationReport> quantization;
};

/// Imports and optimizes a model for each target, ready for code generation. CompileError if it cannot be compiled.
std::vector<LoweredGraph> import_and_optimize(const CompileOptions& options, CompileReport& report);
/// Compiles a model to an artifact.
CompileReport compile(const CompileOptions& options);
/// The text of a stage, for each target in turn: graph (of them all), optimized, kernels, llvm, asm, cuda, ptx.
std::string emit_stage(const CompileOptions& options, const std::string& stage);

/// "encoder/*:fp32": a glob of ONNX node names, and fp32, fp16 or bf16 after the last colon. CompileError (usage) if malformed.
LayerPrecision parse_layer_precision(const std::string& text);
/// The dtype of fp32, fp16 or bf16; nothing for other names.
std::optional<DType> parse_precision(std::string_view name);
/// The method that the command line calls minmax, entropy, percentile or mse; nothing for other names.
std::optional<CalibrationMethod> parse_calibration_method(std::string_view name);

/// "in:1x3x224x224,mask[1,128]": input shapes as the command line writes them. CompileError (usage) if malformed.
std::map<std::string, Shape> parse_shapes(const std::string& text);

}  // namespace intaglio
