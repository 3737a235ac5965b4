// See artifacts.h.
#include "artifacts.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <span>
#include <sstream>
#include <stdexcept>

#include "codegen/backend.h"
#include "intaglio/artifact.h"
#include "passes/pass.h"
#include "support/files.h"
#include "support/tar.h"
#include "tests/passes/case.h"

namespace intaglio::test {

std::string perceptron_text(int seed) {
  return fmt::format(R"(
graph @main(%x: f32[N,256]) -> f32[N,64] {{
  %w = const random(seed={}, min=-1, max=1) : f32[256,512]
  %v = const random(seed={}, min=-1, max=1) : f32[512,64]
  %0 = matmul(%x, %w) : f32[N,512]
  %1 = relu(%0) : f32[N,512]
  %2 = matmul(%1, %v) : f32[N,64]
  return %2 as "scores"
}})",
                     2 * seed, 2 * seed + 1);
}

const char* const kConvolution = R"(
graph @main(%image: f32[N,3,12,12], %shift: f32[N,8]) -> f32[N,8] {
  %w = const random(seed=1, min=-1, max=1) : f32[8,3,3,3]
  %0 = conv(%image, %w) {pads=[1,1,1,1]} : f32[N,8,12,12]
  %1 = relu(%0) : f32[N,8,12,12]
  %2 = reduce_mean(%1) {axes=[2,3], keepdims=0} : f32[N,8]
  %3 = add(%2, %shift) : f32[N,8]
  return %3 as "features"
})";

const char* const kLookup = R"(
graph @main(%ids: i64[N]) -> f32[N,4] {
  %table = const random(seed=1) : f32[10,4]
  %0 = gather(%table, %ids) {axis=0} : f32[N,4]
  return %0 as "rows"
})";

TemporaryFile::TemporaryFile() {
  std::string pattern = (std::filesystem::temp_directory_path() / "intaglio-test-XXXXXX").string();
  const int descriptor = mkstemp(pattern.data());
  if (descriptor < 0) throw std::runtime_error("no temporary file can be made: " + pattern);
  close(descriptor);
  path_ = pattern;
}

TemporaryFile::~TemporaryFile() { unlink(path_.c_str()); }

void TemporaryFile::write(const std::string& bytes) const {
  write_file(path_, [&](std::ostream& out) { out << bytes; });
}

std::string TemporaryFile::read() const { return read_file(path_); }

Artifact::Artifact(const std::string& graph_text) : graph_(std::move(parse_graphs(graph_text, "test").front())) {
  const auto compiled = graph_->clone();
  run_passes(*compiled, pipeline(), {}, {});
  generate_artifact(for_each_backend(*compiled, {}), {"test", "0", "", "test"}, file_.path());
}

std::vector<Tensor> Artifact::inputs(std::int64_t batch, unsigned seed) const { return random_inputs(*graph_, {{"N", batch}}, seed); }

std::string Artifact::difference(const std::vector<Tensor>& inputs, const std::vector<Tensor>& results) const {
  return first_difference(evaluate(*graph_, inputs), results, 1e-5);
}

std::vector<intaglio_tensor> places(const std::vector<Tensor>& tensors) {
  std::vector<intaglio_tensor> result;
  for (const Tensor& tensor : tensors) {
    intaglio_tensor place = {};
    place.data = const_cast<void*>(tensor.data());
    place.dtype = static_cast<int>(tensor.dtype());
    place.rank = tensor.rank();
    std::ranges::copy(tensor.shape(), place.shape);
    result.push_back(place);
  }
  return result;
}

std::vector<Tensor> make_outputs(const Model& model, const Context& context) {
  std::vector<Tensor> outputs;
  int index = 0;
  for (const intaglio_port& port : model.outputs()) outputs.emplace_back(static_cast<DType>(port.dtype), context.output_shape(index++));
  return outputs;
}

std::vector<Tensor> run(const Model& model, Context& context, const std::vector<Tensor>& inputs) {
  context.bind(places(inputs));
  std::vector<Tensor> outputs = make_outputs(model, context);
  auto memory = places(outputs);
  context.run(memory);
  return outputs;
}

Entries unpack(const std::string& bytes) {
  Entries entries;
  for (const TarEntry& found : read_tar_index(std::as_bytes(std::span(bytes)), "test")) {
    if (found.name != ".align") entries.emplace_back(found.name, bytes.substr(found.offset, found.size));
  }
  return entries;
}

std::string pack(const Entries& entries) {
  std::ostringstream out;
  TarWriter tar(out);
  for (const auto& [name, content] : entries) {
    tar.begin(name, content.size(), name == INTAGLIO_WEIGHTS_NAME ? INTAGLIO_WEIGHTS_ALIGNMENT : 1);
    tar.write(content);
    tar.end();
  }
  tar.finish();
  return out.str();
}

std::string& entry(Entries& entries, const std::string& suffix) {
  const auto found = std::ranges::find_if(entries, [&](const auto& item) { return item.first.ends_with(suffix); });
  if (found == entries.end()) throw std::runtime_error("the artifact has no " + suffix);
  return found->second;
}

Loaded load(const std::string& bytes) {
  TemporaryFile file;
  file.write(bytes);
  intaglio_model* model = nullptr;
  const intaglio_status status = intaglio_load(file.path().c_str(), &model);
  Loaded result{status, status == INTAGLIO_OK ? "" : intaglio_last_error()};
  if (status == INTAGLIO_OK) intaglio_free(model);
  return result;
}

}  // namespace intaglio::test
