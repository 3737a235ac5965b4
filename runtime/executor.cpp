// Running: inputs in place or staged, steps in order, outputs delivered.

#include <fmt/ranges.h>

#include <chrono>
#include <cstring>

#include "intaglio/tensor.h"
#include "runtime/context.h"
#include "support/diagnostics.h"

namespace intaglio::runtime {
namespace {

/// A step that takes less than this on one thread is not worth waking others.
constexpr std::int64_t kWorthSharing = 8000;  // ns

std::size_t element_bytes(int dtype) { return static_cast<std::size_t>(dtype_bits(static_cast<DType>(dtype)) / 8); }

bool is_aligned(const void* data) { return reinterpret_cast<std::uintptr_t>(data) % INTAGLIO_ALIGNMENT == 0; }

bool is_dense(const intaglio_tensor& tensor) {
  if (!tensor.strides) return true;
  std::int64_t expected = 1;
  for (int d = tensor.rank - 1; d >= 0; --d) {
    if (tensor.shape[d] != 1 && tensor.strides[d] != expected) return false;
    expected *= tensor.shape[d];
  }
  return true;
}

/// Copies between dense memory and a tensor with strides.
void copy_elements(const intaglio_tensor& tensor, char* dense, bool to_dense) {
  const std::size_t size = element_bytes(tensor.dtype);
  std::int64_t count = 1;
  for (int d = 0; d < tensor.rank; ++d) count *= tensor.shape[d];
  auto* data = static_cast<char*>(tensor.data);
  const auto move = [&](char* there, char* here, std::size_t bytes) { to_dense ? std::memcpy(here, there, bytes) : std::memcpy(there, here, bytes); };
  if (is_dense(tensor)) return move(data, dense, static_cast<std::size_t>(count) * size);
  std::int64_t index[INTAGLIO_MAX_RANK] = {};
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t offset = 0;
    for (int d = 0; d < tensor.rank; ++d) offset += index[d] * tensor.strides[d];
    move(data + offset * static_cast<std::int64_t>(size), dense + i * static_cast<std::int64_t>(size), size);
    for (int d = tensor.rank - 1; d >= 0 && ++index[d] == tensor.shape[d]; --d) index[d] = 0;
  }
}

}  // namespace

double Context::now_us() const {
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Context::stage_inputs(bool profile) {
  const plan::Plan& plan = model_->plan();
  for (std::uint32_t i = 0; i < plan.inputs()->size(); ++i) {
    const intaglio_tensor& input = inputs_[i];
    const std::uint32_t buffer = plan.inputs()->Get(i)->buffer();
    if (is_aligned(input.data) && is_dense(input) && input.data) {
      pointers_[buffer] = static_cast<char*>(input.data);
      continue;
    }
    const double began = now_us();
    pointers_[buffer] = input_staging_[i].memory.reserve(std::max<std::int64_t>(buffer_bytes_[buffer], 1));
    if (input.data) copy_elements(input, pointers_[buffer], true);
    if (profile) times_.push_back({0, UINT32_MAX, input_staging_[i].label.c_str(), began - run_began_us_, now_us() - began, 1, 1});
  }
}

void Context::place_outputs(intaglio_tensor* outputs, int count) {
  const plan::Plan& plan = model_->plan();
  if (count != static_cast<int>(plan.outputs()->size())) {
    throw CompileError(ErrorCode::invalid, Diagnostic{"", "the number of outputs is wrong", std::to_string(plan.outputs()->size()), std::to_string(count)});
  }
  for (std::uint32_t i = 0; i < plan.outputs()->size(); ++i) {
    intaglio_tensor& output = outputs[i];
    const Port& port = model_->outputs()[i];
    const std::uint32_t buffer = plan.outputs()->Get(i)->buffer();
    Staging& staging = output_staging_[i];
    if (output.data) {
      const bool fits = output.dtype == port.c.dtype && output.rank == port.c.rank && std::equal(output_shapes_[i].begin(), output_shapes_[i].end(), output.shape);
      if (!fits) {
        throw CompileError(ErrorCode::invalid, Diagnostic{"", fmt::format("the memory for output '{}' is of another type", port.name),
                                                          fmt::format("{}[{}]", dtype_name(static_cast<DType>(port.c.dtype)), fmt::join(output_shapes_[i], ",")), type_text(output)});
      }
    }
    staging.used = !output.data || !is_aligned(output.data) || !is_dense(output);
    pointers_[buffer] = staging.used ? staging.memory.reserve(std::max<std::int64_t>(buffer_bytes_[buffer], 1)) : static_cast<char*>(output.data);
  }
}

void Context::deliver_outputs(intaglio_tensor* outputs, bool profile) {
  const plan::Plan& plan = model_->plan();
  for (std::uint32_t i = 0; i < plan.outputs()->size(); ++i) {
    if (!output_staging_[i].used) continue;
    intaglio_tensor& output = outputs[i];
    char* result = pointers_[plan.outputs()->Get(i)->buffer()];
    if (output.data) {
      const double began = now_us();
      copy_elements(output, result, false);
      if (profile) times_.push_back({0, UINT32_MAX, output_staging_[i].label.c_str(), began - run_began_us_, now_us() - began, 1, 1});
      continue;
    }
    output.data = result;
    output.dtype = model_->outputs()[i].c.dtype;
    output.rank = model_->outputs()[i].c.rank;
    output.strides = nullptr;
    std::copy(output_shapes_[i].begin(), output_shapes_[i].end(), output.shape);
  }
}

void Context::run(intaglio_tensor* outputs, int count, bool profile) {
  if (!bound_) throw CompileError(ErrorCode::invalid, Diagnostic{"", "no inputs are bound", "intaglio_bind before intaglio_run"});
  times_.clear();
  run_began_us_ = now_us();
  if (!placed_) place_buffers();
  place_outputs(outputs, count);
  stage_inputs(profile);
  run_steps(profile);
  deliver_outputs(outputs, profile);
}

/// Runs a step whose buffers have their places; the number of threads that took part.
int Context::run_step(std::uint32_t i) {
  const plan::Step& from = *model_->plan().steps()->Get(i);
  Step& step = steps_[i];
  if (from.kind() == plan::StepKind::copy) {
    std::memcpy(step.pointers[1], step.pointers[0], static_cast<std::size_t>(buffer_bytes_[from.buffers()->Get(1)]));
    return 1;
  }
  if (step.tasks <= 0) return 1;
  struct Call {
    IntaglioKernel kernel;
    const IntaglioKernelArgs* args;
  } call{model_->kernels()[from.kernel()], &step.args};
  const ThreadPool::Job job{[](void* context, std::int64_t begin, std::int64_t end, std::int32_t worker) {
                              const Call& c = *static_cast<const Call*>(context);
                              return c.kernel(c.args, begin, end, worker);
                            },
                            &call};
  int threads = 1;
  if (ThreadPool::instance().run(job, step.tasks, step.nanoseconds < kWorthSharing ? 1 : threads_, &threads) != INTAGLIO_KERNEL_OK) fail_step(i);
  return threads;
}

void Context::run_steps(bool profile) {
  const plan::Plan& plan = model_->plan();
  for (std::uint32_t i = 0; i < plan.steps()->size(); ++i) {
    const plan::Step& from = *plan.steps()->Get(i);
    for (std::uint32_t b = 0; b < from.buffers()->size(); ++b) steps_[i].pointers[b] = pointers_[from.buffers()->Get(b)];
    const double began = profile ? now_us() : 0;
    const int threads = run_step(i);
    if (!profile) continue;
    const char* name = from.kind() == plan::StepKind::copy ? "copy" : plan.kernels()->Get(from.kernel())->name()->c_str();
    times_.push_back({i, from.layer(), name, began - run_began_us_, now_us() - began, steps_[i].tasks, threads});
  }
}

void Context::fail_step(std::uint32_t step) const {
  const IntaglioKernelStatus status = status_;
  const std::string name = model_->step_name(step);
  if (status.code == INTAGLIO_KERNEL_INDEX_OUT_OF_RANGE) {
    // An index that counts from the end is checked with the extent added.
    const std::int64_t index = status.value < 0 ? status.value - status.high : status.value;
    throw CompileError(ErrorCode::invalid, Diagnostic{name, "an index in the data is out of range", fmt::format("-{} <= index < {}", status.high, status.high), std::to_string(index),
                                                      "check the values of the model's inputs"});
  }
  throw InternalError(fmt::format("{}: generated code would have accessed element {} of buffer {}, which has {}", name, status.value, status.low, status.high));
}

}  // namespace intaglio::runtime
