// Compiles the kernels of a plan and executes its steps; see machine.h.
#include "tests/codegen/machine.h"

#include <fmt/format.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/Object/ObjectFile.h>

#include "codegen/cpu/backend.h"
#include "codegen/cpu/link.h"
#include "codegen/cpu/object.h"
#include "intaglio/artifact.h"
#include "runtime/cpu/features.h"
#include "runtime/cpu/code_library.h"

namespace intaglio::testing {
namespace {

constexpr std::int64_t kWorkers = 2;

void drop_alignment_promises(llvm::Module& module) {
  for (llvm::Function& function : module) {
    for (llvm::Instruction& instruction : llvm::instructions(function)) instruction.setMetadata(llvm::LLVMContext::MD_align, nullptr);
  }
}

std::string object_of(const KernelPlan& kernel, const cpu::CpuTarget& target, llvm::TargetMachine& machine) {
  llvm::LLVMContext context;
  llvm::Module module(kernel.name, context);
  kernel.emit(module);
  drop_alignment_promises(module);
  cpu::apply_target(module, machine, target);
  cpu::optimize_module(module, machine);
  return cpu::emit_object(module, machine);
}

void collect_undefined(const std::string& object, std::vector<std::string>& names) {
  auto file = llvm::cantFail(llvm::object::ObjectFile::createObjectFile(llvm::MemoryBufferRef(object, "kernel")));
  for (const llvm::object::SymbolRef& symbol : file->symbols()) {
    const bool is_undefined = llvm::cantFail(symbol.getFlags()) & llvm::object::SymbolRef::SF_Undefined;
    const std::string name = llvm::cantFail(symbol.getName()).str();
    // Every ELF symbol table begins with a nameless entry.
    if (is_undefined && !name.empty()) names.push_back(name);
  }
}

}  // namespace

std::vector<CodegenOptions> options_to_test(bool checked) {
  std::vector<CodegenOptions> result;
  for (const char* cpu : {"native", "x86-64-v2", "x86-64-v3", "x86-64-v4"}) {
    // Code for a CPU that this machine does not have cannot run.
    if (!runtime::cpu::missing_features(cpu::resolve_cpu(cpu).features).empty()) continue;
    result.emplace_back();
    result.back().cpu = cpu;
    result.back().checked = checked;
  }
  return result;
}

Machine::Machine(const Graph& graph, const CodegenOptions& options) {
  const cpu::CpuBackend backend(options);
  for (const Value* result : graph.results()) result_types_.push_back(result->type);
  plan_ = make_plan(graph, backend, weights_);
  generate(backend.target());
}

Machine::~Machine() = default;

void Machine::generate(const cpu::CpuTarget& target) {
  const auto machine = cpu::create_target_machine(target);
  std::vector<std::string> objects;
  for (const KernelPlan& kernel : plan_.kernels) {
    objects.push_back(object_of(kernel, target, *machine));
    collect_undefined(objects.back(), undefined_symbols_);
  }
  if (!undefined_symbols_.empty() || objects.empty()) return;
  const std::string code = cpu::link_shared_library(objects);
  library_ = std::make_unique<runtime::CodeLibrary>(std::as_bytes(std::span(code)));
}

std::vector<Tensor> Machine::run(const std::vector<Tensor>& inputs, const SymbolValues& symbols, Guard guard) const {
  const PlanMemory memory(plan_, weights_, inputs, symbols, guard, 1);
  for (const PlannedStep& step : plan_.steps) run_step(step, memory, symbols, guard);
  return memory.results(result_types_);
}

void Machine::run_step(const PlannedStep& step, const PlanMemory& memory, const SymbolValues& symbols, Guard guard) const {
  if (step.kernels.empty()) return memory.copy(step);
  const PlannedKernel& chosen = step.kernel_for(bound(step.size, symbols));
  const std::vector<void*> arguments = memory.of_step(step);
  const KernelPlan& kernel = plan_.kernels[static_cast<std::size_t>(chosen.kernel)];
  const IntaglioKernel function = library_->kernel(kernel.name.c_str());
  std::vector<std::int64_t> values;
  for (const std::string& name : kernel.symbols) values.push_back(symbols.at(name));
  const std::int64_t stride = (bound(chosen.scratch_bytes, symbols) + INTAGLIO_ALIGNMENT - 1) / INTAGLIO_ALIGNMENT * INTAGLIO_ALIGNMENT;
  const GuardedMemory scratch(static_cast<std::size_t>(stride * kWorkers), guard);
  IntaglioKernelStatus status = {};
  const IntaglioKernelArgs args{arguments.data(), values.data(), reinterpret_cast<char*>(scratch.data()), stride, &status};
  const auto call = [&](std::int64_t begin, std::int64_t end, std::int64_t worker) {
    const std::int32_t returned = function(&args, begin, end, static_cast<std::int32_t>(worker));
    if (returned != status.code) throw std::logic_error(fmt::format("{} returned, with status {}", returned, status.code));
    throw_reported(status);
  };
  const std::int64_t tasks = bound(chosen.tasks, symbols);
  if (guard == Guard::before) return call(0, tasks, 0);
  for (std::int64_t task = tasks - 1; task >= 0; --task) call(task, task + 1, task % kWorkers);
}

}  // namespace intaglio::testing
