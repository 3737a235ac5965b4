// intaglio inspect: what is in a model or an artifact.

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>

#include "frontend/onnx/import.h"
#include "intaglio/artifact.h"
#include "ir/graph.h"
#include "support/diagnostics.h"
#include "support/files.h"
#include "support/tar.h"
#include "tools/commands.h"

namespace intaglio {
namespace {

using Json = nlohmann::ordered_json;

/// An artifact's texts. It is not loaded: it may be for another machine.
class ArtifactTexts {
 public:
  explicit ArtifactTexts(const std::string& path) : path_(path), bytes_(read_file(path)), index_(read_tar_index(std::as_bytes(std::span(bytes_)), path)) {}

  Json json(const std::string& name) const {
    const auto found = std::ranges::find(index_, name, &TarEntry::name);
    if (found == index_.end()) throw CompileError(ErrorCode::invalid, Diagnostic{path_, fmt::format("the artifact has no {}", name), "", "", "compile the model again"});
    return Json::parse(std::string_view(bytes_).substr(found->offset, found->size));
  }

 private:
  std::string path_;
  std::string bytes_;
  std::vector<TarEntry> index_;
};

void print_ports(const char* title, const Json& ports) {
  fmt::print("{}:\n", title);
  for (const Json& port : ports) {
    std::string shape;
    for (const Json& extent : port.at("shape")) shape += (shape.empty() ? "" : ",") + (extent.is_string() ? extent.get<std::string>() : std::to_string(extent.get<std::int64_t>()));
    fmt::print("  {}: {}[{}]\n", port.at("name").get<std::string>(), port.at("dtype").get<std::string>(), shape);
  }
}

std::string needs(const Json& variant) {
  if (variant.at("target") == "cuda") return variant.at("arch") == "ptx" ? "a GPU of compute capability 8.0 or higher" : "a GPU of architecture " + variant.at("arch").get<std::string>();
  return fmt::format("{}", fmt::join(variant.at("features").get<std::vector<std::string>>(), ", "));
}

/// What can compute a step: the runtime takes one of several kernels when shapes are bound.
std::string kernels_of(const Json& step) {
  const auto kernels = step.at("kernels").get<std::vector<std::string>>();
  if (kernels.empty()) return "copy";
  const std::string library = step.contains("library") ? " or " + step["library"].get<std::string>() : "";
  return fmt::format("{}{}", fmt::join(kernels, " | "), library);
}

void print_variant(const Json& variant, const Json& steps, bool layers) {
  fmt::print("variant {}: needs {}\n", variant.at("name").get<std::string>(), needs(variant));
  const auto arena = variant.at("arena_bytes").get<std::int64_t>();
  fmt::print("  arena: {}\n", arena >= 0 ? fmt::format("{:.1f} MiB", static_cast<double>(arena) / (1 << 20)) : "depends on the input shapes");
  std::map<std::string, int> kinds;
  for (const Json& step : steps) ++kinds[step.at("kind").get<std::string>()];
  fmt::print("  steps: {}\n", steps.size());
  for (const auto& [kind, count] : kinds) fmt::print("  {:>7} {}\n", count, kind);
  if (!layers) return;
  fmt::print("  kernels:\n");
  for (const Json& step : steps) {
    fmt::print("    {:<14} {:<30} {}  <- {}\n", step.at("kind").get<std::string>(), step.at("shape").get<std::string>(), kernels_of(step),
               fmt::join(step.at("nodes").get<std::vector<std::string>>(), ", "));
  }
}

void print_artifact(const ArtifactTexts& texts, const std::string& path, bool layers) {
  const Json manifest = texts.json(INTAGLIO_MANIFEST_NAME);
  const int version = manifest.at("format_version").get<int>();
  if (version != INTAGLIO_FORMAT_VERSION) {
    throw CompileError(ErrorCode::invalid, Diagnostic{path, "the artifact is of another format version", fmt::format("version {}", INTAGLIO_FORMAT_VERSION), fmt::format("version {}", version),
                                                      "compile the model again"});
  }
  fmt::print("artifact of {}, format version {}, compiler {}, options {}\n", manifest.at("model").get<std::string>(), version, manifest.at("compiler_version").get<std::string>(),
             manifest.at("options").get<std::string>());
  print_ports("inputs", manifest.at("inputs"));
  print_ports("outputs", manifest.at("outputs"));
  fmt::print("weights: {:.1f} MiB\n", manifest.at("weights").at("bytes").get<double>() / (1 << 20));
  for (const Json& variant : manifest.at("variants")) print_variant(variant, texts.json(variant.at("layers").get<std::string>()), layers);
}

void inspect_artifact(const std::string& path, bool layers) {
  try {
    print_artifact(ArtifactTexts(path), path, layers);
  } catch (const Json::exception& error) {
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
