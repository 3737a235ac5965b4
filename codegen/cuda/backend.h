// The CUDA back end: each kernel as CUDA C++, compiled by NVRTC. No GPU is needed.
#pragma once

#include "codegen/backend.h"
#include "codegen/cuda/nvrtc.h"

namespace intaglio::cuda {

class CudaBackend final : public Backend {
 public:
  CudaBackend(const CodegenOptions& options, const std::string& arch) : options_(options), target_(resolve_arch(arch)) {}

  std::string variant() const override { return "cuda-" + target_.arch; }
  nlohmann::ordered_json requirements() const override;
  std::string code_name() const override;
  TargetTraits traits() const override;
  KernelChoice plan_kernel(const Node& kernel_node) const override;
  Tensor pack_weights(const Node& kernel_node) const override;
  GeneratedCode generate(const std::vector<KernelPlan>& kernels) const override;
  std::string emit(const std::vector<KernelPlan>& kernels, std::string_view stage) const override;

 private:
  CodegenOptions options_;
  CudaTarget target_;
};

}  // namespace intaglio::cuda
