// Runs a graph over samples on this machine and hands out values from inside of it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "intaglio/tensor.h"
#include "ir/graph.h"
#include "passes/pass.h"

namespace intaglio {

/// What one file holds for the inputs of a graph, in their order.
struct Samples {
  struct Input {
    Tensor array;
    bool holds_samples;  ///< along its first axis; else it is the same for all
  };
  std::vector<Input> inputs;
  std::int64_t count = 0;
};

/// The arrays of an .npz file, or of each in a folder, in the order of their names. Inputs with a symbolic first extent hold samples along it; where there are
/// none, those whose first extent is that of the first input. CompileError (invalid) for files that do not hold every input of `graph` in its dtype and shape;
/// other arrays (labels) are left out.
std::vector<Samples> read_samples(const std::string& path, const Graph& graph);

/// A compiled copy of `graph`, which the optimizing passes have been through but for those from insert_quantization on, that returns values from inside.
class ActivationRunner {
 public:
  /// `watched`: names of values of `graph`.
  ActivationRunner(const Graph& graph, const std::vector<std::string>& watched, const PassContext& context);
  ~ActivationRunner();

  /// Calls `body` with the first sample and the number of samples of each run: as many as fit some memory where the batch is symbolic, else what the model
  /// says; a last part that does not fill a fixed batch is left out, and so is what comes after `most` samples. Returns how many samples there were.
  std::int64_t for_each_batch(const std::vector<Samples>& samples, std::int64_t most, const std::function<void(const Samples&, std::int64_t first, std::int64_t count)>& body) const;
  /// The watched values, in their order, for `count` samples from `first` on. They are overwritten by the next run.
  std::span<const Tensor> run(const Samples& samples, std::int64_t first, std::int64_t count);

 private:
  struct Loaded;
  std::unique_ptr<Loaded> loaded_;
  std::vector<Tensor> outputs_;
  std::size_t skipped_results_ = 0;
  std::int64_t batch_ = 1;
  bool has_fixed_batch_ = false;
};

}  // namespace intaglio
