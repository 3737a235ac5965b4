// The plan as FlatBuffer and layers.json.

#include <nlohmann/json.hpp>

#include "codegen/plan.h"
#include "intaglio/plan_generated.h"
#include "support/diagnostics.h"
#include "support/json_text.h"

namespace intaglio {
namespace {

class Writer {
 public:
  Writer(const Graph& graph, const Plan& plan, const GeneratedCode& code) : graph_(graph), plan_(plan), code_(code) {
    for (std::size_t i = 0; i < plan.symbols.size(); ++i) symbol_index_[plan.symbols[i]] = static_cast<std::int64_t>(i);
  }

  std::string write() {
    std::vector<flatbuffers::Offset<plan::Symbol>> symbols;
    for (const std::string& name : plan_.symbols) symbols.push_back(plan::CreateSymbol(fbb_, fbb_.CreateString(name)));
    std::vector<flatbuffers::Offset<plan::Port>> inputs, outputs;
    for (std::size_t i = 0; i < plan_.input_buffers.size(); ++i) {
      const Value& argument = *graph_.arguments()[i];
      inputs.push_back(port(argument.name, argument.type, plan_.input_buffers[i]));
    }
    for (std::size_t i = 0; i < plan_.output_buffers.size(); ++i) {
      outputs.push_back(port(graph_.result_names()[i], graph_.results()[i]->type, plan_.output_buffers[i]));
    }
    std::vector<flatbuffers::Offset<plan::Equation>> equations;
    for (const Graph::Equation& equation : graph_.equations) {
      equations.push_back(plan::CreateEquation(fbb_, dim(equation.left), dim(equation.right), fbb_.CreateString(equation.reason)));
    }
    std::vector<flatbuffers::Offset<plan::Buffer>> buffers;
    for (const PlannedBuffer& buffer : plan_.buffers) buffers.push_back(write(buffer));
    std::vector<flatbuffers::Offset<plan::Kernel>> kernels;
    for (std::size_t i = 0; i < plan_.kernels.size(); ++i) kernels.push_back(write(plan_.kernels[i], code_.offsets.empty() ? 0 : code_.offsets[i]));
    std::vector<flatbuffers::Offset<plan::Step>> steps;
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) steps.push_back(write(plan_.steps[i], static_cast<std::uint32_t>(i)));
    fbb_.Finish(plan::CreatePlan(fbb_, fbb_.CreateVector(symbols), fbb_.CreateVector(inputs), fbb_.CreateVector(outputs), fbb_.CreateVector(equations),
                                 fbb_.CreateVector(buffers), fbb_.CreateVector(kernels), fbb_.CreateVector(steps), plan_.arena_bytes));
    return {reinterpret_cast<const char*>(fbb_.GetBufferPointer()), fbb_.GetSize()};
  }

 private:
  flatbuffers::Offset<plan::Dim> dim(const Dim& value) {
    const auto index = [&](const std::string& name) {
      const auto found = symbol_index_.find(name);
      internal_check(found != symbol_index_.end(), "symbol {} is bound by no input", name);
      return found->second;
    };
    return plan::CreateDim(fbb_, fbb_.CreateVector(to_program(value, index)));
  }

  flatbuffers::Offset<plan::Port> port(const std::string& name, const Type& type, std::uint32_t buffer) {
    std::vector<flatbuffers::Offset<plan::Dim>> shape;
    for (const Dim& extent : type.shape) shape.push_back(dim(extent));
    return plan::CreatePort(fbb_, fbb_.CreateString(name), static_cast<std::uint8_t>(type.dtype), fbb_.CreateVector(shape), buffer);
  }

  flatbuffers::Offset<plan::Buffer> write(const PlannedBuffer& buffer) {
    static constexpr plan::Place kPlaces[] = {plan::Place::arena, plan::Place::weights, plan::Place::input, plan::Place::output};
    return plan::CreateBuffer(fbb_, kPlaces[static_cast<int>(buffer.place)], dim(buffer.bytes), buffer.offset, buffer.port, buffer.first_step, buffer.last_step);
  }

  flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<plan::Dim>>> dims(const std::vector<Dim>& values) {
    std::vector<flatbuffers::Offset<plan::Dim>> written;
    for (const Dim& value : values) written.push_back(dim(value));
    return fbb_.CreateVector(written);
  }

  flatbuffers::Offset<plan::TensorMap> write(const TensorMap& map) {
    const auto numbers = [&](const std::vector<int>& values) { return fbb_.CreateVector(std::vector<std::uint32_t>(values.begin(), values.end())); };
    const bool tiled = !map.box.empty();
    const auto offset = dim(map.offset);
    const auto extents = dims(map.extents), strides = dims(map.strides);
    const auto steps = numbers(map.steps);
    const auto box = tiled ? numbers(map.box) : 0;
    const auto lower = tiled ? 0 : dims(map.lower), upper = tiled ? 0 : dims(map.upper);
    return plan::CreateTensorMap(fbb_, static_cast<std::uint32_t>(map.buffer), static_cast<std::uint8_t>(map.dtype), offset, extents, strides, steps,
                                 static_cast<std::uint32_t>(map.swizzle), box, lower, upper, static_cast<std::uint32_t>(map.channels),
                                 static_cast<std::uint32_t>(map.pixels));
  }

  flatbuffers::Offset<plan::Matrix> write(const ProductMatrix& matrix) {
    return plan::CreateMatrix(fbb_, static_cast<std::uint32_t>(matrix.buffer), static_cast<std::uint8_t>(matrix.dtype), dim(matrix.offset), dim(matrix.line),
                              dim(matrix.next), matrix.transposed);
  }

  flatbuffers::Offset<plan::Product> write(const LibraryProduct& product) {
    const auto write_optional = [&](const std::optional<ProductMatrix>& matrix) { return matrix ? write(*matrix) : flatbuffers::Offset<plan::Matrix>(); };
    return plan::CreateProduct(fbb_, dim(product.count), dim(product.rows), dim(product.columns), dim(product.sum), write(product.a), write(product.b),
                               write(product.d), write_optional(product.c), write_optional(product.bias), static_cast<float>(product.alpha), product.relu,
                               product.tf32);
  }

  flatbuffers::Offset<plan::Kernel> write(const KernelPlan& kernel, std::uint64_t offset) {
    std::vector<flatbuffers::Offset<plan::TensorMap>> maps;
    for (const TensorMap& map : kernel.tensor_maps) maps.push_back(write(map));
    return plan::CreateKernel(fbb_, fbb_.CreateString(kernel.name), offset, static_cast<std::uint32_t>(kernel.block_threads),
                              static_cast<std::uint32_t>(kernel.shared_bytes), kernel.overlaps, maps.empty() ? 0 : fbb_.CreateVector(maps),
                              kernel.product ? write(*kernel.product) : 0);
  }

  flatbuffers::Offset<plan::Alternative> write(const PlannedKernel& kernel) {
    return plan::CreateAlternative(fbb_, static_cast<std::uint32_t>(kernel.kernel), dim(kernel.tasks), dim(kernel.scratch_bytes), kernel.up_to);
  }

  flatbuffers::Offset<plan::Step> write(const PlannedStep& step, std::uint32_t layer) {
    std::vector<std::uint32_t> symbols;
    if (!step.kernels.empty()) {
      for (const std::string& name : plan_.kernels[static_cast<std::size_t>(step.kernels.front().kernel)].symbols) {
        const auto found = symbol_index_.find(name);
        internal_check(found != symbol_index_.end(), "symbol {} is bound by no input", name);
        symbols.push_back(static_cast<std::uint32_t>(found->second));
      }
    }
    std::vector<flatbuffers::Offset<plan::Alternative>> alternatives;
    for (const PlannedKernel& kernel : step.kernels) alternatives.push_back(write(kernel));
    const auto kind = step.kernels.empty() ? plan::StepKind::copy : plan::StepKind::kernel;
    return plan::CreateStep(fbb_, kind, fbb_.CreateVector(alternatives), dim(step.size), fbb_.CreateVector(step.buffers), fbb_.CreateVector(symbols),
                            dim(step.nanoseconds), layer, step.workspace);
  }

  const Graph& graph_;
  const Plan& plan_;
  const GeneratedCode& code_;
  std::map<std::string, std::int64_t> symbol_index_;
  flatbuffers::FlatBufferBuilder fbb_;
};

}  // namespace

std::string serialize_plan(const Graph& graph, const Plan& plan, const GeneratedCode& code) { return Writer(graph, plan, code).write(); }

std::string layers_json(const Plan& plan) {
  nlohmann::ordered_json layers = nlohmann::json::array();
  const auto number_or_text = [](const Dim& dim) -> nlohmann::ordered_json {
    if (const auto value = dim.constant()) return *value;
    return dim.text();
  };
  for (const PlannedStep& step : plan.steps) {
    std::vector<std::string> kernels;
    for (const PlannedKernel& kernel : step.kernels) kernels.push_back(plan.kernels[static_cast<std::size_t>(kernel.kernel)].name);
    layers.push_back({{"kernels", kernels},
                      {"kind", step.kind},
                      {"nodes", step.origins},
                      {"flops", number_or_text(step.flops)},
                      {"bytes", number_or_text(step.bytes)},
                      {"multiplies", step.multiplies},
                      {"shape", step.shape}});
    if (step.has_library) layers.back()["library"] = "cublaslt";
  }
  return json_text(layers) + "\n";
}

}  // namespace intaglio
