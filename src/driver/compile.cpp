// See compile.h.

#include "driver/compile.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "driver/stages.h"
#include "frontend/onnx/import.h"
#include "support/diagnostics.h"
#include "support/files.h"

namespace intaglio {
namespace {

constexpr const char* kVersion = "0.1.0";

void report(const CompileOptions& options, const std::string& what) {
  if (options.progress) options.progress(what);
}

/// CompileError (usage) for an entry that matches no node: a mistyped name would go unnoticed.
void check_layers_match(const Graph& graph, const std::vector<LayerPrecision>& layers) {
  for (const LayerPrecision& layer : layers) {
    const auto matches = [&](const Node* node) { return matches_origin(layer, *node); };
    if (std::ranges::any_of(graph.nodes(), matches)) continue;
    throw CompileError(ErrorCode::usage, Diagnostic{"--layer-precision", "no node of the model that computes anything is named so", "a name or pattern of ONNX node names", layer.glob,
                                                    "--emit graph shows the nodes and, after ';', their ONNX names; Identity and Dropout are none of them"});
  }
}

std::unique_ptr<Graph> import_model(const CompileOptions& options) {
  report(options, "importing " + options.model);
  auto graph = import_onnx(options.model, {options.model, options.input_shapes});
  check_layers_match(*graph, options.layer_precision);
  return graph;
}

std::vector<LoweredGraph> optimize(Graph& graph, const CompileOptions& options, CompileReport& result) {
  report(options, fmt::format("optimizing {} nodes", graph.node_count()));
  PassContext context;
  context.optimization_level = options.codegen.optimization_level;
  context.precision = options.precision;
  context.layer_precision = options.layer_precision;
  context.report = options.progress;
  std::map<std::string, std::string> reasons;
  context.stays_in_float = [&](const Node& node, const std::string& reason) {
    for (const std::string& origin : node.origins) reasons.emplace(origin, reason);
  };
  run_passes(graph, passes_of(Stage::simplify), context, options.passes);
  result.quantization = options.quantize.storage != DType::undefined ? quantize_graph(graph, options.quantize, context) : report_explicit_quantization(graph, context);
  auto lowered = lower_for_targets(graph, options.codegen, context, options.passes);
  if (result.quantization) add_arithmetic(*result.quantization, lowered, reasons);
  return lowered;
}

struct PrecisionName {
  std::string_view name;
  DType dtype;
};
struct MethodName {
  std::string_view name;
  CalibrationMethod method;
};
constexpr std::array kMethods{MethodName{"minmax", CalibrationMethod::minmax}, MethodName{"entropy", CalibrationMethod::entropy},
                              MethodName{"percentile", CalibrationMethod::percentile}, MethodName{"mse", CalibrationMethod::mse}};
constexpr std::array kPrecisions{PrecisionName{"fp32", DType::f32}, PrecisionName{"fp16", DType::f16}, PrecisionName{"bf16", DType::bf16}};

std::string_view name_of(DType precision) { return std::ranges::find(kPrecisions, precision, &PrecisionName::dtype)->name; }

/// The options that the artifact depends on, in fixed order.
std::string options_text(const CompileOptions& options) {
  std::string text = fmt::format("--target {} --cpu {} --arch {} -O{}", fmt::join(options.codegen.targets, ","), options.codegen.cpu, fmt::join(options.codegen.archs, ","),
                                 options.codegen.optimization_level);
  if (options.precision != DType::f32 || options.codegen.tf32) text += fmt::format(" --precision {}", options.codegen.tf32 ? "tf32" : name_of(options.precision));
  if (options.quantize.storage != DType::undefined) {
    text += fmt::format(" --quantize {} --calibrate-method {}", precision_name(options.quantize.storage), std::ranges::find(kMethods, options.quantize.method, &MethodName::method)->name);
  }
  for (const LayerPrecision& layer : options.layer_precision) text += fmt::format(" --layer-precision {}:{}", layer.glob, name_of(layer.dtype));
  for (const auto& [name, shape] : options.input_shapes) text += fmt::format(" --shapes {}{}", name, to_text(shape));
  for (const auto& tactic : options.codegen.disabled_tactics) text += " --disable-tactic " + tactic;
  for (const auto& tactic : options.codegen.enabled_tactics) text += " --enable-tactic " + tactic;
  for (const auto& pass : options.passes.disabled) text += " --disable-pass " + pass;
  if (options.codegen.checked) text += " --checked";
  return text;
}

[[noreturn]] void malformed_shapes(const std::string& text) {
  throw CompileError(ErrorCode::usage, Diagnostic{"--shapes", "this is no list of input shapes", "NAME:1x3x224x224 or NAME[1,3,224,224], joined by commas", text});
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts{""};
  int depth = 0;
  for (char c : text) {
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (c == separator && depth == 0) {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

Shape parse_extents(const std::string& extents, char separator, const std::string& text) {
  Shape shape;
  if (extents.empty()) return shape;
  for (const std::string& part : split(extents, separator)) {
    const auto dim = parse_dim(part);
    if (!dim || !dim->is_constant() || dim->value() < 0) malformed_shapes(text);
    shape.push_back(*dim);
  }
  return shape;
}

}  // namespace

std::vector<LoweredGraph> import_and_optimize(const CompileOptions& options, CompileReport& result) { return optimize(*import_model(options), options, result); }

CompileReport compile(const CompileOptions& options) {
  const auto graph = import_model(options);
  // A target that cannot be compiled for here is told before the long work.
  for (const auto& backend : make_backends(options.codegen)) backend->requirements();
  CompileReport result;
  const auto lowered = optimize(*graph, options, result);
  report(options, fmt::format("generating code for {}", fmt::join(options.codegen.targets, ", ")));
  const std::string bytes = read_file(options.model);
  const ModelInfo info{std::filesystem::path(options.model).filename().string(), fmt::format("{:016x}", XXH64(bytes.data(), bytes.size(), 0)), options_text(options), kVersion};
  generate_artifact(lowered, info, options.output);
  report(options, "wrote " + options.output);
  return result;
}

std::string emit_stage(const CompileOptions& options, const std::string& stage) {
  PrintOptions print;
  print.origins = true;
  if (stage == "graph") return to_text(*import_model(options), print);
  CompileReport ignored;
  const auto lowered = import_and_optimize(options, ignored);
  if (stage != "optimized") return emit_text(lowered, stage);
  std::string text;
  for (const auto& [backend, graph] : lowered) {
    if (lowered.size() > 1) text += fmt::format("// {}\n", backend->variant());
    text += to_text(*graph, print);
  }
  return text;
}

std::optional<DType> parse_precision(std::string_view name) {
  const auto found = std::ranges::find(kPrecisions, name, &PrecisionName::name);
  return found == kPrecisions.end() ? std::nullopt : std::optional(found->dtype);
}

std::optional<CalibrationMethod> parse_calibration_method(std::string_view name) {
  const auto found = std::ranges::find(kMethods, name, &MethodName::name);
  return found == kMethods.end() ? std::nullopt : std::optional(found->method);
}

LayerPrecision parse_layer_precision(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const auto dtype = colon == std::string::npos ? std::nullopt : parse_precision(std::string_view(text).substr(colon + 1));
  if (!dtype || colon == 0) {
    throw CompileError(ErrorCode::usage, Diagnostic{"--layer-precision", "this names no nodes and their precision", "GLOB:fp32, GLOB:fp16 or GLOB:bf16", text});
  }
  return {text.substr(0, colon), *dtype};
}

std::map<std::string, Shape> parse_shapes(const std::string& text) {
  std::map<std::string, Shape> shapes;
  for (const std::string& item : split(text, ',')) {
    if (item.ends_with(']')) {
      const std::size_t open = item.rfind('[');
      if (open == std::string::npos || open == 0) malformed_shapes(text);
      shapes[item.substr(0, open)] = parse_extents(item.substr(open + 1, item.size() - open - 2), ',', text);
      continue;
    }
    const std::size_t colon = item.rfind(':');
    if (colon == std::string::npos || colon == 0) malformed_shapes(text);
    shapes[item.substr(0, colon)] = parse_extents(item.substr(colon + 1), 'x', text);
  }
  return shapes;
}

}  // namespace intaglio
