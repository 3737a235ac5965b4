// What `run` and `bench` feed a model with, and what they get back.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "intaglio/runtime.hpp"
#include "intaglio/tensor.h"

namespace intaglio {

struct InputOptions {
  std::vector<std::string> files;  ///< data.npy, name=data.npy, data.npz
  std::string fill = "random";     ///< random, zeros or ones, for inputs without a file
  unsigned seed = 0;
  std::string shapes;              ///< for filled inputs with symbolic dimensions, which are 1 otherwise
};

/// Adds --device to a command: what it leaves in `device` is for Model's constructor.
void add_device_option(CLI::App& command, int& device);

/// The model's inputs in its order. CompileError (invalid) for names it does not have, types and shapes that do not fit.
std::vector<Tensor> make_inputs(const Model& model, const InputOptions& options);

/// The tensors as the runtime takes them; they must outlive the result.
std::vector<intaglio_tensor> runtime_tensors(const std::vector<Tensor>& tensors);

/// Aligned memory for the outputs of a bound context.
std::vector<Tensor> make_outputs(const Model& model, const Context& context);

}  // namespace intaglio
