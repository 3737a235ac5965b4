// Compiles the kernels of a plan and executes its steps; see machine.h.
#include "tests/codegen/machine.h"

#include <fmt/format.h>
#include <llvm/IR/InstIterator.h>
#include <llvm/IR/LLVMContext.h>
#include <llvm/Object/ObjectFile.h>

#include <algorithm>
#include <cstring>

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

std::int64_t bound(const Dim& dim, const SymbolValues& symbols) {
  return dim.evaluate([&](const std::string& name) { return symbols.at(name); });
}

[[noreturn]] void fail(const IntaglioKernelStatus& status, std::int32_t returned) {
  const std::string text =
      fmt::format("code {} ({} returned), value {} of [{}, {})", status.code, returned, status.value, status.low, status.high);
  if (returned != status.code) throw std::logic_error(text);
  if (status.code == INTAGLIO_KERNEL_INDEX_OUT_OF_RANGE) throw CheckFailed(text);
  throw BadAccess(text);
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
  std::vector<std::unique_ptr<GuardedMemory>> memory;
  std::vector<void*> pointers;
  for (const PlannedBuffer& buffer : plan_.buffers) {
    const auto bytes = static_cast<std::size_t>(bound(buffer.bytes, symbols));
    memory.push_back(std::make_unique<GuardedMemory>(bytes, guard));
    pointers.push_back(memory.back()->data());
    const auto fill = [&](const Tensor& tensor) {
      if (tensor.bytes() != bytes) throw std::logic_error("a tensor does not fit its buffer");
      std::memcpy(pointers.back(), tensor.data(), bytes);
      memory.back()->make_read_only();
    };
    if (buffer.place == PlannedBuffer::Place::input) fill(inputs.at(buffer.port));
    if (buffer.place != PlannedBuffer::Place::weights) continue;
    const auto weight = std::ranges::find(weights_.offsets(), buffer.offset);
    fill(weights_.tensors().at(static_cast<std::size_t>(weight - weights_.offsets().begin())));
  }
  for (const PlannedStep& step : plan_.steps) run_step(step, pointers, symbols, guard);
  std::vector<Tensor> results;
  for (std::size_t i = 0; i < result_types_.size(); ++i) {
    Extents extents;
    for (const Dim& dim : result_types_[i].shape) extents.push_back(bound(dim, symbols));
    Tensor result(result_types_[i].dtype, extents);
    std::memcpy(result.mutable_data(), pointers[plan_.output_buffers[i]], result.bytes());
    results.push_back(result);
  }
  return results;
}

void Machine::run_step(const PlannedStep& step, const std::vector<void*>& buffers, const SymbolValues& symbols, Guard guard) const {
  std::vector<void*> arguments;
  for (std::uint32_t buffer : step.buffers) arguments.push_back(buffers[buffer]);
  if (step.kernel < 0) {
    std::memcpy(arguments[1], arguments[0], static_cast<std::size_t>(bound(plan_.buffers[step.buffers[1]].bytes, symbols)));
    return;
  }
  const KernelPlan& kernel = plan_.kernels[static_cast<std::size_t>(step.kernel)];
  const IntaglioKernel function = library_->kernel(kernel.name.c_str());
  std::vector<std::int64_t> values;
  for (const std::string& name : kernel.symbols) values.push_back(symbols.at(name));
  const std::int64_t stride = (bound(step.scratch_bytes, symbols) + INTAGLIO_ALIGNMENT - 1) / INTAGLIO_ALIGNMENT * INTAGLIO_ALIGNMENT;
  const GuardedMemory scratch(static_cast<std::size_t>(stride * kWorkers), guard);
  IntaglioKernelStatus status = {};
  const IntaglioKernelArgs args{arguments.data(), values.data(), reinterpret_cast<char*>(scratch.data()), stride, &status};
  const auto call = [&](std::int64_t begin, std::int64_t end, std::int64_t worker) {
    const std::int32_t returned = function(&args, begin, end, static_cast<std::int32_t>(worker));
    if (returned != INTAGLIO_KERNEL_OK || status.code != INTAGLIO_KERNEL_OK) fail(status, returned);
  };
  const std::int64_t tasks = bound(step.tasks, symbols);
  if (guard == Guard::before) return call(0, tasks, 0);
  for (std::int64_t task = tasks - 1; task >= 0; --task) call(task, task + 1, task % kWorkers);
}

}  // namespace intaglio::testing
