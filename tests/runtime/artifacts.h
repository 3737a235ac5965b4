// Small graphs compiled to artifacts in a temporary folder, and what runs them.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "intaglio/runtime.hpp"
#include "intaglio/tensor.h"
#include "ir/graph.h"

namespace intaglio::test {

/// relu(x * w) * v with x: f32[N,256]; enough work for several threads where N is over a few rows. Other seeds make other weights.
std::string perceptron_text(int seed = 1);
/// A padded convolution of image: f32[N,3,12,12], summed up with the input `shift`: f32[N,8].
extern const char* const kConvolution;
/// Rows of a table of 10 by ids: i64[N].
extern const char* const kLookup;

/// A file that goes when this does.
class TemporaryFile {
 public:
  TemporaryFile();
  ~TemporaryFile();
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  const std::string& path() const { return path_; }
  void write(const std::string& bytes) const;
  std::string read() const;

 private:
  std::string path_;
};

/// A graph in text form, compiled for this machine.
class Artifact {
 public:
  explicit Artifact(const std::string& graph_text);
  const std::string& path() const { return file_.path(); }
  std::string bytes() const { return file_.read(); }
  /// Random inputs, with the symbol N bound to `batch`.
  std::vector<Tensor> inputs(std::int64_t batch, unsigned seed) const;
  /// Empty if `results` are those of the reference kernels, else the first difference.
  std::string difference(const std::vector<Tensor>& inputs, const std::vector<Tensor>& results) const;

 private:
  std::unique_ptr<Graph> graph_;
  TemporaryFile file_;
};

/// The tensors as the runtime takes them; they must outlive the result.
std::vector<intaglio_tensor> places(const std::vector<Tensor>& tensors);
/// Memory for the outputs of a bound context.
std::vector<Tensor> make_outputs(const Model& model, const Context& context);
/// Binds and runs.
std::vector<Tensor> run(const Model& model, Context& context, const std::vector<Tensor>& inputs);

/// The entries of an artifact: name and content, fillers left out.
using Entries = std::vector<std::pair<std::string, std::string>>;
Entries unpack(const std::string& bytes);
/// An artifact of these entries, with the weights where they belong.
std::string pack(const Entries& entries);
/// The content of an entry whose name ends so.
std::string& entry(Entries& entries, const std::string& suffix);

/// What `intaglio_load` makes of a file of these bytes: its status, and its text if it fails.
struct Loaded {
  intaglio_status status;
  std::string text;
};
Loaded load(const std::string& bytes);

}  // namespace intaglio::test
