// Loads an artifact: nothing in it is trusted before it is checked.

#include "runtime/model.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "intaglio/tensor.h"
#include "runtime/cpu/executor.h"
#include "runtime/cpu/features.h"
#include "runtime/cuda/device_model.h"
#include "runtime/dim_program.h"
#include "support/diagnostics.h"
#include "support/tar.h"

namespace intaglio::runtime {
namespace {

using nlohmann::json;

[[noreturn]] void invalid(const std::string& path, const std::string& what, const std::string& expected = {}, const std::string& got = {}) {
  throw CompileError(ErrorCode::invalid,
                     Diagnostic{path, what, expected, got, "the artifact is damaged or of another version: compile the model again"});
}

std::span<const std::byte> entry(std::span<const std::byte> file, const std::vector<TarEntry>& index, const std::string& name,
                                 const std::string& path) {
  for (const TarEntry& found : index) {
    if (found.name == name) return file.subspan(found.offset, found.size);
  }
  invalid(path, fmt::format("the artifact has no {}", name));
}

std::string text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

void check_sum(std::span<const std::byte> bytes, const json& holder, const char* key, const std::string& path) {
  const std::string expected = holder.at(key).get<std::string>();
  const std::string got = fmt::format("{:016x}", XXH64(bytes.data(), bytes.size(), 0));
  if (got != expected) invalid(path, fmt::format("the artifact's {} is wrong", key), expected, got);
}

/// Why a variant cannot run on the device that was asked for; nothing if it can.
std::optional<Diagnostic> refusal(const json& variant, const std::string& path, int device) {
  const std::string target = variant.at("target").get<std::string>();
  if (target == "cuda" && device != INTAGLIO_DEVICE_CPU)
    return cuda::refusal(variant.at("arch").get<std::string>(), std::max(device, 0), path);
  if (target == "cpu" && device < 0)
    return cpu::refusal(variant.at("features").get<std::vector<std::string>>(), variant.at("cpu").get<std::string>(), path);
  return Diagnostic{path, "the artifact holds no code for the device that was asked for",
                    device < 0 ? "code for the CPU" : fmt::format("code for GPU {}", device), fmt::format("code for {}", target),
                    fmt::format("compile with --target {}, or choose another --device", device < 0 ? "cpu" : "cuda")};
}

/// The best variant that fits: made for this GPU, made for any GPU, made for the CPU.
json choose_variant(const json& manifest, const std::string& path, int device) {
  std::vector<json> variants = manifest.at("variants").get<std::vector<json>>();
  if (variants.empty()) invalid(path, "the artifact holds no variant");
  std::ranges::stable_sort(variants, {}, [](const json& variant) {
    return variant.at("target") == "cpu" ? 2 : variant.at("arch") == "ptx" ? 1 : 0;
  });
  std::optional<Diagnostic> first;
  for (const json& variant : variants) {
    const auto reason = refusal(variant, path, device);
    if (!reason) return variant;
    if (!first) first = reason;
  }
  throw CompileError(ErrorCode::environment, *first);
}

}  // namespace

Model::Model(const std::string& path, int device) : path_(path), file_(std::make_unique<MappedFile>(path)) {
  const auto file = file_->bytes();
  const auto index = read_tar_index(file, path);
  try {
    manifest_ = text_of(entry(file, index, INTAGLIO_MANIFEST_NAME, path));
    const json manifest = json::parse(manifest_);
    const int version = manifest.at("format_version").get<int>();
    if (version != INTAGLIO_FORMAT_VERSION) {
      invalid(path, "the artifact is of another format version", fmt::format("version {}", INTAGLIO_FORMAT_VERSION),
              fmt::format("version {}", version));
    }
    const json variant = choose_variant(manifest, path, device);
    const auto layers_bytes = entry(file, index, variant.at("layers").get<std::string>(), path);
    check_sum(layers_bytes, variant, "layers_xxh64", path);
    layers_ = text_of(layers_bytes);
    const auto plan_bytes = entry(file, index, variant.at("plan").get<std::string>(), path);
    const auto code_bytes = entry(file, index, variant.at("code").get<std::string>(), path);
    check_sum(plan_bytes, variant, "plan_xxh64", path);
    check_sum(code_bytes, variant, "code_xxh64", path);
    weights_ = entry(file, index, INTAGLIO_WEIGHTS_NAME, path);

    flatbuffers::Verifier verifier(reinterpret_cast<const std::uint8_t*>(plan_bytes.data()), plan_bytes.size());
    if (!plan::VerifyPlanBuffer(verifier)) invalid(path, "the artifact's plan is malformed");
    plan_ = plan::GetPlan(plan_bytes.data());
    check_plan();
    if (variant.at("target") == "cuda") {
      target_ = std::make_unique<cuda::DeviceModel>(*plan_, weights_, code_bytes, std::max(device, 0), path);
    } else {
      target_ = std::make_unique<cpu::CpuTarget>(*plan_, code_bytes, path);
    }
  } catch (const json::exception& error) {
    invalid(path, fmt::format("the artifact's manifest is malformed: {}", error.what()));
  }
  read_ports();
}

Model::~Model() = default;

/// Every index in the plan lies where it should, every program is safe to run.
void Model::check_plan() const {
  const auto require = [&](bool condition, const char* what) {
    if (!condition) invalid(path_, fmt::format("the artifact's plan is malformed: {}", what));
  };
  const std::size_t symbols = plan_->symbols()->size(), buffers = plan_->buffers()->size(), steps = plan_->steps()->size();
  const auto check_dim = [&](const plan::Dim* dim) {
    require(dim && is_valid_dim_program({dim->code()->data(), dim->code()->size()}, symbols), "an expression");
  };
  const auto check_ports = [&](const auto& ports, plan::Place place) {
    for (std::uint32_t i = 0; i < ports.size(); ++i) {
      const plan::Port& port = *ports.Get(i);
      require(port.shape()->size() <= INTAGLIO_MAX_RANK, "the rank of an input or output");
      for (const auto* dim : *port.shape()) check_dim(dim);
      require(dtype_bits(static_cast<DType>(port.dtype())) >= 8, "the dtype of an input or output");
      require(port.buffer() < buffers, "the buffer of an input or output");
      const plan::Buffer& buffer = *plan_->buffers()->Get(port.buffer());
      require(buffer.place() == place && buffer.port() == i, "the place of an input or output");
    }
  };
  check_ports(*plan_->inputs(), plan::Place::input);
  check_ports(*plan_->outputs(), plan::Place::output);
  for (const auto* equation : *plan_->equations()) {
    check_dim(equation->left());
    check_dim(equation->right());
  }
  for (const auto* buffer : *plan_->buffers()) {
    check_dim(buffer->bytes());
    switch (buffer->place()) {
      case plan::Place::arena:
        require(buffer->first_step() <= buffer->last_step(), "a lifetime");
        break;
      case plan::Place::input:
        require(buffer->port() < plan_->inputs()->size(), "an input's buffer");
        break;
      case plan::Place::output:
        require(buffer->port() < plan_->outputs()->size(), "an output's buffer");
        break;
      case plan::Place::weights: {
        const std::int64_t bytes =
            evaluate_dim({buffer->bytes()->code()->data(), buffer->bytes()->code()->size()}, std::vector<std::int64_t>(symbols, 0));
        const auto size = static_cast<std::int64_t>(weights_.size());
        require(bytes >= 0 && buffer->offset() >= 0 && buffer->offset() % INTAGLIO_ALIGNMENT == 0 && bytes <= size &&
                    buffer->offset() <= size - bytes,
                "a weight's place");
        break;
      }
      default:
        require(false, "the place of a buffer");
    }
  }
  const auto check_tensor_map = [&](const plan::TensorMap& map) {
    const std::size_t rank = map.extents()->size();
    const auto check_dims = [&](const auto* dims, std::size_t count) {
      require(dims && dims->size() == count, "the rank of a tensor map");
      for (const auto* dim : *dims) check_dim(dim);
    };
    check_dim(map.offset());
    require(rank >= 1 && rank <= 5 && map.steps()->size() == rank && dtype_bits(static_cast<DType>(map.dtype())) >= 8, "a tensor map");
    check_dims(map.extents(), rank);
    check_dims(map.strides(), rank - 1);
    if (map.box()) return require(map.box()->size() == rank, "the box of a tensor map");
    require(rank >= 3, "the rank of a tensor map");
    check_dims(map.lower(), rank - 2);
    check_dims(map.upper(), rank - 2);
  };
  const auto check_matrix = [&](const plan::Matrix* matrix) {
    if (!matrix) return;
    const auto dtype = static_cast<DType>(matrix->dtype());
    require(dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16, "the dtype of a matrix");
    for (const auto* dim : {matrix->offset(), matrix->line(), matrix->next()}) check_dim(dim);
  };
  const auto check_product = [&](const plan::Product& product) {
    for (const auto* dim : {product.count(), product.rows(), product.columns(), product.sum()}) check_dim(dim);
    for (const auto* matrix : {product.a(), product.b(), product.d(), product.c(), product.bias()}) check_matrix(matrix);
  };
  for (const auto* kernel : *plan_->kernels()) {
    if (kernel->product()) check_product(*kernel->product());
    if (!kernel->tensor_maps()) continue;
    for (const auto* map : *kernel->tensor_maps()) check_tensor_map(*map);
  }
  const auto check_alternatives = [&](const plan::Step& step) {
    require(step.alternatives() && step.alternatives()->size() > 0, "a step without kernels");
    const plan::Alternative* before = nullptr;
    for (const auto* alternative : *step.alternatives()) {
      check_dim(alternative->tasks());
      check_dim(alternative->scratch_bytes());
      require(!before || before->up_to() < alternative->up_to(), "the order of a step's kernels");
      before = alternative;
      require(alternative->kernel() < plan_->kernels()->size(), "a step's kernel");
      const plan::Kernel& kernel = *plan_->kernels()->Get(alternative->kernel());
      if (const auto* maps = kernel.tensor_maps()) {
        for (const auto* map : *maps) require(map->buffer() < step.buffers()->size(), "the buffer of a tensor map");
      }
      if (const auto* product = kernel.product()) {
        for (const auto* matrix : {product->a(), product->b(), product->d(), product->c(), product->bias()})
          require(!matrix || matrix->buffer() < step.buffers()->size(), "the buffer of a matrix");
        require(step.workspace() >= 0 && static_cast<std::size_t>(step.workspace()) < buffers &&
                    plan_->buffers()->Get(static_cast<std::uint32_t>(step.workspace()))->place() == plan::Place::arena,
                "the workspace of a product");
      }
    }
    require(before->up_to() == std::numeric_limits<std::int64_t>::max(), "a step without a kernel for large sizes");
  };
  for (std::uint32_t i = 0; i < steps; ++i) {
    const plan::Step& step = *plan_->steps()->Get(i);
    require(step.buffers() != nullptr, "a step without buffers");
    check_dim(step.work());
    check_dim(step.size());
    for (std::uint32_t b : *step.buffers()) require(b < buffers, "a step's buffer");
    if (step.symbols()) {
      for (std::uint32_t s : *step.symbols()) require(s < symbols, "a step's symbol");
    }
    if (step.kind() == plan::StepKind::kernel) {
      check_alternatives(step);
    } else {
      require(step.kind() == plan::StepKind::copy && step.buffers()->size() == 2, "a step's kind");
    }
  }
  // Weights are read straight from the mapping.
  require(reinterpret_cast<std::uintptr_t>(weights_.data()) % INTAGLIO_ALIGNMENT == 0, "the alignment of weights.bin");
}

void Model::read_ports() {
  const json manifest = json::parse(manifest_);
  const auto read = [&](const auto& ports, const json& described, std::vector<Port>& into) {
    for (std::uint32_t i = 0; i < ports.size(); ++i) {
      const plan::Port& from = *ports.Get(i);
      Port port;
      port.name = from.name()->str();
      port.c.dtype = from.dtype();
      port.c.rank = static_cast<std::int32_t>(from.shape()->size());
      const json& shape = described.at(i).at("shape");
      std::string dims;
      for (std::uint32_t d = 0; d < from.shape()->size(); ++d) {
        const bool known = shape.at(d).is_number_integer();
        port.c.shape[d] = known ? shape.at(d).get<std::int64_t>() : -1;
        dims += (d ? "," : "") + (known ? std::to_string(port.c.shape[d]) : shape.at(d).get<std::string>());
      }
      port.text = fmt::format("{}[{}]", dtype_name(static_cast<DType>(from.dtype())), dims);
      into.push_back(std::move(port));
    }
    for (Port& port : into) {
      port.c.name = port.name.c_str();
      port.c.shape_text = port.text.c_str();
    }
  };
  try {
    read(*plan_->inputs(), manifest.at("inputs"), inputs_);
    read(*plan_->outputs(), manifest.at("outputs"), outputs_);
  } catch (const json::exception& error) {
    invalid(path_, fmt::format("the artifact's manifest is malformed: {}", error.what()));
  }
}

std::string Model::step_name(std::uint32_t step) const {
  const std::uint32_t layer = plan_->steps()->Get(step)->layer();
  const json layers = json::parse(layers_, nullptr, false);
  if (!layers.is_array() || layer >= layers.size()) return fmt::format("step {}", step);
  std::string nodes;
  for (const json& node : layers[layer].value("nodes", json::array()))
    nodes += (nodes.empty() ? "'" : ", '") + node.get<std::string>() + "'";
  return layers[layer].value("kind", "step") + (nodes.empty() ? "" : " " + nodes);
}

}  // namespace intaglio::runtime
