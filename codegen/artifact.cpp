// Generates the code of each variant and writes the artifact.

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fmt/ranges.h>

#include <fstream>

#include "codegen/backend.h"
#include "codegen/cpu/backend.h"
#include "codegen/cuda/backend.h"
#include "codegen/plan.h"
#include "intaglio/artifact.h"
#include "support/diagnostics.h"
#include "support/files.h"
#include "support/json_text.h"
#include "support/tar.h"

namespace intaglio {
namespace {

std::string hex(std::uint64_t value) { return fmt::format("{:016x}", value); }
std::string checksum(const std::string& bytes) { return hex(XXH64(bytes.data(), bytes.size(), 0)); }

nlohmann::ordered_json port_json(const std::string& name, const Type& type) {
  nlohmann::ordered_json shape = nlohmann::json::array();
  for (const Dim& dim : type.shape) {
    if (const auto value = dim.constant()) {
      shape.push_back(*value);
    } else {
      shape.push_back(dim.text());
    }
  }
  return {{"name", name}, {"dtype", dtype_name(type.dtype)}, {"shape", shape}};
}

/// One target's plan and code.
struct Variant {
  std::string folder, plan, layers, code_name, code;
  std::int64_t arena_bytes = -1;
  nlohmann::ordered_json requirements;

  std::string plan_path() const { return folder + "/" INTAGLIO_PLAN_NAME; }
  std::string layers_path() const { return folder + "/" INTAGLIO_LAYERS_NAME; }
  std::string code_path() const { return folder + "/" + code_name; }
};

Variant make_variant(const Graph& graph, const Backend& backend, WeightStore& weights) {
  const Plan plan = make_plan(graph, backend, weights);
  const GeneratedCode code = backend.generate(plan.kernels);
  return {backend.variant(), serialize_plan(graph, plan, code), layers_json(plan), backend.code_name(), code.bytes, plan.arena_bytes, backend.requirements()};
}

nlohmann::ordered_json to_json(const Variant& variant) {
  nlohmann::ordered_json json = {{"name", variant.folder}};
  json.update(variant.requirements);
  json.update({{"arena_bytes", variant.arena_bytes},
               {"plan", variant.plan_path()},
               {"plan_xxh64", checksum(variant.plan)},
               {"layers", variant.layers_path()},
               {"layers_xxh64", checksum(variant.layers)},
               {"code", variant.code_path()},
               {"code_xxh64", checksum(variant.code)}});
  return json;
}

/// Calls `write` for all bytes of weights.bin, in order.
void for_each_weight(const WeightStore& weights, const std::function<void(std::string_view)>& write) {
  const std::string zeros(INTAGLIO_ALIGNMENT, '\0');
  for (const Tensor& tensor : weights.tensors()) {
    write(std::string_view(static_cast<const char*>(tensor.data()), tensor.bytes()));
    if (const std::size_t rest = tensor.bytes() % INTAGLIO_ALIGNMENT) write(std::string_view(zeros).substr(rest));
  }
}

std::uint64_t weights_checksum(const WeightStore& weights) {
  XXH64_state_t* hash = XXH64_createState();
  XXH64_reset(hash, 0);
  for_each_weight(weights, [&](std::string_view bytes) { XXH64_update(hash, bytes.data(), bytes.size()); });
  const std::uint64_t result = XXH64_digest(hash);
  XXH64_freeState(hash);
  return result;
}

}  // namespace

std::vector<std::unique_ptr<Backend>> make_backends(const CodegenOptions& options) {
  std::vector<std::unique_ptr<Backend>> backends;
  for (const std::string& target : options.targets) {
    if (target == "cpu") {
      backends.push_back(std::make_unique<cpu::CpuBackend>(options));
    } else {
      internal_check(target == "cuda", "there is no target {}", target);
      for (const std::string& arch : options.archs) backends.push_back(std::make_unique<cuda::CudaBackend>(options, arch));
    }
  }
  return backends;
}

std::vector<LoweredGraph> for_each_backend(const Graph& graph, const CodegenOptions& options) {
  std::vector<LoweredGraph> lowered;
  for (auto& backend : make_backends(options)) lowered.push_back({std::move(backend), graph.clone()});
  return lowered;
}

void generate_artifact(std::span<const LoweredGraph> lowered, const ModelInfo& info, const std::string& path) {
  internal_check(!lowered.empty(), "an artifact without a variant");
  WeightStore weights;
  std::vector<Variant> variants;
  for (const LoweredGraph& variant : lowered) variants.push_back(make_variant(*variant.graph, *variant.backend, weights));

  const Graph& graph = *lowered.front().graph;
  nlohmann::ordered_json inputs = nlohmann::json::array(), outputs = nlohmann::json::array(), variant_entries = nlohmann::json::array();
  for (const auto& argument : graph.arguments()) inputs.push_back(port_json(argument->name, argument->type));
  for (std::size_t i = 0; i < graph.results().size(); ++i) outputs.push_back(port_json(graph.result_names()[i], graph.results()[i]->type));
  for (const Variant& variant : variants) variant_entries.push_back(to_json(variant));
  const nlohmann::ordered_json manifest = {
      {"format_version", INTAGLIO_FORMAT_VERSION},
      {"compiler_version", info.version},
      {"model", info.name},
      {"model_hash", info.hash},
      {"options", info.options_text},
      {"inputs", inputs},
      {"outputs", outputs},
      {"weights", {{"bytes", weights.bytes()}, {"xxh64", hex(weights_checksum(weights))}}},
      {"variants", variant_entries},
  };

  write_file(path, [&](std::ostream& out) {
    TarWriter tar(out);
    tar.add(INTAGLIO_MANIFEST_NAME, json_text(manifest) + "\n");
    for (const Variant& variant : variants) {
      tar.add(variant.layers_path(), variant.layers);
      tar.add(variant.plan_path(), variant.plan);
      tar.add(variant.code_path(), variant.code);
    }
    tar.begin(INTAGLIO_WEIGHTS_NAME, static_cast<std::uint64_t>(weights.bytes()), INTAGLIO_WEIGHTS_ALIGNMENT);
    for_each_weight(weights, [&](std::string_view bytes) { tar.write(bytes); });
    tar.end();
    tar.finish();
  });
}

std::string emit_text(std::span<const LoweredGraph> lowered, std::string_view kind) {
  WeightStore weights;
  std::string text;
  for (const auto& [backend, graph] : lowered) {
    const Plan plan = make_plan(*graph, *backend, weights);
    if (kind != "kernels") {
      text += backend->emit(plan.kernels, kind);
      continue;
    }
    for (const PlannedStep& step : plan.steps) {
      for (const PlannedKernel& planned : step.kernels) {
        const KernelPlan& kernel = plan.kernels[static_cast<std::size_t>(planned.kernel)];
        text += fmt::format("// {}: {} tasks", fmt::join(step.origins, ", "), kernel.tasks.text());
        text += fmt::format(", {} bytes of scratch", kernel.scratch_bytes.text());
        if (planned.up_to != kAnySize) text += fmt::format(", while {} <= {}", step.size.text(), planned.up_to);
        text += fmt::format("\n// {}\n{}\n", kernel.name, kernel.text);
      }
    }
  }
  return text;
}

}  // namespace intaglio
