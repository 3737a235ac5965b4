// See plan_memory.h.
#include "tests/codegen/plan_memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace intaglio::testing {

std::int64_t bound(const Dim& dim, const SymbolValues& symbols) {
  return dim.evaluate([&](const std::string& name) { return symbols.at(name); });
}

void throw_reported(const IntaglioKernelStatus& status) {
  if (status.code == INTAGLIO_KERNEL_OK) return;
  const std::string text = fmt::format("code {}, value {} of [{}, {})", status.code, status.value, status.low, status.high);
  if (status.code == INTAGLIO_KERNEL_INDEX_OUT_OF_RANGE) throw CheckFailed(text);
  throw BadAccess(text);
}

PlanMemory::PlanMemory(const Plan& plan, const WeightStore& weights, const std::vector<Tensor>& inputs, const SymbolValues& symbols, Guard guard,
                       std::size_t alignment)
    : plan_(plan), symbols_(symbols) {
  for (const PlannedBuffer& buffer : plan_.buffers) {
    const auto bytes = static_cast<std::size_t>(bound(buffer.bytes, symbols));
    memory_.push_back(std::make_unique<GuardedMemory>((bytes + alignment - 1) / alignment * alignment, guard));
    const auto fill = [&](const Tensor& tensor) {
      if (tensor.bytes() != bytes) throw std::logic_error("a tensor does not fit its buffer");
      std::memcpy(memory_.back()->data(), tensor.data(), bytes);
      memory_.back()->make_read_only();
    };
    if (buffer.place == PlannedBuffer::Place::input) fill(inputs.at(buffer.port));
    if (buffer.place != PlannedBuffer::Place::weights) continue;
    const auto weight = std::ranges::find(weights.offsets(), buffer.offset);
    fill(weights.tensors().at(static_cast<std::size_t>(weight - weights.offsets().begin())));
  }
}

std::vector<void*> PlanMemory::of_step(const PlannedStep& step) const {
  std::vector<void*> pointers;
  for (std::uint32_t buffer : step.buffers) pointers.push_back(memory_[buffer]->data());
  return pointers;
}

void PlanMemory::forbid(const PlannedStep& step) const {
  for (std::uint32_t buffer : step.buffers) {
    if (plan_.buffers[buffer].place != PlannedBuffer::Place::weights) memory_[buffer]->make_inaccessible();
  }
}

void PlanMemory::allow(const PlannedStep& step) const {
  for (std::uint32_t buffer : step.buffers) {
    if (plan_.buffers[buffer].place == PlannedBuffer::Place::weights) continue;
    plan_.buffers[buffer].place == PlannedBuffer::Place::input ? memory_[buffer]->make_read_only() : memory_[buffer]->make_writable();
  }
}

void PlanMemory::copy(const PlannedStep& step) const {
  std::memcpy(memory_[step.buffers[1]]->data(), memory_[step.buffers[0]]->data(), static_cast<std::size_t>(bound(plan_.buffers[step.buffers[1]].bytes, symbols_)));
}

std::vector<Tensor> PlanMemory::results(const std::vector<Type>& types) const {
  std::vector<Tensor> results;
  for (std::size_t i = 0; i < types.size(); ++i) {
    Extents extents;
    for (const Dim& dim : types[i].shape) extents.push_back(bound(dim, symbols_));
    Tensor result(types[i].dtype, extents);
    std::memcpy(result.mutable_data(), memory_[plan_.output_buffers[i]]->data(), result.bytes());
    results.push_back(result);
  }
  return results;
}

}  // namespace intaglio::testing
