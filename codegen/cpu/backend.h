// The CPU back end: which generator serves a kernel, and LLVM from there to a shared library.
#pragma once

#include "codegen/backend.h"
#include "codegen/cpu/target.h"
#include "codegen/schedule/step_format.h"

namespace intaglio::cpu {

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(const CodegenOptions& options) : options_(options), target_(resolve_cpu(options.cpu)) {}

  const CpuTarget& target() const { return target_; }
  std::string variant() const override { return "cpu-" + target_.name; }
  nlohmann::ordered_json requirements() const override;
  std::string code_name() const override;
  TargetTraits traits() const override;
  KernelChoice plan_kernel(const Node& kernel_node) const override;
  Tensor pack_weights(const Node& kernel_node) const override;
  GeneratedCode generate(const std::vector<KernelPlan>& kernels) const override;
  std::string emit(const std::vector<KernelPlan>& kernels, std::string_view stage) const override;

 private:
  CodegenOptions options_;
  CpuTarget target_;
};

/// The constant `b` of a contraction in panels, with the steps that `dot` can multiply at once side by side; see docs/artifact.md.
Tensor pack_panels(const Node& kernel_node, const DotTraits& dot);
/// The weights of 4 bits that `spec`, the contraction of the kernel, unpacks, in panels, and after them the panels of their scales.
Tensor pack_int4_panels(const Node& kernel_node, const Contraction& spec);

}  // namespace intaglio::cpu
