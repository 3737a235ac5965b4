// See binding.h.

#include "runtime/binding.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "intaglio/tensor.h"
#include "runtime/dim_program.h"
#include "runtime/tensor_copy.h"
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

Binding::Binding(std::shared_ptr<const Model> model) : model_(std::move(model)) {
  symbols_.assign(plan().symbols()->size(), -1);
  inputs_.resize(plan().inputs()->size());
  input_strides_.resize(plan().inputs()->size());
  output_shapes_.resize(plan().outputs()->size());
  buffer_bytes_.assign(plan().buffers()->size(), 0);
}

std::int64_t Binding::evaluate(const plan::Dim& dim) const { return evaluate_dim(code(dim), symbols_); }

std::int64_t Binding::evaluate_bytes(const plan::Dim& dim) const {
  const std::int64_t bytes = evaluate(dim);
  if (bytes < 0 || bytes > kMostBytes)
    invalid("the shapes of the inputs need an impossible amount of memory", "", fmt::format("{} bytes", bytes));
  return bytes;
}

const plan::Alternative& Binding::choose(const plan::Step& step) const {
  const std::int64_t size = evaluate(*step.size());
  const auto& alternatives = *step.alternatives();
  return **std::find_if(alternatives.begin(), alternatives.end(), [&](const auto* alternative) { return size <= alternative->up_to(); });
}

void Binding::check_inputs(const intaglio_tensor* inputs, int count) const {
  const auto& ports = model_->inputs();
  if (count != static_cast<int>(ports.size()))
    invalid("the number of inputs is wrong", std::to_string(ports.size()), std::to_string(count));
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

void Binding::bind_symbols(const intaglio_tensor* inputs) {
  std::ranges::fill(symbols_, -1);
  for (std::uint32_t i = 0; i < plan().inputs()->size(); ++i) {
    const plan::Port& port = *plan().inputs()->Get(i);
    for (std::uint32_t d = 0; d < port.shape()->size(); ++d) {
      const int symbol = lone_symbol(code(*port.shape()->Get(d)));
      if (symbol >= 0 && symbols_[static_cast<std::size_t>(symbol)] < 0) symbols_[static_cast<std::size_t>(symbol)] = inputs[i].shape[d];
    }
  }
  for (std::uint32_t i = 0; i < plan().inputs()->size(); ++i) {
    const plan::Port& port = *plan().inputs()->Get(i);
    for (std::uint32_t d = 0; d < port.shape()->size(); ++d) {
      const std::int64_t expected = evaluate(*port.shape()->Get(d));
      if (expected == inputs[i].shape[d]) continue;
      invalid(fmt::format("dimension {} of input '{}' does not fit the other dimensions of its name", d, port.name()->str()),
              fmt::format("{} = {}", model_->inputs()[i].text, expected), type_text(inputs[i]),
              "all dimensions of one name have one extent");
    }
  }
  for (const auto* equation : *plan().equations()) {
    const std::int64_t left = evaluate(*equation->left()), right = evaluate(*equation->right());
    if (left != right)
      invalid(equation->reason()->str(), std::to_string(right), std::to_string(left), "the shapes of the inputs do not fit each other");
  }
}

bool Binding::bind(const intaglio_tensor* inputs, int count) {
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
  if (same_shapes) return false;
  bound_ = false;
  bind_symbols(inputs);
  for (std::uint32_t i = 0; i < plan().buffers()->size(); ++i) buffer_bytes_[i] = evaluate_bytes(*plan().buffers()->Get(i)->bytes());
  for (std::uint32_t i = 0; i < plan().outputs()->size(); ++i) {
    output_shapes_[i].clear();
    for (const auto* dim : *plan().outputs()->Get(i)->shape()) output_shapes_[i].push_back(evaluate(*dim));
  }
  bound_ = true;
  return true;
}

const std::vector<std::int64_t>& Binding::output_shape(int index) const {
  if (!bound_) invalid("no inputs are bound", "intaglio_bind before this call");
  if (index < 0 || index >= static_cast<int>(output_shapes_.size())) invalid("there is no such output", "", std::to_string(index));
  return output_shapes_[static_cast<std::size_t>(index)];
}

Binding::Arena Binding::lay_out_arena() const {
  std::vector<ArenaRequest> requests;
  std::vector<std::uint32_t> placed;
  for (std::uint32_t i = 0; i < plan().buffers()->size(); ++i) {
    const plan::Buffer& buffer = *plan().buffers()->Get(i);
    if (buffer.place() != plan::Place::arena) continue;
    requests.push_back({buffer_bytes_[i], buffer.first_step(), buffer.last_step()});
    placed.push_back(i);
  }
  // A plan's own offsets are not trusted: laying out a few hundred buffers again costs less than checking them.
  const ArenaLayout layout = intaglio::lay_out_arena(requests);
  Arena arena{std::vector<std::int64_t>(plan().buffers()->size(), 0), layout.bytes};
  for (std::size_t i = 0; i < placed.size(); ++i) arena.offsets[placed[i]] = layout.offsets[i];
  return arena;
}

void Binding::check_outputs(const intaglio_tensor* outputs, int count) const {
  if (!bound_) invalid("no inputs are bound", "intaglio_bind before intaglio_run");
  if (count != static_cast<int>(output_shapes_.size()))
    invalid("the number of outputs is wrong", std::to_string(output_shapes_.size()), std::to_string(count));
  for (std::uint32_t i = 0; i < output_shapes_.size(); ++i) {
    const intaglio_tensor& output = outputs[i];
    if (!output.data) continue;
    const Port& port = model_->outputs()[i];
    const bool fits = output.dtype == port.c.dtype && output.rank == port.c.rank &&
                      std::equal(output_shapes_[i].begin(), output_shapes_[i].end(), output.shape);
    if (fits) continue;
    invalid(fmt::format("the memory for output '{}' is of another type", port.name),
            fmt::format("{}[{}]", dtype_name(static_cast<DType>(port.c.dtype)), fmt::join(output_shapes_[i], ",")), type_text(output));
  }
}

void Binding::describe_output(std::uint32_t index, void* data, intaglio_tensor& output) const {
  const Port& port = model_->outputs()[index];
  output.data = data;
  output.dtype = port.c.dtype;
  output.rank = port.c.rank;
  output.strides = nullptr;
  std::copy(output_shapes_[index].begin(), output_shapes_[index].end(), output.shape);
}

}  // namespace intaglio::runtime
