// See activations.h.
#include "driver/activations.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "codegen/codegen.h"
#include "driver/npy.h"
#include "driver/stages.h"
#include "intaglio/runtime.hpp"
#include "support/diagnostics.h"
#include "support/temporary_folder.h"

namespace intaglio {
namespace {

/// What the watched values of one run may take.
constexpr std::int64_t kRunBytes = std::int64_t{128} << 20;
constexpr std::int64_t kMostSamples = 16;

/// Which inputs hold samples along their first axis, and how many a run takes.
class SampleAxis {
 public:
  explicit SampleAxis(const Graph& graph) : is_symbolic_(std::ranges::any_of(graph.arguments(), has_symbolic_extent, &std::unique_ptr<Value>::get)) {
    if (is_symbolic_) return;
    const auto first = std::ranges::find_if(graph.arguments(), [](const auto& input) { return input->type.rank() > 0; });
    if (first != graph.arguments().end()) extent_ = (*first)->type.shape[0].value();
  }

  /// Inputs with another first extent (a scalar, weights, a table) are the same for all samples.
  bool holds_samples(const Value& input) const { return is_symbolic_ ? has_symbolic_extent(&input) : input.type.rank() > 0 && input.type.shape[0] == Dim(extent_); }
  /// How many samples the model takes; nothing if it takes any number.
  std::optional<std::int64_t> extent() const { return is_symbolic_ ? std::nullopt : std::optional(extent_); }

 private:
  static bool has_symbolic_extent(const Value* input) { return input->type.rank() > 0 && !input->type.shape[0].is_constant(); }

  bool is_symbolic_;
  std::int64_t extent_ = 0;
};

[[noreturn]] void misfit(const std::string& path, const std::string& message, const std::string& expected, const std::string& got) {
  throw CompileError(ErrorCode::invalid, Diagnostic{path, message, expected, got, "--calibrate reads one array for each input, samples along the first axis"});
}

void check_array(const std::string& path, const Value& input, const Tensor& array, bool holds_samples) {
  const Shape& shape = input.type.shape;
  bool fits = array.rank() == input.type.rank() && array.dtype() == input.type.dtype;
  for (std::size_t d = holds_samples ? 1 : 0; fits && d < shape.size(); ++d) fits = !shape[d].is_constant() || shape[d].value() == array.shape()[d];
  if (!fits) misfit(path, fmt::format("the samples of input '{}' do not fit the model", input.name), to_text(input.type), fmt::format("{}[{}]", dtype_name(array.dtype()), fmt::join(array.shape(), ",")));
}

std::string names_in(const std::map<std::string, Tensor>& arrays) {
  if (arrays.empty()) return "no arrays";
  std::string names;
  for (const auto& [name, array] : arrays) names += (names.empty() ? "arrays " : ", ") + name;
  return names;
}

Samples samples_in(const std::string& path, const Graph& graph) {
  const SampleAxis axis(graph);
  auto arrays = read_npz(path);
  Samples samples;
  std::optional<std::int64_t> count;
  for (const auto& input : graph.arguments()) {
    const auto found = arrays.find(input->name);
    if (found == arrays.end()) misfit(path, fmt::format("there are no samples of input '{}'", input->name), to_text(input->type), names_in(arrays));
    const Tensor& array = found->second;
    check_array(path, *input, array, axis.holds_samples(*input));
    samples.inputs.push_back({array, axis.holds_samples(*input)});
    if (!axis.holds_samples(*input)) continue;
    if (count.value_or(array.shape()[0]) != array.shape()[0]) misfit(path, "the inputs have different numbers of samples", std::to_string(*count), std::to_string(array.shape()[0]));
    count = array.shape()[0];
  }
  samples.count = count.value_or(0);
  return samples;
}

/// The samples [first, first + count) without a copy.
Tensor part(const Tensor& samples, std::int64_t first, std::int64_t count) {
  Extents shape = samples.shape();
  const auto each = static_cast<std::int64_t>(samples.bytes()) / shape[0];
  shape[0] = count;
  // The tensor that is shared keeps the memory.
  return Tensor(samples.dtype(), shape, std::make_shared<Tensor>(samples), static_cast<const char*>(samples.data()) + first * each);
}

std::map<std::string, Value*> values_by_name(const Graph& graph) {
  std::map<std::string, Value*> values;
  for (const auto& argument : graph.arguments()) values[argument->name] = argument.get();
  for (const Node* node : graph.nodes()) {
    for (int i = 0; i < node->result_count(); ++i) values[node->result(i)->name] = node->result(i);
  }
  return values;
}

std::vector<intaglio_tensor> views(const std::vector<Tensor>& tensors) {
  std::vector<intaglio_tensor> result;
  for (const Tensor& tensor : tensors) {
    intaglio_tensor view = {};
    view.data = const_cast<void*>(tensor.data());
    view.dtype = static_cast<int>(tensor.dtype());
    view.rank = tensor.rank();
    std::ranges::copy(tensor.shape(), view.shape);
    result.push_back(view);
  }
  return result;
}

/// The extent of a value where every symbol is 1.
std::int64_t smallest_bytes(const Value& value) {
  const Dim elements = element_count(value.type.shape);
  return elements.evaluate([](const std::string&) { return std::int64_t{1}; }) * dtype_bits(value.type.dtype) / 8;
}

}  // namespace

struct ActivationRunner::Loaded {
  explicit Loaded(const std::string& path) : model(path, INTAGLIO_DEVICE_CPU), context(model, 0) {}
  Model model;
  Context context;
};

ActivationRunner::ActivationRunner(const Graph& graph, const std::vector<std::string>& watched, const PassContext& context) {
  const auto instrumented = graph.clone();
  const auto values = values_by_name(*instrumented);
  skipped_results_ = instrumented->results().size();
  std::int64_t bytes = 0;
  for (const std::string& name : watched) {
    const auto found = values.find(name);
    internal_check(found != values.end(), "there is no value %{}", name);
    instrumented->add_result(found->second, "watched:" + name);
    bytes += smallest_bytes(*found->second);
  }
  const auto extent = SampleAxis(graph).extent();
  has_fixed_batch_ = extent.has_value();
  batch_ = extent.value_or(std::clamp<std::int64_t>(kRunBytes / std::max<std::int64_t>(bytes, 1), 1, kMostSamples));

  const TemporaryFolder folder;
  const std::string path = folder.path() / "instrumented.tar";
  generate_artifact(lower_for_targets(*instrumented, CodegenOptions{}, context, {}), ModelInfo{"instrumented", "", "", ""}, path);
  // The mapped file lives on until it is closed.
  loaded_ = std::make_unique<Loaded>(path);
}

ActivationRunner::~ActivationRunner() = default;

std::span<const Tensor> ActivationRunner::run(const Samples& samples, std::int64_t first, std::int64_t count) {
  std::vector<Tensor> inputs;
  for (const auto& [array, holds_samples] : samples.inputs) inputs.push_back(holds_samples ? part(array, first, count) : array);
  loaded_->context.bind(views(inputs));
  const auto ports = loaded_->model.outputs();
  outputs_.resize(ports.size());
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const auto dtype = static_cast<DType>(ports[i].dtype);
    const Extents shape = loaded_->context.output_shape(static_cast<int>(i));
    // Fresh memory for each run would cost more than what is done with it.
    if (outputs_[i].dtype() != dtype || outputs_[i].shape() != shape) outputs_[i] = Tensor(dtype, shape);
  }
  auto places = views(outputs_);
  loaded_->context.run(places);
  return std::span(outputs_).subspan(skipped_results_);
}

std::vector<Samples> read_samples(const std::string& path, const Graph& graph) {
  if (SampleAxis(graph).extent() == 0) {
    throw CompileError(ErrorCode::invalid, Diagnostic{"--calibrate", "the model takes no samples", "an input that holds at least one along its first axis", {}, {}});
  }
  std::vector<std::string> files;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      if (entry.path().extension() == ".npz") files.push_back(entry.path());
    }
    std::ranges::sort(files);
  } else {
    files.push_back(path);
  }
  std::vector<Samples> samples;
  for (const std::string& file : files) samples.push_back(samples_in(file, graph));
  const auto has_none = [](const Samples& part) { return part.count == 0; };
  if (std::ranges::all_of(samples, has_none)) misfit(path, "there are no samples", "at least one", "");
  return samples;
}

std::int64_t ActivationRunner::for_each_batch(const std::vector<Samples>& samples, std::int64_t most, const std::function<void(const Samples&, std::int64_t, std::int64_t)>& body) const {
  std::int64_t done = 0;
  for (const Samples& file : samples) {
    for (std::int64_t first = 0; first < file.count && done < most; first += batch_) {
      const std::int64_t count = std::min({batch_, file.count - first, has_fixed_batch_ ? batch_ : most - done});
      if (count < batch_ && has_fixed_batch_) continue;
      body(file, first, count);
      done += count;
    }
  }
  if (done == 0) throw CompileError(ErrorCode::invalid, Diagnostic{"--calibrate", "the samples do not fill one batch of the model", fmt::format("{} in a file", batch_)});
  return done;
}

}  // namespace intaglio
