// A model on a GPU: its kernels loaded, its weights uploaded. Contexts share it.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/cuda/cublaslt.h"
#include "runtime/cuda/driver.h"
#include "runtime/target.h"
#include "support/diagnostics.h"

namespace intaglio::runtime::cuda {

/// Why code for `arch` ("sm_90a", or "ptx" for any GPU of compute capability 8.0 or higher) cannot run on a device; nothing if it can.
/// `path` is the artifact.
std::optional<Diagnostic> refusal(const std::string& arch, int device, const std::string& path);

/// A device's primary context, retained.
class PrimaryContext {
 public:
  explicit PrimaryContext(int device);
  ~PrimaryContext();
  PrimaryContext(const PrimaryContext&) = delete;
  PrimaryContext& operator=(const PrimaryContext&) = delete;
  CUcontext get() const { return context_; }
  CUdevice device() const { return device_; }

 private:
  CUdevice device_ = 0;
  CUcontext context_ = nullptr;
};

/// Device memory.
class DeviceMemory {
 public:
  DeviceMemory() = default;
  ~DeviceMemory() { release(); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  /// At least `bytes` bytes; what was there is lost when it grows. True if it moved. The context must be current.
  bool reserve(std::int64_t bytes);
  void release();
  CUdeviceptr data() const { return data_; }
  std::int64_t size() const { return size_; }

 private:
  CUdeviceptr data_ = 0;
  std::int64_t size_ = 0;
};

struct LoadedKernel {
  CUmodule module = nullptr;
  CUfunction function = nullptr;
  unsigned block_threads = 0;
  unsigned shared_bytes = 0;  ///< dynamic
  bool overlaps = false;
};

class DeviceModel : public Target {
 public:
  /// `weights` and `code` are the artifact's; `path` is its name, for messages.
  DeviceModel(const plan::Plan& plan, std::span<const std::byte> weights, std::span<const std::byte> code, int device,
              const std::string& path);
  ~DeviceModel() override;
  std::string device_name() const override;
  intaglio_device describe_device() const override;
  std::unique_ptr<Executor> make_executor(const Binding& binding, int threads) const override;

  CUcontext context() const { return context_.get(); }
  const LoadedKernel& kernel(std::uint32_t index) const { return kernels_[index]; }
  /// Null without products for it in the plan, or where it is not at hand.
  const CublasLibrary* library() const { return library_.get(); }
  /// Where the content of a buffer of place `weights` is.
  CUdeviceptr weight(std::uint32_t buffer) const { return weight_pointers_[buffer]; }

 private:
  void load_kernels(const plan::Plan& plan, std::span<const std::byte> code, const std::string& path);
  void upload_weights(const plan::Plan& plan, std::span<const std::byte> weights);

  PrimaryContext context_;
  std::vector<LoadedKernel> kernels_;
  std::unique_ptr<CublasLibrary> library_;
  DeviceMemory weights_;
  std::vector<CUdeviceptr> weight_pointers_;
};

}  // namespace intaglio::runtime::cuda
