// Kernels through LLVM, and their objects into one library.

#include <llvm/IR/LLVMContext.h>
#include <llvm/IR/Module.h>
#include <llvm/Support/raw_ostream.h>

#include <atomic>
#include <mutex>
#include <thread>

#include "codegen/cpu/backend.h"
#include "codegen/cpu/link.h"
#include "codegen/cpu/object.h"
#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

enum class Stage { llvm, assembly, object };

/// A module and the context that owns what is in it.
struct OwnedModule {
  std::unique_ptr<llvm::LLVMContext> context = std::make_unique<llvm::LLVMContext>();
  std::unique_ptr<llvm::Module> module;
};

/// One module through LLVM.
std::string finish(llvm::Module& module, const CpuTarget& target, llvm::TargetMachine& machine, Stage stage) {
  apply_target(module, machine, target);
  optimize_module(module, machine);
  if (stage != Stage::llvm) return emit_object(module, machine, stage == Stage::assembly);
  std::string text;
  llvm::raw_string_ostream stream(text);
  module.print(stream, nullptr);
  return text;
}

/// All kernels; the results are in their order. Emission stays on this thread, where kernel expressions are interned; LLVM, which takes nearly all of the time, uses all cores.
std::vector<std::string> generate_all(const std::vector<KernelPlan>& kernels, const CpuTarget& target, Stage stage) {
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
      const auto machine = create_target_machine(target);
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

}  // namespace

GeneratedCode CpuBackend::generate(const std::vector<KernelPlan>& kernels) const {
  std::vector<std::string> objects = generate_all(kernels, target_, Stage::object);
  if (objects.empty()) {
    // A graph that hands on what it is given has no kernel, but the linker wants an object.
    OwnedModule empty;
    empty.module = std::make_unique<llvm::Module>("empty", *empty.context);
    objects.push_back(finish(*empty.module, target_, *create_target_machine(target_), Stage::object));
  }
  return {link_shared_library(objects), {}};
}

std::string CpuBackend::emit(const std::vector<KernelPlan>& kernels, std::string_view stage) const {
  if (stage != "llvm" && stage != "asm") {
    throw CompileError(ErrorCode::usage, Diagnostic{"--emit", fmt::format("CPU code has no stage '{}'", stage), "llvm or asm", ""});
  }
  std::string text;
  for (const std::string& part : generate_all(kernels, target_, stage == "asm" ? Stage::assembly : Stage::llvm)) text += part + "\n";
  return text;
}

}  // namespace intaglio::cpu
