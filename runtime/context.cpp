// Binding: inputs are checked, symbols get values, buffers get places, steps get their arguments.

#include "runtime/context.h"

#include <fmt/ranges.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <new>

#include "intaglio/tensor.h"
#include "runtime/dim_program.h"
#include "support/arena_layout.h"
#include "support/diagnostics.h"

namespace intaglio::runtime {
namespace {

/// Dimensions and sizes beyond this are no shapes: products of them would overflow.
constexpr std::int64_t kMostBytes = std::int64_t{1} << 46;

std::span<const std::int64_t> code(const plan::Dim& dim) { return {dim.code()->data(), dim.code()->size()}; }

[[noreturn]] void invalid(std::string message, std::string expected = {}, std::string got = {}, std::string help = {}) {
  throw CompileError(ErrorCode::invalid, Diagnostic{"", std::move(message), std::move(expected), std::move(got), std::move(help)});
}

/// The index of the symbol that a dimension is, if it is nothing else (its program: once the symbol, times 1); -1 otherwise.
int lone_symbol(std::span<const std::int64_t> program) {
  if (program.size() == 6 && program[0] == 0 && program[1] == 1 && program[2] == 1 && program[4] == 3) return static_cast<int>(program[3]);
  return -1;
}

}  // namespace

std::string type_text(const intaglio_tensor& tensor) {
  if (tensor.rank < 0 || tensor.rank > INTAGLIO_MAX_RANK) return fmt::format("rank {}", tensor.rank);
  const bool known = tensor.dtype >= 0 && tensor.dtype <= static_cast<int>(DType::i2);
  return fmt::format("{}[{}]", known ? std::string(dtype_name(static_cast<DType>(tensor.dtype))) : fmt::format("dtype {}", tensor.dtype), fmt::join(tensor.shape, tensor.shape + tensor.rank, ","));
}

Memory::~Memory() {
  if (data_) munmap(data_, static_cast<std::size_t>(size_));
}

char* Memory::reserve(std::int64_t bytes) {
  if (bytes <= size_) return static_cast<char*>(data_);
  constexpr std::int64_t kPage = 1 << 12, kHugePage = 1 << 21;
  const std::int64_t unit = bytes >= kHugePage ? kHugePage : kPage;
  const std::int64_t rounded = (bytes + unit - 1) / unit * unit;
  void* grown = mmap(nullptr, static_cast<std::size_t>(rounded), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (grown == MAP_FAILED) throw std::bad_alloc();
  if (unit == kHugePage) madvise(grown, static_cast<std::size_t>(rounded), MADV_HUGEPAGE);
  if (data_) munmap(data_, static_cast<std::size_t>(size_));
  data_ = grown;
  size_ = rounded;
  return static_cast<char*>(data_);
}

Context::Context(std::shared_ptr<const Model> model, int threads) : model_(std::move(model)), threads_(threads) {
  if (threads_ > INTAGLIO_MAX_THREADS) invalid("a run cannot use that many threads", fmt::format("at most {}", INTAGLIO_MAX_THREADS), std::to_string(threads_));
  if (threads_ <= 0) threads_ = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  ThreadPool::instance().reserve(threads_);
  const plan::Plan& plan = model_->plan();
  symbols_.assign(plan.symbols()->size(), -1);
  input_staging_ = std::vector<Staging>(plan.inputs()->size());
  output_staging_ = std::vector<Staging>(plan.outputs()->size());
  inputs_.resize(plan.inputs()->size());
  input_strides_.resize(plan.inputs()->size());
  output_shapes_.resize(plan.outputs()->size());
  pointers_.assign(plan.buffers()->size(), nullptr);
  buffer_bytes_.assign(plan.buffers()->size(), 0);
  steps_.resize(plan.steps()->size());
  times_.reserve(plan.steps()->size() + plan.inputs()->size() + plan.outputs()->size());
  for (std::size_t i = 0; i < input_staging_.size(); ++i) input_staging_[i].label = fmt::format("copy input '{}' (not aligned, or strided)", model_->inputs()[i].name);
  for (std::size_t i = 0; i < output_staging_.size(); ++i) output_staging_[i].label = fmt::format("copy output '{}' (not aligned, or strided)", model_->outputs()[i].name);
}

std::int64_t Context::evaluate(const plan::Dim& dim) const { return evaluate_dim(code(dim), symbols_); }

void Context::check_inputs(const intaglio_tensor* inputs, int count) const {
  const auto& ports = model_->inputs();
  if (count != static_cast<int>(ports.size())) invalid("the number of inputs is wrong", std::to_string(ports.size()), std::to_string(count));
  for (int i = 0; i < count; ++i) {
    const Port& port = ports[static_cast<std::size_t>(i)];
    const intaglio_tensor& given = inputs[i];
    const bool rank_fits = given.rank >= 0 && given.rank <= INTAGLIO_MAX_RANK && given.rank == port.c.rank;
    bool fits = rank_fits && given.dtype == port.c.dtype;
    bool empty = false;
    for (int d = 0; rank_fits && d < given.rank; ++d) {
      fits = fits && given.shape[d] >= 0 && given.shape[d] < kMostBytes && (port.c.shape[d] < 0 || port.c.shape[d] == given.shape[d]);
      empty = empty || given.shape[d] == 0;
    }
    if (!fits) {
      const bool same_dtype = given.dtype == port.c.dtype;
      invalid(fmt::format("input '{}' has the wrong {}", port.name, same_dtype ? "shape" : "dtype"), port.text, type_text(given),
              same_dtype ? "reshape the data, or compile with other --shapes" : "convert the data");
    }
    if (!given.data && !empty) invalid(fmt::format("input '{}' has no data", port.name));
  }
}

void Context::bind_symbols(const intaglio_tensor* inputs) {
  const plan::Plan& plan = model_->plan();
  std::ranges::fill(symbols_, -1);
  for (std::uint32_t i = 0; i < plan.inputs()->size(); ++i) {
    const plan::Port& port = *plan.inputs()->Get(i);
    for (std::uint32_t d = 0; d < port.shape()->size(); ++d) {
      const int symbol = lone_symbol(code(*port.shape()->Get(d)));
      if (symbol >= 0 && symbols_[static_cast<std::size_t>(symbol)] < 0) symbols_[static_cast<std::size_t>(symbol)] = inputs[i].shape[d];
    }
  }
  for (std::uint32_t i = 0; i < plan.inputs()->size(); ++i) {
    const plan::Port& port = *plan.inputs()->Get(i);
    for (std::uint32_t d = 0; d < port.shape()->size(); ++d) {
      const std::int64_t expected = evaluate(*port.shape()->Get(d));
      if (expected == inputs[i].shape[d]) continue;
      invalid(fmt::format("dimension {} of input '{}' does not fit the other dimensions of its name", d, port.name()->str()), fmt::format("{} = {}", model_->inputs()[i].text, expected),
              type_text(inputs[i]), "all dimensions of one name have one extent");
    }
  }
  for (const auto* equation : *plan.equations()) {
    const std::int64_t left = evaluate(*equation->left()), right = evaluate(*equation->right());
    if (left != right) invalid(equation->reason()->str(), std::to_string(right), std::to_string(left), "the shapes of the inputs do not fit each other");
  }
}

void Context::bind(const intaglio_tensor* inputs, int count) {
  check_inputs(inputs, count);
  bool same_shapes = bound_;
  for (int i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i);
    same_shapes = same_shapes && std::equal(inputs[i].shape, inputs[i].shape + inputs[i].rank, inputs_[at].shape);
    inputs_[at] = inputs[i];
    // The caller's array of strides need not outlive this call.
    if (inputs[i].strides) {
      input_strides_[at].assign(inputs[i].strides, inputs[i].strides + inputs[i].rank);
      inputs_[at].strides = input_strides_[at].data();
    }
  }
  if (same_shapes) return;
  bound_ = placed_ = false;
  bind_symbols(inputs);
  const plan::Plan& plan = model_->plan();
  for (std::uint32_t i = 0; i < plan.buffers()->size(); ++i) {
    buffer_bytes_[i] = evaluate(*plan.buffers()->Get(i)->bytes());
    if (buffer_bytes_[i] < 0 || buffer_bytes_[i] > kMostBytes) invalid("the shapes of the inputs make a tensor of impossible size", "", fmt::format("{} bytes", buffer_bytes_[i]));
  }
  for (std::uint32_t i = 0; i < plan.outputs()->size(); ++i) {
    output_shapes_[i].clear();
    for (const auto* dim : *plan.outputs()->Get(i)->shape()) output_shapes_[i].push_back(evaluate(*dim));
  }
  bound_ = true;
}

const std::vector<std::int64_t>& Context::output_shape(int index) const {
  if (!bound_) invalid("no inputs are bound", "intaglio_bind before this call");
  if (index < 0 || index >= static_cast<int>(output_shapes_.size())) invalid("there is no such output", "", std::to_string(index));
  return output_shapes_[static_cast<std::size_t>(index)];
}

void Context::lay_out_arena_now(std::vector<std::int64_t>& offsets, std::int64_t& bytes) const {
  const plan::Plan& plan = model_->plan();
  std::vector<ArenaRequest> requests;
  std::vector<std::uint32_t> placed;
  for (std::uint32_t i = 0; i < plan.buffers()->size(); ++i) {
    const plan::Buffer& buffer = *plan.buffers()->Get(i);
    if (buffer.place() != plan::Place::arena) continue;
    requests.push_back({buffer_bytes_[i], buffer.first_step(), buffer.last_step()});
    placed.push_back(i);
  }
  // A plan's own offsets are not trusted: laying out a few hundred buffers again costs less than checking them.
  const ArenaLayout layout = lay_out_arena(requests);
  for (std::size_t i = 0; i < placed.size(); ++i) offsets[placed[i]] = layout.offsets[i];
  bytes = layout.bytes;
}

void Context::place_buffers() {
  const plan::Plan& plan = model_->plan();
  std::vector<std::int64_t> offsets(plan.buffers()->size(), 0);
  std::int64_t arena_bytes = 0;
  lay_out_arena_now(offsets, arena_bytes);
  char* arena = arena_.reserve(std::max<std::int64_t>(arena_bytes, 1));
  for (std::uint32_t i = 0; i < plan.buffers()->size(); ++i) {
    const plan::Buffer& buffer = *plan.buffers()->Get(i);
    if (buffer.place() == plan::Place::arena) pointers_[i] = arena + offsets[i];
    if (buffer.place() == plan::Place::weights) pointers_[i] = const_cast<char*>(reinterpret_cast<const char*>(model_->weights())) + buffer.offset();
  }
  prepare_steps();
  placed_ = true;
}

void Context::prepare_steps() {
  const plan::Plan& plan = model_->plan();
  std::int64_t scratch_bytes = 0;
  for (std::uint32_t i = 0; i < plan.steps()->size(); ++i) {
    const plan::Step& from = *plan.steps()->Get(i);
    Step& step = steps_[i];
    step.tasks = evaluate(*from.tasks());
    step.nanoseconds = evaluate(*from.work());
    step.pointers.assign(from.buffers()->size(), nullptr);
    step.symbols.clear();
    if (from.symbols()) {
      for (std::uint32_t s : *from.symbols()) step.symbols.push_back(symbols_[s]);
    }
    const std::int64_t bytes = evaluate(*from.scratch_bytes());
    if (bytes < 0 || bytes > kMostBytes) invalid("the shapes of the inputs need an impossible amount of memory", "", fmt::format("{} bytes", bytes));
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

std::int64_t Context::bytes() const {
  std::int64_t total = arena_.size() + scratch_.size();
  for (const Staging& staging : input_staging_) total += staging.memory.size();
  for (const Staging& staging : output_staging_) total += staging.memory.size();
  return total;
}

}  // namespace intaglio::runtime
