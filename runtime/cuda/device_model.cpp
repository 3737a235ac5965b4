// See device_model.h.

#include "runtime/cuda/device_model.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <map>

#include "intaglio/artifact.h"
#include "runtime/cuda/executor.h"
#include "runtime/dim_program.h"

namespace intaglio::runtime::cuda {
namespace {

/// Of a tensor in device memory: a bulk copy and a tensor map want 16, a cache line is 128.
constexpr std::int64_t kWeightAlignment = 256;
/// Of a block, on any GPU so far.
constexpr unsigned kMostSharedBytes = 227 << 10;

Diagnostic no_device(const std::string& path, std::string expected, std::string got) {
  return {path, "the artifact cannot run on this machine", std::move(expected), std::move(got),
          "run it on a machine with a fitting GPU, or compile with --target cpu"};
}

}  // namespace

std::optional<Diagnostic> refusal(const std::string& arch, int device, const std::string& path) {
  std::string why_not;
  const Driver* cuda = find_driver(why_not);
  if (!cuda) return no_device(path, "an NVIDIA GPU and its driver", why_not);
  int count = 0;
  check(cuda->device_count(&count), "GPUs cannot be counted");
  if (device >= count)
    return no_device(path, fmt::format("GPU {}", device), count == 0 ? "no GPU" : fmt::format("GPUs 0 to {}", count - 1));
  int major = 0, minor = 0;
  check(cuda->device_attribute(&major, kComputeCapabilityMajor, device), "the GPU does not tell what it is");
  check(cuda->device_attribute(&minor, kComputeCapabilityMinor, device), "the GPU does not tell what it is");
  const std::string got = fmt::format("compute capability {}.{}", major, minor);
  if (arch == "ptx") return major >= 8 ? std::nullopt : std::optional(no_device(path, "a GPU of compute capability 8.0 or higher", got));
  // The code of an architecture with features of its own ("sm_90a") runs on exactly that one.
  if (arch == fmt::format("sm_{}{}a", major, minor)) return std::nullopt;
  Diagnostic diagnostic = no_device(path, fmt::format("a GPU of architecture {}", arch), got);
  diagnostic.help = "compile with --arch ptx for other GPUs, or with --target cpu";
  return diagnostic;
}

PrimaryContext::PrimaryContext(int device) {
  check(driver().device_get(&device_, device), "the GPU cannot be opened");
  check(driver().primary_retain(&context_, device_), "the GPU cannot be opened");
}

PrimaryContext::~PrimaryContext() { driver().primary_release(device_); }

bool DeviceMemory::reserve(std::int64_t bytes) {
  if (bytes <= size_) return false;
  release();
  std::size_t free_bytes = 0, all_bytes = 0;
  const CUresult result = driver().memory_alloc(&data_, static_cast<std::size_t>(bytes));
  if (result == kErrorOutOfMemory && driver().memory_info(&free_bytes, &all_bytes) == 0) {
    throw CompileError(ErrorCode::environment,
                       Diagnostic{"cuda", "the GPU has too little free memory", fmt::format("{} MiB", (bytes >> 20) + 1),
                                  fmt::format("{} MiB free", free_bytes >> 20), "close what else uses the GPU, or run smaller batches"});
  }
  check(result, "memory on the GPU cannot be had");
  size_ = bytes;
  return true;
}

void DeviceMemory::release() {
  if (data_) driver().memory_free(data_);
  data_ = 0;
  size_ = 0;
}

DeviceModel::DeviceModel(const plan::Plan& plan, std::span<const std::byte> weights, std::span<const std::byte> code, int device,
                         const std::string& path)
    : context_(device) {
  const CurrentContext current(context_.get());
  try {
    load_kernels(plan, code, path);
    upload_weights(plan, weights);
    if (std::ranges::any_of(*plan.kernels(), [](const auto* kernel) { return kernel->product(); })) library_ = CublasLibrary::open();
  } catch (...) {
    library_.reset();
    for (const LoadedKernel& kernel : kernels_) driver().module_unload(kernel.module);
    weights_.release();
    throw;
  }
}

DeviceModel::~DeviceModel() {
  const CurrentContext current(context_.get(), std::nothrow);
  library_.reset();
  for (const LoadedKernel& kernel : kernels_) driver().module_unload(kernel.module);
  weights_.release();
}

std::string DeviceModel::device_name() const {
  std::array<char, 256> name{};
  check(driver().device_name(name.data(), static_cast<int>(name.size()), context_.device()), "the GPU does not tell its name");
  return name.data();
}

intaglio_device DeviceModel::describe_device() const {
  const auto attribute = [&](int number) {
    int value = 0;
    check(driver().device_attribute(&value, number, context_.device()), "the GPU does not tell what it is");
    return value;
  };
  // Memory sends twice a clock.
  return {attribute(kComputeCapabilityMajor) * 10 + attribute(kComputeCapabilityMinor), attribute(kMultiprocessors),
          attribute(kClockKilohertz) / 1e6, attribute(kMemoryClockKilohertz) / 1e6 * 2 * attribute(kMemoryBusBits) / 8};
}

std::unique_ptr<Executor> DeviceModel::make_executor(const Binding& binding, int /*threads*/) const {
  return std::make_unique<CudaExecutor>(*this, binding);
}

void DeviceModel::load_kernels(const plan::Plan& plan, std::span<const std::byte> code, const std::string& path) {
  for (const auto* from : *plan.kernels()) {
    const auto refuse = [&](const std::string& what) {
      throw CompileError(ErrorCode::invalid, Diagnostic{path, fmt::format("the artifact's kernel '{}' {}", from->name()->str(), what), "",
                                                        "", "compile the model again"});
    };
    if (from->code_offset() >= code.size() || from->block_threads() == 0 || from->block_threads() > 1024 || from->shared_bytes() > kMostSharedBytes)
      refuse("is malformed");
    // The driver reads to the end that the image names or, of a text, to its zero byte: one of either kind lies within the checksummed
    // code.
    std::array<char, 4096> log{};
    std::array<int, 2> options{kJitErrorLog, kJitErrorLogBytes};
    std::array<void*, 2> values{log.data(), reinterpret_cast<void*>(log.size() - 1)};
    LoadedKernel kernel;
    kernel.block_threads = from->block_threads();
    kernel.shared_bytes = from->shared_bytes();
    kernel.overlaps = from->overlaps();
    const CUresult result =
        driver().module_load(&kernel.module, code.data() + from->code_offset(), options.size(), options.data(), values.data());
    if (result == kErrorOutOfMemory) check(result, "the kernels cannot be loaded");
    if (result != 0) refuse(fmt::format("is not accepted by the driver: {}", log[0] ? log.data() : "no binary for this GPU"));
    kernels_.push_back(kernel);
    if (driver().module_function(&kernels_.back().function, kernel.module, from->name()->c_str()) != 0) refuse("is not in its code");
    if (kernel.shared_bytes > 0 &&
        driver().function_set_attribute(kernels_.back().function, kMaxDynamicSharedBytes, static_cast<int>(kernel.shared_bytes)) != 0)
      refuse("needs more shared memory than this GPU has");
  }
}

void DeviceModel::upload_weights(const plan::Plan& plan, std::span<const std::byte> weights) {
  // Other variants' weights stay in the file; buffers of the same content share it.
  struct Piece {
    std::int64_t bytes, place;
  };
  std::map<std::int64_t, Piece> pieces;  // by offset in the file
  const std::vector<std::int64_t> no_symbols(plan.symbols()->size(), 0);
  for (const auto* buffer : *plan.buffers()) {
    if (buffer->place() != plan::Place::weights) continue;
    const std::int64_t bytes = evaluate_dim({buffer->bytes()->code()->data(), buffer->bytes()->code()->size()}, no_symbols);
    Piece& piece = pieces[buffer->offset()];
    piece.bytes = std::max(piece.bytes, bytes);
  }
  std::int64_t total = 0;
  for (auto& [offset, piece] : pieces) {
    piece.place = total;
    total += (piece.bytes + kWeightAlignment - 1) / kWeightAlignment * kWeightAlignment;
  }
  weights_.reserve(std::max<std::int64_t>(total, 1));
  for (const auto& [offset, piece] : pieces) {
    if (piece.bytes == 0) continue;
    check(driver().copy_to_device(weights_.data() + static_cast<CUdeviceptr>(piece.place), weights.data() + offset,
                                  static_cast<std::size_t>(piece.bytes)),
          "weights cannot be copied to the GPU");
  }
  weight_pointers_.assign(plan.buffers()->size(), 0);
  for (std::uint32_t i = 0; i < plan.buffers()->size(); ++i) {
    const plan::Buffer& buffer = *plan.buffers()->Get(i);
    if (buffer.place() == plan::Place::weights)
      weight_pointers_[i] = weights_.data() + static_cast<CUdeviceptr>(pieces.at(buffer.offset()).place);
  }
}

}  // namespace intaglio::runtime::cuda
