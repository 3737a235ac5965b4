// intaglio inspect: what is in a model or an artifact.

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "frontend/onnx/import.h"
#include "intaglio/runtime.hpp"
#include "ir/graph.h"
#include "support/diagnostics.h"
#include "support/files.h"
#include "tools/commands.h"

namespace intaglio {
namespace {

using Json = nlohmann::ordered_json;

void print_ports(const char* title, const std::vector<intaglio_port>& ports) {
  fmt::print("{}:\n", title);
  for (const intaglio_port& port : ports) fmt::print("  {}: {}\n", port.name, port.shape_text);
}

void print_artifact(const Model& model, bool layers) {
  const Json manifest = Json::parse(model.manifest());
  fmt::print("artifact of {}, format version {}, compiler {}, options {}\n", manifest.at("model").get<std::string>(), manifest.at("format_version").get<int>(),
             manifest.at("compiler_version").get<std::string>(), manifest.at("options").get<std::string>());
  print_ports("inputs", model.inputs());
  print_ports("outputs", model.outputs());
  for (const Json& variant : manifest.at("variants")) {
    fmt::print("variant {}: needs {}\n", variant.at("name").get<std::string>(), fmt::join(variant.at("features").get<std::vector<std::string>>(), ", "));
  }
  fmt::print("weights: {:.1f} MiB\n", manifest.at("weights").at("bytes").get<double>() / (1 << 20));
  if (manifest.at("arena_bytes").get<std::int64_t>() >= 0) {
    fmt::print("arena: {:.1f} MiB\n", manifest.at("arena_bytes").get<double>() / (1 << 20));
  } else {
    fmt::print("arena: depends on the input shapes\n");
  }
  const Json steps = Json::parse(model.layers());
  std::map<std::string, int> kinds;
  for (const Json& step : steps) ++kinds[step.at("kind").get<std::string>()];
  fmt::print("steps: {}\n", steps.size());
  for (const auto& [kind, count] : kinds) fmt::print("  {:>5} {}\n", count, kind);
  if (!layers) return;
  fmt::print("kernels:\n");
  for (const Json& step : steps) {
    fmt::print("  {:<14} {:<30} {}  <- {}\n", step.at("kind").get<std::string>(), step.at("shape").get<std::string>(), step.at("name").get<std::string>(),
               fmt::join(step.at("nodes").get<std::vector<std::string>>(), ", "));
  }
}

void inspect_artifact(const std::string& path, bool layers) {
  const Model model(path);
  try {
    print_artifact(model, layers);
  } catch (const Json::exception& error) {
    // The loader checks only what running needs.
    throw CompileError(ErrorCode::invalid, Diagnostic{path, fmt::format("the artifact's manifest is malformed: {}", error.what()), "", "", "compile the model again"});
  }
}

void inspect_model(const std::string& path) {
  const auto graph = import_onnx(path);
  fmt::print("ONNX model {}\ninputs:\n", path);
  for (const auto& argument : graph->arguments()) fmt::print("  {}: {}\n", argument->name, to_text(argument->type));
  fmt::print("outputs:\n");
  for (std::size_t i = 0; i < graph->results().size(); ++i) fmt::print("  {}: {}\n", graph->result_names()[i], to_text(graph->results()[i]->type));
  std::map<std::string, int> operators;
  std::map<std::string, std::int64_t> parameters;
  for (const Node* node : graph->nodes()) {
    if (node->is("const")) {
      const Tensor& tensor = node->result()->constant();
      parameters[std::string(dtype_name(tensor.dtype()))] += tensor.elements();
    } else {
      ++operators[std::string(node->op_name())];
    }
  }
  fmt::print("parameters:\n");
  for (const auto& [dtype, count] : parameters) fmt::print("  {:>12} {}\n", count, dtype);
  fmt::print("core operators:\n");
  for (const auto& [name, count] : operators) fmt::print("  {:>5} {}\n", count, name);
}

}  // namespace

void add_inspect(CLI::App& app) {
  struct Flags {
    std::string file;
    bool layers = false;
  };
  auto* command = app.add_subcommand("inspect", "Tells what is in a model or an artifact.");
  auto flags = std::make_shared<Flags>();
  command->add_option("file", flags->file, "an .onnx model or an artifact")->required();
  command->add_flag("--layers", flags->layers, "lists the kernels of an artifact with the ONNX nodes of each")->group("Output");
  command->footer("Example: intaglio inspect resnet50.tar --layers");
  command->callback([flags] { flags->file.ends_with(".onnx") ? inspect_model(flags->file) : inspect_artifact(flags->file, flags->layers); });
}

}  // namespace intaglio
