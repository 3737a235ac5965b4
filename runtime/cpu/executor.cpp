// Inputs in place or staged, steps in order, outputs delivered.

#include "runtime/cpu/executor.h"

#include <algorithm>
#include <cstring>
#include <thread>

#include "runtime/cpu/thread_pool.h"
#include "runtime/tensor_copy.h"
#include "support/diagnostics.h"

namespace intaglio::runtime::cpu {
namespace {

/// A step that takes less than this on one thread is not worth waking others.
constexpr std::int64_t kWorthSharing = 8000;  // ns

}  // namespace

CpuTarget::CpuTarget(const plan::Plan& plan, std::span<const std::byte> code, const std::string& path) : library_(code) {
  for (const auto* kernel : *plan.kernels()) {
    kernels_.push_back(library_.kernel(kernel->name()->c_str()));
    if (kernels_.back()) continue;
    throw CompileError(ErrorCode::invalid, Diagnostic{path, fmt::format("the artifact's code lacks kernel '{}'", kernel->name()->str()), "",
                                                      "", "compile the model again"});
  }
}

std::unique_ptr<Executor> CpuTarget::make_executor(const Binding& binding, int threads) const {
  return std::make_unique<CpuExecutor>(*this, binding, threads);
}

CpuExecutor::CpuExecutor(const CpuTarget& target, const Binding& binding, int threads)
    : target_(target), binding_(binding), threads_(threads) {
  if (threads_ > INTAGLIO_MAX_THREADS) {
    throw CompileError(ErrorCode::invalid, Diagnostic{"", "a run cannot use that many threads",
                                                      fmt::format("at most {}", INTAGLIO_MAX_THREADS), std::to_string(threads_)});
  }
  if (threads_ <= 0) threads_ = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  ThreadPool::instance().reserve(threads_);
  const plan::Plan& plan = binding.plan();
  input_staging_ = std::vector<Staging>(plan.inputs()->size());
  output_staging_ = std::vector<Staging>(plan.outputs()->size());
  pointers_.assign(plan.buffers()->size(), nullptr);
  steps_.resize(plan.steps()->size());
  step_times_.reserve(plan.steps()->size() + plan.inputs()->size() + plan.outputs()->size());
  const Model& model = binding.model();
  for (std::size_t i = 0; i < input_staging_.size(); ++i)
    input_staging_[i].label = fmt::format("copy input '{}' (not aligned, or strided)", model.inputs()[i].name);
  for (std::size_t i = 0; i < output_staging_.size(); ++i)
    output_staging_[i].label = fmt::format("copy output '{}' (not aligned, or strided)", model.outputs()[i].name);
}

void CpuExecutor::place_buffers() {
  const plan::Plan& plan = binding_.plan();
  const Binding::Arena arena = binding_.lay_out_arena();
  char* base = arena_.reserve(std::max<std::int64_t>(arena.bytes, 1));
  for (std::uint32_t i = 0; i < plan.buffers()->size(); ++i) {
    const plan::Buffer& buffer = *plan.buffers()->Get(i);
    if (buffer.place() == plan::Place::arena) pointers_[i] = base + arena.offsets[i];
    // Kernels take all buffers by one type of pointer; they do not write to weights, which are mapped read-only.
    if (buffer.place() == plan::Place::weights)
      pointers_[i] = const_cast<char*>(reinterpret_cast<const char*>(binding_.model().weights())) + buffer.offset();
  }
  prepare_steps();
  placed_ = true;
}

void CpuExecutor::prepare_steps() {
  const plan::Plan& plan = binding_.plan();
  std::int64_t scratch_bytes = 0;
  for (std::uint32_t i = 0; i < plan.steps()->size(); ++i) {
    const plan::Step& from = *plan.steps()->Get(i);
    Step& step = steps_[i];
    step.chosen = from.kind() == plan::StepKind::kernel ? &binding_.choose(from) : nullptr;
    step.tasks = step.chosen ? binding_.evaluate(*step.chosen->tasks()) : 1;
    step.nanoseconds = binding_.evaluate(*from.work());
    step.pointers.assign(from.buffers()->size(), nullptr);
    step.symbols.clear();
    if (from.symbols()) {
      for (std::uint32_t s : *from.symbols()) step.symbols.push_back(binding_.symbols()[s]);
    }
    const std::int64_t bytes = step.chosen ? binding_.evaluate_bytes(*step.chosen->scratch_bytes()) : 0;
    step.args.scratch_stride = (bytes + INTAGLIO_ALIGNMENT - 1) / INTAGLIO_ALIGNMENT * INTAGLIO_ALIGNMENT;
    scratch_bytes = std::max(scratch_bytes, step.args.scratch_stride);
  }
  char* scratch = scratch_.reserve(std::max<std::int64_t>(scratch_bytes * threads_, 1));
  for (Step& step : steps_) {
    step.args.buffers = step.pointers.data();
    step.args.symbols = step.symbols.data();
    step.args.scratch = scratch;
    step.args.status = &status_;
  }
}

std::int64_t CpuExecutor::bytes() const {
  std::int64_t total = arena_.size() + scratch_.size();
  for (const Staging& staging : input_staging_) total += staging.memory.size();
  for (const Staging& staging : output_staging_) total += staging.memory.size();
  return total;
}

void CpuExecutor::stage_inputs(bool profile) {
  const plan::Plan& plan = binding_.plan();
  for (std::uint32_t i = 0; i < plan.inputs()->size(); ++i) {
    const intaglio_tensor& input = binding_.input(i);
    const std::uint32_t buffer = plan.inputs()->Get(i)->buffer();
    if (is_usable_in_place(input)) {
      pointers_[buffer] = static_cast<char*>(input.data);
      continue;
    }
    const double began = now_us();
    pointers_[buffer] = input_staging_[i].memory.reserve(std::max<std::int64_t>(binding_.buffer_bytes(buffer), 1));
    if (input.data) copy_to_dense(input, pointers_[buffer]);
    if (profile) step_times_.push_back({0, UINT32_MAX, input_staging_[i].label.c_str(), began - run_began_us_, now_us() - began, 1, 1});
  }
}

void CpuExecutor::place_outputs(const intaglio_tensor* outputs) {
  const plan::Plan& plan = binding_.plan();
  for (std::uint32_t i = 0; i < plan.outputs()->size(); ++i) {
    const std::uint32_t buffer = plan.outputs()->Get(i)->buffer();
    Staging& staging = output_staging_[i];
    staging.used = !is_usable_in_place(outputs[i]);
    pointers_[buffer] = staging.used ? staging.memory.reserve(std::max<std::int64_t>(binding_.buffer_bytes(buffer), 1))
                                     : static_cast<char*>(outputs[i].data);
  }
}

void CpuExecutor::deliver_outputs(intaglio_tensor* outputs, bool profile) {
  const plan::Plan& plan = binding_.plan();
  for (std::uint32_t i = 0; i < plan.outputs()->size(); ++i) {
    if (!output_staging_[i].used) continue;
    char* result = pointers_[plan.outputs()->Get(i)->buffer()];
    if (!outputs[i].data) {
      binding_.describe_output(i, result, outputs[i]);
      continue;
    }
    const double began = now_us();
    copy_from_dense(result, outputs[i]);
    if (profile) step_times_.push_back({0, UINT32_MAX, output_staging_[i].label.c_str(), began - run_began_us_, now_us() - began, 1, 1});
  }
}

void CpuExecutor::start(intaglio_tensor* outputs, bool profile) {
  step_times_.clear();
  run_began_us_ = now_us();
  if (!placed_) place_buffers();
  place_outputs(outputs);
  stage_inputs(profile);
  run_steps(profile);
  deliver_outputs(outputs, profile);
  run_times_.enqueue_us = now_us() - run_began_us_;
}

/// Runs a step whose buffers have their places; the number of threads that took part.
int CpuExecutor::run_step(std::uint32_t i) {
  const plan::Step& from = *binding_.plan().steps()->Get(i);
  Step& step = steps_[i];
  if (!step.chosen) {
    std::memcpy(step.pointers[1], step.pointers[0], static_cast<std::size_t>(binding_.buffer_bytes(from.buffers()->Get(1))));
    return 1;
  }
  if (step.tasks <= 0) return 1;
  struct Call {
    IntaglioKernel kernel;
    const IntaglioKernelArgs* args;
  } call{target_.kernel(step.chosen->kernel()), &step.args};
  const ThreadPool::Job job{[](void* context, std::int64_t begin, std::int64_t end, std::int32_t worker) {
                              const Call& c = *static_cast<const Call*>(context);
                              return c.kernel(c.args, begin, end, worker);
                            },
                            &call};
  int threads = 1;
  const bool shared = step.nanoseconds >= kWorthSharing;
  if (ThreadPool::instance().run(job, step.tasks, shared ? threads_ : 1, &threads) != INTAGLIO_KERNEL_OK)
    throw_kernel_failure(status_, binding_.model().step_name(i));
  return threads;
}

void CpuExecutor::run_steps(bool profile) {
  const plan::Plan& plan = binding_.plan();
  for (std::uint32_t i = 0; i < plan.steps()->size(); ++i) {
    const plan::Step& from = *plan.steps()->Get(i);
    for (std::uint32_t b = 0; b < from.buffers()->size(); ++b) steps_[i].pointers[b] = pointers_[from.buffers()->Get(b)];
    const double began = profile ? now_us() : 0;
    const int threads = run_step(i);
    if (!profile) continue;
    const plan::Alternative* chosen = steps_[i].chosen;
    const char* name = chosen ? plan.kernels()->Get(chosen->kernel())->name()->c_str() : "copy";
    step_times_.push_back({i, from.layer(), name, began - run_began_us_, now_us() - began, steps_[i].tasks, threads});
  }
}

}  // namespace intaglio::runtime::cpu
