// See executor.h.

#include "runtime/cuda/executor.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "intaglio/artifact.h"
#include "runtime/cuda/tensor_map.h"
#include "runtime/tensor_copy.h"

namespace intaglio::runtime::cuda {
namespace {

constexpr std::int64_t kAlignment = 256;
/// Graphs of the shapes used last; each holds some hundred nodes.
constexpr std::size_t kMostGraphs = 16;

enum RunEvent : std::size_t { began, inputs_there, steps_done, outputs_there, run_events, first_step = run_events };

std::int64_t aligned(std::int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

double elapsed_us(CUevent from, CUevent to) {
  float ms = 0;
  check(driver().event_elapsed_ms(&ms, from, to), "the GPU's clock cannot be read");
  return static_cast<double>(ms) * 1000;
}

}  // namespace

CudaExecutor::CudaExecutor(const DeviceModel& model, const Binding& binding) : model_(model), binding_(binding) {
  const CurrentContext current(model_.context());
  check(driver().stream_create(&stream_, kStreamNonBlocking), "a stream cannot be made");
  const plan::Plan& plan = binding_.plan();
  events_.resize(first_step + 1 + plan.steps()->size());
  for (CUevent& event : events_) check(driver().event_create(&event, 0), "an event cannot be made");
  port_offsets_.assign(plan.buffers()->size(), 0);
  pointers_.assign(plan.buffers()->size(), 0);
  steps_.resize(plan.steps()->size());
  step_times_.reserve(plan.steps()->size() + 2);
}

CudaExecutor::~CudaExecutor() {
  const CurrentContext current(model_.context(), std::nothrow);
  driver().stream_synchronize(stream_);
  forget_graphs();
  for (CUevent event : events_) driver().event_destroy(event);
  driver().stream_destroy(stream_);
  if (pinned_) driver().host_free(pinned_);
  memory_.release();
}

void CudaExecutor::forget_graphs() {
  for (const CachedGraph& cached : graphs_) {
    if (cached.graph) driver().graph_exec_destroy(cached.graph);
  }
  graphs_.clear();
}

void CudaExecutor::reserve_pinned(std::size_t bytes) {
  if (bytes <= pinned_bytes_) return;
  if (pinned_) driver().host_free(pinned_);
  pinned_ = nullptr;
  pinned_bytes_ = 0;
  check(driver().host_alloc(&pinned_, bytes, 0), "page-locked memory cannot be had");
  pinned_bytes_ = bytes;
}

/// Inputs and outputs, one after the other: one copy takes all of a kind.
void CudaExecutor::place_ports() {
  const plan::Plan& plan = binding_.plan();
  std::int64_t at = 0;
  const auto place = [&](const auto& ports) {
    for (const auto* port : ports) {
      port_offsets_[port->buffer()] = at;
      at += aligned(binding_.buffer_bytes(port->buffer()));
    }
  };
  place(*plan.inputs());
  outputs_at_ = at;
  place(*plan.outputs());
  statuses_at_ = at;
  arena_at_ = at + aligned(static_cast<std::int64_t>(steps_.size() * sizeof(IntaglioKernelStatus)));
}

void CudaExecutor::place_buffers() {
  const plan::Plan& plan = binding_.plan();
  place_ports();
  const Binding::Arena arena = binding_.lay_out_arena();
  reserve_pinned(static_cast<std::size_t>(arena_at_));
  // Graphs hold addresses.
  if (memory_.reserve(arena_at_ + std::max<std::int64_t>(arena.bytes, 1))) forget_graphs();
  check(driver().fill_async(memory_.data() + static_cast<CUdeviceptr>(statuses_at_), 0, static_cast<std::size_t>(arena_at_ - statuses_at_),
                            stream_),
        "the GPU's memory cannot be written");
  for (std::uint32_t i = 0; i < plan.buffers()->size(); ++i) {
    switch (plan.buffers()->Get(i)->place()) {
      case plan::Place::arena:
        pointers_[i] = memory_.data() + static_cast<CUdeviceptr>(arena_at_ + arena.offsets[i]);
        break;
      case plan::Place::weights:
        pointers_[i] = model_.weight(i);
        break;
      default:
        pointers_[i] = memory_.data() + static_cast<CUdeviceptr>(port_offsets_[i]);
        break;
    }
  }
  prepare_steps();
  placed_ = true;
}

void CudaExecutor::prepare_steps() {
  const plan::Plan& plan = binding_.plan();
  for (std::uint32_t i = 0; i < plan.steps()->size(); ++i) {
    const plan::Step& from = *plan.steps()->Get(i);
    Step& step = steps_[i];
    step = {};
    for (std::uint32_t b : *from.buffers()) step.pointers.push_back(pointers_[b]);
    if (from.symbols()) {
      for (std::uint32_t s : *from.symbols()) step.symbols.push_back(binding_.symbols()[s]);
    }
    step.status = memory_.data() + static_cast<CUdeviceptr>(statuses_at_) + i * sizeof(IntaglioKernelStatus);
    step.chosen = from.kind() == plan::StepKind::kernel ? &binding_.choose(from) : nullptr;
    step.tasks = step.chosen ? binding_.evaluate(*step.chosen->tasks()) : 1;
    if (step.tasks > std::numeric_limits<std::int32_t>::max()) {
      throw CompileError(
          ErrorCode::invalid,
          Diagnostic{binding_.model().step_name(i), "the shapes of the inputs need more blocks than a GPU can start",
                     std::to_string(std::numeric_limits<std::int32_t>::max()), std::to_string(step.tasks), "run smaller batches"});
    }
    if (step.chosen && step.tasks > 0) step.maps = encode_maps(from, *step.chosen, step.pointers, binding_, i);
    for (CUdeviceptr& pointer : step.pointers) step.parameters.push_back(&pointer);
    for (std::int64_t& symbol : step.symbols) step.parameters.push_back(&symbol);
    step.parameters.push_back(&step.status);
    for (CUtensorMap& map : step.maps) step.parameters.push_back(&map);
    if (step.chosen) prepare_product(i);
  }
}

void CudaExecutor::prepare_product(std::uint32_t i) {
  const plan::Step& from = *binding_.plan().steps()->Get(i);
  const plan::Product* product = binding_.plan().kernels()->Get(steps_[i].chosen->kernel())->product();
  if (!product || !model_.library()) return;
  const auto buffer = static_cast<std::uint32_t>(from.workspace());
  const CublasWorkspace workspace{pointers_[buffer], static_cast<std::size_t>(binding_.buffer_bytes(buffer))};
  steps_[i].product = CublasProduct::prepare(*model_.library(), *product, from, binding_, steps_[i].pointers, workspace, binding_.model().step_name(i));
}

void CudaExecutor::stage_inputs() {
  const plan::Plan& plan = binding_.plan();
  for (std::uint32_t i = 0; i < plan.inputs()->size(); ++i) {
    const intaglio_tensor& input = binding_.input(i);
    if (input.data) copy_to_dense(input, static_cast<char*>(pinned_) + port_offsets_[plan.inputs()->Get(i)->buffer()]);
  }
  if (outputs_at_ > 0)
    check(driver().copy_to_device_async(memory_.data(), pinned_, static_cast<std::size_t>(outputs_at_), stream_),
          "the inputs cannot be copied to the GPU");
}

void CudaExecutor::launch_step(std::uint32_t i, bool early) {
  const plan::Step& from = *binding_.plan().steps()->Get(i);
  Step& step = steps_[i];
  if (!step.chosen) {
    const auto bytes = static_cast<std::size_t>(binding_.buffer_bytes(from.buffers()->Get(1)));
    if (bytes > 0)
      check(driver().copy_on_device_async(step.pointers[1], step.pointers[0], bytes, stream_), "a tensor cannot be copied on the GPU");
    return;
  }
  if (step.tasks <= 0) return;
  if (step.product) {
    const CublasStatus status = step.product->start(stream_);
    if (status == 0) return;
    throw CompileError(ErrorCode::environment, Diagnostic{binding_.model().step_name(i), fmt::format("cuBLASLt fails with status {}", status), "", "",
                                                          "compile without --enable-tactic cublaslt"});
  }
  const LoadedKernel& kernel = model_.kernel(step.chosen->kernel());
  CUlaunchAttribute attribute{kProgrammaticStreamSerialization, {1}};
  const CUlaunchConfig config{static_cast<unsigned>(step.tasks), 1,       1,      kernel.block_threads, 1, 1, kernel.shared_bytes, stream_, &attribute,
                              early && kernel.overlaps ? 1u : 0u};
  const CUresult result = driver().launch(&config, kernel.function, step.parameters.data(), nullptr);
  if (result != 0) check(result, fmt::format("{} cannot be started", binding_.model().step_name(i)));
}

void CudaExecutor::launch_steps() {
  for (std::uint32_t i = 0; i < steps_.size(); ++i) launch_step(i, true);
}

/// Each step alone, with the time in between.
void CudaExecutor::launch_profiled(unsigned event_flags) {
  const auto record = [&](std::size_t event) {
    check(driver().event_record_with_flags(events_[event], stream_, event_flags), "a profile cannot be taken");
  };
  record(first_step);
  for (std::uint32_t i = 0; i < steps_.size(); ++i) {
    launch_step(i, false);
    record(first_step + 1 + i);
  }
}

template <typename F>
CUgraphExec CudaExecutor::capture(F launch) {
  CUgraph graph = nullptr;
  CUgraphExec executable = nullptr;
  check(driver().capture_begin(stream_, kCaptureThreadLocal), "a CUDA graph cannot be captured");
  try {
    launch();
  } catch (...) {
    driver().capture_end(stream_, &graph);
    if (graph) driver().graph_destroy(graph);
    throw;
  }
  check(driver().capture_end(stream_, &graph), "a CUDA graph cannot be captured");
  const CUresult result = driver().graph_instantiate(&executable, graph, 0);
  driver().graph_destroy(graph);
  check(result, "a CUDA graph cannot be made");
  return executable;
}

void CudaExecutor::start(intaglio_tensor* outputs, bool profile) {
  const double started = now_us();
  const CurrentContext current(model_.context());
  outputs_ = outputs;
  profiling_ = profile;
  if (!placed_) place_buffers();
  check(driver().event_record(events_[began], stream_), "a run cannot be started");
  stage_inputs();
  // The same shapes again: a graph.
  const auto cached = std::ranges::find(graphs_, binding_.symbols(), &CachedGraph::symbols);
  const bool seen = cached != graphs_.end();
  if (seen) {
    graphs_.splice(graphs_.begin(), graphs_, cached);
    // Started one by one, small kernels would end before the next one arrives.
    if (profile) profiled_graph_ = capture([&] { launch_profiled(kEventRecordExternal); });
    if (!graphs_.front().graph && !profile) graphs_.front().graph = capture([&] { launch_steps(); });
  } else {
    graphs_.push_front({binding_.symbols(), nullptr});
    if (graphs_.size() > kMostGraphs) {
      if (graphs_.back().graph) driver().graph_exec_destroy(graphs_.back().graph);
      graphs_.pop_back();
    }
  }
  check(driver().event_record(events_[inputs_there], stream_), "a run cannot be started");
  if (profiled_graph_) {
    check(driver().graph_launch(profiled_graph_, stream_), "a CUDA graph cannot be started");
  } else if (profile) {
    launch_profiled(0);
  } else if (graphs_.front().graph) {
    check(driver().graph_launch(graphs_.front().graph, stream_), "a CUDA graph cannot be started");
  } else {
    launch_steps();
  }
  check(driver().event_record(events_[steps_done], stream_), "a run cannot be started");
  const auto back = static_cast<std::size_t>(arena_at_ - outputs_at_);
  check(driver().copy_to_host_async(static_cast<char*>(pinned_) + outputs_at_, memory_.data() + static_cast<CUdeviceptr>(outputs_at_), back,
                                    stream_),
        "the outputs cannot be copied from the GPU");
  check(driver().event_record(events_[outputs_there], stream_), "a run cannot be started");
  run_times_.enqueue_us = now_us() - started;
}

void CudaExecutor::finish() {
  const CurrentContext current(model_.context());
  const CUresult result = driver().stream_synchronize(stream_);
  if (profiled_graph_) driver().graph_exec_destroy(std::exchange(profiled_graph_, nullptr));
  check(result, "the run failed on the GPU");
  run_times_.h2d_us = elapsed_us(events_[began], events_[inputs_there]);
  run_times_.compute_us = elapsed_us(events_[inputs_there], events_[steps_done]);
  run_times_.d2h_us = elapsed_us(events_[steps_done], events_[outputs_there]);
  step_times_.clear();
  if (profiling_) read_profile();
  check_statuses();
  deliver_outputs();
}

void CudaExecutor::read_profile() {
  const plan::Plan& plan = binding_.plan();
  step_times_.push_back({0, UINT32_MAX, "copy inputs to the GPU", 0, run_times_.h2d_us, 1, 1});
  CUevent before = events_[first_step];
  for (std::uint32_t i = 0; i < steps_.size(); ++i) {
    const plan::Step& from = *plan.steps()->Get(i);
    const CUevent after = events_[first_step + 1 + i];
    const plan::Alternative* chosen = steps_[i].chosen;
    const char* name = !chosen ? "copy" : steps_[i].product ? "cublaslt" : plan.kernels()->Get(chosen->kernel())->name()->c_str();
    const auto threads = !chosen || steps_[i].product ? 1 : static_cast<std::int32_t>(model_.kernel(chosen->kernel()).block_threads);
    step_times_.push_back({i, from.layer(), name, elapsed_us(events_[began], before), elapsed_us(before, after), steps_[i].tasks, threads});
    before = after;
  }
  step_times_.push_back(
      {0, UINT32_MAX, "copy outputs from the GPU", elapsed_us(events_[began], events_[steps_done]), run_times_.d2h_us, 1, 1});
}

void CudaExecutor::check_statuses() {
  const auto* statuses = reinterpret_cast<const IntaglioKernelStatus*>(static_cast<const char*>(pinned_) + statuses_at_);
  for (std::uint32_t i = 0; i < steps_.size(); ++i) {
    if (statuses[i].code == INTAGLIO_KERNEL_OK) continue;
    const IntaglioKernelStatus status = statuses[i];
    placed_ = false;  // placing clears what was written
    throw_kernel_failure(status, binding_.model().step_name(i));
  }
}

void CudaExecutor::deliver_outputs() {
  const plan::Plan& plan = binding_.plan();
  for (std::uint32_t i = 0; i < plan.outputs()->size(); ++i) {
    char* result = static_cast<char*>(pinned_) + port_offsets_[plan.outputs()->Get(i)->buffer()];
    if (outputs_[i].data) {
      copy_from_dense(result, outputs_[i]);
    } else {
      binding_.describe_output(i, result, outputs_[i]);
    }
  }
}

void CudaExecutor::repeat_step(std::uint32_t step) {
  const CurrentContext current(model_.context());
  launch_step(step, true);
  check(driver().stream_synchronize(stream_), "the run failed on the GPU");
}

}  // namespace intaglio::runtime::cuda
