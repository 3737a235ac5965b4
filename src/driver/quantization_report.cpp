// See quantization_report.h.
#include "driver/quantization_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/op.h"
#include "passes/precision_rules.h"

namespace intaglio {
namespace {

bool is_contraction(const Node& node) { return node.op().op_class == OpClass::contraction; }

/// True of what lower_quantized makes contractions read.
bool is_stored_in_8_bits(DType dtype) { return dtype == DType::i8 || dtype == DType::u8 || dtype == DType::f8e4m3fn; }

/// The dtype in which an activation is stored that `value` shows, perhaps moved; undefined if it is not quantized.
DType stored_dtype(const Value* value) {
  if (is_stored_in_8_bits(value->type.dtype)) return value->type.dtype;
  while (value->producer("reshape") || value->producer("transpose")) value = value->producer()->operand(0);
  const Node* dequantize = value->producer("dequantize");
  return dequantize ? dequantize->operand(0)->type.dtype : DType::undefined;
}

/// The dtype of the constant that weights come from, through what moves and dequantizes them, inside of a kernel and before it.
DType weight_dtype(const Node& kernel, const Value* value) {
  const Node* at = &kernel;
  while (value->producer() && !value->producer()->is("const") && value->producer()->operand_count() > 0) value = value->producer()->operand(0);
  if (!value->producer()) value = at->operand(static_cast<int>(value->index()));
  while (value->producer() && !value->producer()->is("const") && !value->producer()->is("kernel")) value = value->producer()->operand(0);
  return value->type.dtype;
}

/// What the contraction of the ONNX nodes multiplies in a lowered graph; "-" where it is not to be found.
std::string multiplied_in(const Graph& graph, const TargetTraits& traits, const Origins& nodes) {
  const std::set<std::string> names(nodes.begin(), nodes.end());
  for (const Node* kernel : graph.nodes()) {
    if (!kernel->is("kernel")) continue;
    for (const Node* node : kernel->region()->nodes()) {
      if (!is_contraction(*node) || std::ranges::none_of(node->origins, [&](const std::string& name) { return names.contains(name); })) continue;
      const DType dtype = node->operand(0)->type.dtype;
      const std::string name = precision_name(dtype == DType::f8e4m3fn && !traits.multiplies_float8 ? DType::f32 : dtype);
      return dtype_bits(weight_dtype(*kernel, node->operand(1))) == 4 ? name + " of int4" : name;
    }
  }
  return "-";
}

/// Why a variant multiplies something else than the precision of a row.
std::string reason_for(const QuantizationRow& row, const std::string& variant, const std::map<std::string, std::string>& reasons) {
  for (const std::string& node : row.nodes) {
    if (const auto found = reasons.find(node); found != reasons.end()) return found->second;
  }
  if (row.precision == "int4") return fmt::format("{} has no kernel that unpacks four bits for so many rows: the compiler does", variant);
  if (row.precision == "fp8") return fmt::format("{} has no instruction that multiplies fp8: exact emulation in float", variant);
  return fmt::format("{} has no kernel that multiplies {}: rounded to it, computed in float", variant, row.precision);
}

bool is_quantized(const QuantizationRow& row) { return row.precision == "int8" || row.precision == "fp8" || row.precision == "int4"; }

/// True if the variant multiplies what the row says.
bool is_honoured(const QuantizationRow& row, const std::string& multiplied) {
  return row.precision == "int4" ? multiplied.ends_with("of int4") : multiplied == row.precision;
}

}  // namespace

std::string precision_name(DType dtype) {
  switch (dtype) {
    case DType::i8:
    case DType::u8: return "int8";
    case DType::i4:
    case DType::u4: return "int4";
    case DType::f8e4m3fn: return "fp8";
    case DType::f8e5m2: return "fp8 (e5m2)";
    case DType::f16: return "fp16";
    case DType::bf16: return "bf16";
    case DType::f32: return "fp32";
    default: return std::string(dtype_name(dtype));
  }
}

std::optional<QuantizationReport> report_explicit_quantization(const Graph& graph, const PassContext& context) {
  QuantizationReport report;
  bool any = false;
  for (const Node* node : graph.nodes()) {
    if (!is_contraction(*node)) continue;
    const DType stored = stored_dtype(node->operand(0));
    // Of integers that are nothing but integers.
    if (stored == DType::undefined && !is_float(node->result()->type.dtype)) continue;
    if (stored == DType::undefined) {
      const DType in_floats = asked_precision(*node, context.layer_precision).value_or(context.precision);
      report.rows.push_back({.nodes = node->origins, .precision = precision_name(in_floats), .reason = "the model does not quantize it"});
    } else {
      any = true;
      report.rows.push_back({.nodes = node->origins, .precision = precision_name(stored)});
    }
  }
  return any ? std::optional(std::move(report)) : std::nullopt;
}

void add_arithmetic(QuantizationReport& report, std::span<const LoweredGraph> lowered, const std::map<std::string, std::string>& reasons) {
  for (const LoweredGraph& target : lowered) {
    report.variants.push_back(target.backend->variant());
    for (QuantizationRow& row : report.rows) {
      row.multiplied.push_back(multiplied_in(*target.graph, target.backend->traits(), row.nodes));
      if (row.reason.empty() && !is_honoured(row, row.multiplied.back())) row.reason = reason_for(row, report.variants.back(), reasons);
    }
  }
}

std::string to_text(const QuantizationReport& report) {
  std::string text = fmt::format("{:<9} {:>8}", "precision", "SQNR");
  for (const std::string& variant : report.variants) text += fmt::format("  {:<12}", variant);
  text += "  ONNX nodes\n";
  for (const QuantizationRow& row : report.rows) {
    text += fmt::format("{:<9} {:>8}", row.precision, std::isnan(row.sqnr_db) ? "-" : fmt::format("{:.1f} dB", row.sqnr_db));
    for (std::size_t i = 0; i < report.variants.size(); ++i) text += fmt::format("  {:<{}}", row.multiplied[i], std::max<std::size_t>(12, report.variants[i].size()));
    text += fmt::format("  {}{}\n", fmt::join(row.nodes, ", "), row.reason.empty() ? "" : "  (" + row.reason + ")");
  }
  const auto quantized = std::ranges::count_if(report.rows, is_quantized);
  text += fmt::format("{} of {} convolutions and matrix products are quantized", quantized, report.rows.size());
  if (report.observed > 0) text += fmt::format("; ranges over {} samples", report.observed);
  if (report.compared > 0) text += fmt::format("; SQNR over {}", report.compared);
  if (report.not_finite > 0) text += fmt::format("\ninfinity or NaN in {} of the observed activations was left out: are the samples right?", report.not_finite);
  for (std::size_t i = 0; i < report.variants.size(); ++i) {
    const auto honoured = std::ranges::count_if(report.rows, [&](const QuantizationRow& row) { return is_quantized(row) && is_honoured(row, row.multiplied[i]); });
    text += fmt::format("\n{} multiplies {} of them as they are stored", report.variants[i], honoured);
  }
  return text + "\n";
}

}  // namespace intaglio
