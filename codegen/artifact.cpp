// Generates the code of a plan's kernels and writes the artifact.

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/raw_ostream.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fmt/ranges.h>

#include <atomic>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <thread>

#include "codegen/codegen.h"
#include "codegen/cpu/link.h"
#include "codegen/cpu/object.h"
#include "codegen/plan.h"
#include "intaglio/artifact.h"
#include "support/diagnostics.h"
#include "support/files.h"
#include "support/tar.h"

namespace intaglio {
namespace {

enum class Stage { llvm, assembly, object };

/// A module and the context that owns what is in it.
struct OwnedModule {
  std::unique_ptr<llvm::LLVMContext> context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> module;
};

/// One module through LLVM.
std::string finish(llvm::Module& module, const cpu::CpuTarget& target, llvm::TargetMachine& machine, Stage stage) {
  cpu::apply_target(module, machine, target);
  cpu::optimize_module(module, machine);
  if (stage != Stage::llvm) return cpu::emit_object(module, machine, stage == Stage::assembly);
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

/// All kernels; the results are in their order. Emission stays on this thread, where kernel expressions are interned; LLVM, which takes nearly all of the time, uses all cores.
std::vector<std::string> generate_all(const std::vector<cpu::KernelPlan>& kernels, const cpu::CpuTarget& target, Stage stage) {
  std::vector<OwnedModule> modules(kernels.size());
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    modules[i].module = std::make_unique<llvm::Module>(kernels[i].name, *modules[i].context);
    kernels[i].emit(*modules[i].module);
  }
  std::vector<std::string> results(kernels.size());
  std::atomic<std::size_t> next{0};
  std::exception_ptr failure;
  std::mutex failure_mutex;
  const auto work = [&] {
    try {
      const auto machine = cpu::create_target_machine(target);
      for (std::size_t i = next++; i < kernels.size(); i = next++) results[i] = finish(*modules[i].module, target, *machine, stage);
    } catch (...) {
      const std::lock_guard lock(failure_mutex);
      failure = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < std::max(1u, std::thread::hardware_concurrency()); ++i) threads.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  return results;
}

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

}  // namespace

void generate_artifact(const Graph& graph, const CodegenOptions& options, const ModelInfo& info, const std::string& path) {
  const cpu::CpuTarget target = cpu::resolve_cpu(options.cpu);
  const Plan plan = make_plan(graph, target, options);
  const std::string code = cpu::link_shared_library(generate_all(plan.kernels, target, Stage::object));
  const std::string plan_bytes = serialize_plan(graph, plan);
  const std::string layers = layers_json(plan);
  const std::string folder = "cpu-" + target.name;

  XXH64_state_t* weights_hash = XXH64_createState();
  XXH64_reset(weights_hash, 0);
  const std::string zeros(INTAGLIO_ALIGNMENT, '\0');
  const auto for_each_weight = [&](const auto& write) {
    for (const Tensor& tensor : plan.weights) {
      write(std::string_view(static_cast<const char*>(tensor.data()), tensor.bytes()));
      if (const std::size_t rest = tensor.bytes() % INTAGLIO_ALIGNMENT) write(std::string_view(zeros).substr(rest));
    }
  };
  for_each_weight([&](std::string_view bytes) { XXH64_update(weights_hash, bytes.data(), bytes.size()); });
  const std::uint64_t weights_checksum = XXH64_digest(weights_hash);
  XXH64_freeState(weights_hash);

  nlohmann::ordered_json inputs = nlohmann::json::array(), outputs = nlohmann::json::array();
  for (const auto& argument : graph.arguments()) inputs.push_back(port_json(argument->name, argument->type));
  for (std::size_t i = 0; i < graph.results().size(); ++i) outputs.push_back(port_json(graph.result_names()[i], graph.results()[i]->type));
  nlohmann::ordered_json manifest = {
      {"format_version", INTAGLIO_FORMAT_VERSION},
      {"compiler_version", info.version},
      {"model", info.name},
      {"model_hash", info.hash},
      {"options", info.options_text},
      {"inputs", inputs},
      {"outputs", outputs},
      {"weights", {{"bytes", plan.weight_bytes}, {"xxh64", hex(weights_checksum)}}},
      {"arena_bytes", plan.arena_bytes},
      {"layers_xxh64", checksum(layers)},
      {"variants",
       {{{"name", folder},
         {"target", "cpu"},
         {"cpu", target.name},
         {"features", target.features},
         {"plan", folder + "/" INTAGLIO_PLAN_NAME},
         {"plan_xxh64", checksum(plan_bytes)},
         {"code", folder + "/" INTAGLIO_CODE_NAME},
         {"code_xxh64", checksum(code)}}}},
  };

  write_file(path, [&](std::ostream& out) {
    TarWriter tar(out);
    tar.add(INTAGLIO_MANIFEST_NAME, manifest.dump(1) + "\n");
    tar.add(INTAGLIO_LAYERS_NAME, layers);
    tar.add(folder + "/" INTAGLIO_PLAN_NAME, plan_bytes);
    tar.add(folder + "/" INTAGLIO_CODE_NAME, code);
    tar.begin(INTAGLIO_WEIGHTS_NAME, static_cast<std::uint64_t>(plan.weight_bytes), INTAGLIO_WEIGHTS_ALIGNMENT);
    for_each_weight([&](std::string_view bytes) { tar.write(bytes); });
    tar.end();
    tar.finish();
  });
}

std::string emit_text(const Graph& graph, const CodegenOptions& options, std::string_view kind) {
  const cpu::CpuTarget target = cpu::resolve_cpu(options.cpu);
  const Plan plan = make_plan(graph, target, options);
  std::string text;
  if (kind == "kernels") {
    for (const PlannedStep& step : plan.steps) {
      if (step.kernel < 0) continue;
      const cpu::KernelPlan& kernel = plan.kernels[step.kernel];
      text += fmt::format("// {}: {} tasks", fmt::join(step.origins, ", "), kernel.tasks.text());
      text += fmt::format(", {} bytes of scratch\n// {}\n{}\n", kernel.scratch_bytes.text(), kernel.name, kernel.text);
    }
    return text;
  }
  for (const std::string& part : generate_all(plan.kernels, target, kind == "asm" ? Stage::assembly : Stage::llvm)) text += part + "\n";
  return text;
}

}  // namespace intaglio
