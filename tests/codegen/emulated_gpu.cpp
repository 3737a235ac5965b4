// See emulated_gpu.h.
#include "tests/codegen/emulated_gpu.h"

#include <algorithm>

#include "codegen/cuda/backend.h"
#include "intaglio/artifact.h"
#include "tests/codegen/emulator/tensor_map.h"

namespace intaglio::testing {
namespace {

EmulatedTensorMap bound_map(const TensorMap& from, const std::vector<void*>& buffers, const SymbolValues& symbols) {
  const auto numbers = [&](const std::vector<Dim>& dims) {
    std::vector<std::int64_t> values;
    for (const Dim& dim : dims) values.push_back(bound(dim, symbols));
    return values;
  };
  const auto* base = static_cast<const std::byte*>(buffers[static_cast<std::size_t>(from.buffer)]) + bound(from.offset, symbols);
  return {base, dtype_bits(from.dtype) / 8, numbers(from.extents), numbers(from.strides), from.steps, from.swizzle, from.box,
          numbers(from.lower), numbers(from.upper), from.channels, from.pixels};
}

}  // namespace

EmulatedGpu::EmulatedGpu(const Graph& graph, const CodegenOptions& options, const std::string& arch) {
  const cuda::CudaBackend backend(options, arch);
  for (const Value* result : graph.results()) result_types_.push_back(result->type);
  plan_ = make_plan(graph, backend, weights_);
  for (const KernelPlan& kernel : plan_.kernels) kernels_.push_back(std::make_unique<EmulatedKernel>(kernel.source, kernel.name));
}

std::vector<Tensor> EmulatedGpu::run(const std::vector<Tensor>& inputs, const SymbolValues& symbols, Guard guard) const {
  const PlanMemory memory(plan_, weights_, inputs, symbols, guard, INTAGLIO_ALIGNMENT);
  for (const PlannedStep& step : plan_.steps) run_step(step, memory, symbols, guard);
  return memory.results(result_types_);
}

void EmulatedGpu::run_step(const PlannedStep& step, const PlanMemory& memory, const SymbolValues& symbols, Guard guard) const {
  if (step.kernels.empty()) return memory.copy(step);
  const PlannedKernel& chosen = forced_ ? step.kernels.at(std::min(*forced_, step.kernels.size() - 1)) : step.kernel_for(bound(step.size, symbols));
  const std::int64_t blocks = bound(chosen.tasks, symbols);
  if (blocks <= 0) return;
  const KernelPlan& kernel = plan_.kernels[static_cast<std::size_t>(chosen.kernel)];
  std::vector<void*> buffers = memory.of_step(step);
  std::vector<std::int64_t> values;
  for (const std::string& name : kernel.symbols) values.push_back(symbols.at(name));
  IntaglioKernelStatus status = {};
  IntaglioKernelStatus* status_pointer = &status;
  std::vector<void*> parameters;
  for (void*& buffer : buffers) parameters.push_back(&buffer);
  for (std::int64_t& value : values) parameters.push_back(&value);
  parameters.push_back(&status_pointer);
  std::vector<EmulatedTensorMap> maps;
  for (const TensorMap& map : kernel.tensor_maps) maps.push_back(bound_map(map, buffers, symbols));
  std::vector<TensorMapParameter> map_parameters;
  for (const EmulatedTensorMap& map : maps) map_parameters.push_back({&map});
  for (TensorMapParameter& map : map_parameters) parameters.push_back(&map);
  EmulatedLaunch launch{static_cast<unsigned>(blocks), static_cast<unsigned>(kernel.block_threads), static_cast<std::size_t>(kernel.shared_bytes),
                        guard == Guard::after, {}};
  if (kernel.overlaps) {
    memory.forbid(step);
    launch.previous_ends = [&] { memory.allow(step); };
  }
  kernels_[static_cast<std::size_t>(chosen.kernel)]->launch(launch, parameters.data());
  throw_reported(status);
}

}  // namespace intaglio::testing
