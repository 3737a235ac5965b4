// What the shapes of a run's inputs decide on any target: values of symbols, sizes of buffers, shapes of outputs, places in the arena.
#pragma once

#include <memory>
#include <vector>

#include "runtime/model.h"

namespace intaglio::runtime {

class Binding {
 public:
  explicit Binding(std::shared_ptr<const Model> model);

  /// Checks the inputs and keeps them (not their data). True if the shapes are others than those bound before.
  bool bind(const intaglio_tensor* inputs, int count);

  const Model& model() const { return *model_; }
  const plan::Plan& plan() const { return model_->plan(); }
  const intaglio_tensor& input(std::uint32_t index) const { return inputs_[index]; }
  const std::vector<std::int64_t>& symbols() const { return symbols_; }
  std::int64_t buffer_bytes(std::uint32_t buffer) const { return buffer_bytes_[buffer]; }
  const std::vector<std::int64_t>& output_shape(int index) const;

  std::int64_t evaluate(const plan::Dim& dim) const;
  /// The same for an amount of memory: CompileError (invalid) if it cannot be one.
  std::int64_t evaluate_bytes(const plan::Dim& dim) const;

  /// Of the kernels that can compute a step, the one for the bound shapes; the step must not be a copy.
  const plan::Alternative& choose(const plan::Step& step) const;

  struct Arena {
    std::vector<std::int64_t> offsets;  ///< one a buffer of the plan; 0 for those in other places
    std::int64_t bytes = 0;
  };
  Arena lay_out_arena() const;

  /// CompileError (invalid) unless each output's memory, where it is given, has the output's type.
  void check_outputs(const intaglio_tensor* outputs, int count) const;
  /// Describes the context's own memory as the output.
  void describe_output(std::uint32_t index, void* data, intaglio_tensor& output) const;

 private:
  void check_inputs(const intaglio_tensor* inputs, int count) const;
  void bind_symbols(const intaglio_tensor* inputs);

  std::shared_ptr<const Model> model_;
  bool bound_ = false;
  std::vector<std::int64_t> symbols_;
  std::vector<intaglio_tensor> inputs_;
  std::vector<std::vector<std::int64_t>> input_strides_;
  std::vector<std::vector<std::int64_t>> output_shapes_;
  std::vector<std::int64_t> buffer_bytes_;
};

}  // namespace intaglio::runtime
