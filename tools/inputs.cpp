// See inputs.h.

#include "tools/inputs.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <random>

#include "driver/compile.h"
#include "support/diagnostics.h"
#include "support/elements.h"
#include "support/files.h"
#include "driver/npy.h"

namespace intaglio {
namespace {

[[noreturn]] void invalid(const std::string& subject, const std::string& message, const std::string& expected, const std::string& got, const std::string& help = {}) {
  throw CompileError(ErrorCode::invalid, Diagnostic{subject, message, expected, got, help});
}

const intaglio_port& port_named(const std::vector<intaglio_port>& ports, const std::string& name, const std::string& source) {
  const auto found = std::ranges::find_if(ports, [&](const intaglio_port& port) { return name == port.name; });
  if (found != ports.end()) return *found;
  std::vector<std::string> names;
  for (const intaglio_port& port : ports) names.emplace_back(port.name);
  invalid(source, fmt::format("the model has no input '{}'", name), fmt::format("{}", fmt::join(names, ", ")), name);
}

void check_fits(const intaglio_port& port, DType dtype, const Extents& shape, const std::string& source) {
  bool fits = static_cast<int>(shape.size()) == port.rank;
  for (int d = 0; fits && d < port.rank; ++d) fits = port.shape[d] < 0 || port.shape[d] == shape[static_cast<std::size_t>(d)];
  const bool same_dtype = static_cast<int>(dtype) == port.dtype;
  if (fits && same_dtype) return;
  invalid(source, fmt::format("input '{}' has the wrong {}", port.name, same_dtype ? "shape" : "dtype"), port.shape_text, fmt::format("{}[{}]", dtype_name(dtype), fmt::join(shape, ",")),
          same_dtype ? "reshape the data, or compile the model with other --shapes" : "convert the data with numpy's astype");
}

/// Files do not tell the 8-bit floats apart: the model says which one it is.
Tensor as_float8_of(const intaglio_port& port, const Tensor& tensor) {
  const auto dtype = static_cast<DType>(port.dtype);
  if (!is_float(dtype) || dtype_bits(dtype) != 8 || tensor.dtype() != DType::f8e4m3fn) return tensor;
  return Tensor(dtype, tensor.shape(), std::make_shared<Tensor>(tensor), tensor.data());
}

Tensor filled(const intaglio_port& port, const Shape* shape, const std::string& fill, std::mt19937& random) {
  Extents extents;
  for (int d = 0; d < port.rank; ++d) extents.push_back(port.shape[d] >= 0 ? port.shape[d] : 1);
  if (shape) extents = static_extents(*shape);
  check_fits(port, static_cast<DType>(port.dtype), extents, "--shapes");
  Tensor tensor(static_cast<DType>(port.dtype), std::move(extents));
  std::normal_distribution<double> normal;
  const bool real = is_float(tensor.dtype());
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    // Integers of 0 and 1 are valid ids, masks and token types.
    const double value = fill == "zeros" ? 0 : fill == "ones" ? 1 : real ? normal(random) : static_cast<double>(random() & 1);
    set_real(tensor, i, value);
  }
  return tensor;
}

}  // namespace

std::vector<Tensor> make_inputs(const Model& model, const InputOptions& options) {
  const auto ports = model.inputs();
  std::map<std::string, Tensor> given;
  const auto give = [&](const std::string& name, const Tensor& array, const std::string& source) {
    const intaglio_port& port = port_named(ports, name, source);
    const Tensor tensor = as_float8_of(port, array);
    check_fits(port, tensor.dtype(), tensor.shape(), source);
    given[name] = tensor;
  };
  for (const std::string& file : options.files) {
    const std::size_t equals = file.find('=');
    const std::string path = equals == std::string::npos ? file : file.substr(equals + 1);
    if (path.ends_with(".npz")) {
      for (const auto& [name, tensor] : read_npz(path)) give(name, tensor, path);
    } else if (equals != std::string::npos) {
      give(file.substr(0, equals), parse_npy(read_file(path), path), path);
    } else {
      if (ports.size() != 1) invalid(path, "the model has several inputs", "--input NAME=FILE for each, or a .npz file", path);
      give(ports[0].name, parse_npy(read_file(path), path), path);
    }
  }
  const auto shapes = options.shapes.empty() ? std::map<std::string, Shape>{} : parse_shapes(options.shapes);
  for (const auto& [name, shape] : shapes) port_named(ports, name, "--shapes");
  std::mt19937 random(options.seed);
  std::vector<Tensor> inputs;
  for (const intaglio_port& port : ports) {
    if (const auto found = given.find(port.name); found != given.end()) {
      inputs.push_back(found->second);
      continue;
    }
    if (!options.files.empty()) invalid(port.name, fmt::format("no data is given for input '{}'", port.name), port.shape_text, "nothing", "add --input NAME=FILE");
    const auto shape = shapes.find(port.name);
    inputs.push_back(filled(port, shape == shapes.end() ? nullptr : &shape->second, options.fill, random));
  }
  return inputs;
}

std::vector<intaglio_tensor> runtime_tensors(const std::vector<Tensor>& tensors) {
  std::vector<intaglio_tensor> result;
  for (const Tensor& tensor : tensors) {
    intaglio_tensor c = {};
    c.data = const_cast<void*>(tensor.data());
    c.dtype = static_cast<int>(tensor.dtype());
    c.rank = tensor.rank();
    std::ranges::copy(tensor.shape(), c.shape);
    result.push_back(c);
  }
  return result;
}

std::vector<Tensor> make_outputs(const Model& model, const Context& context) {
  std::vector<Tensor> outputs;
  const auto ports = model.outputs();
  for (std::size_t i = 0; i < ports.size(); ++i) outputs.emplace_back(static_cast<DType>(ports[i].dtype), context.output_shape(static_cast<int>(i)));
  return outputs;
}

void add_device_option(CLI::App& command, int& device) {
  const auto set = [&device](const std::string& text) {
    if (text == "cpu") {
      device = INTAGLIO_DEVICE_CPU;
      return;
    }
    if (!CLI::detail::lexical_cast(text, device) || device < 0) throw CLI::ValidationError("--device", fmt::format("'{}' is neither cpu nor the number of a GPU", text));
  };
  command.add_option_function<std::string>("--device", set, "the number of a GPU, or cpu; without it the first GPU if the artifact has code for it")->type_name("N|cpu")->group("Execution");
}

}  // namespace intaglio
