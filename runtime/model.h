// A loaded artifact: mapped, checked, on the device that it will run on. Immutable.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "intaglio/artifact.h"
#include "intaglio/plan_generated.h"
#include "intaglio/runtime.h"
#include "runtime/mapped_file.h"

namespace intaglio::runtime {

class Target;

/// An input or output in both forms that the user sees.
struct Port {
  intaglio_port c = {};
  std::string name;
  std::string text;  ///< "f32[batch,3,224,224]"
};

class Model {
 public:
  /// Opens and checks an artifact, and loads its best variant for `device`: an ordinal of a GPU, INTAGLIO_DEVICE_CPU, or
  /// INTAGLIO_DEVICE_BEST. CompileError tells what is wrong with the artifact, or with the device.
  explicit Model(const std::string& path, int device = INTAGLIO_DEVICE_BEST);
  ~Model();

  const plan::Plan& plan() const { return *plan_; }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  const Target& target() const { return *target_; }
  const std::byte* weights() const { return weights_.data(); }
  const std::string& manifest() const { return manifest_; }
  const std::string& layers() const { return layers_; }
  /// "conv 'layer1/conv1'": what a failing step is called in messages.
  std::string step_name(std::uint32_t step) const;

 private:
  void check_plan() const;
  void read_ports();

  std::string path_;
  std::unique_ptr<MappedFile> file_;
  std::span<const std::byte> weights_;
  const plan::Plan* plan_ = nullptr;
  std::vector<Port> inputs_, outputs_;
  std::string manifest_, layers_;
  std::unique_ptr<Target> target_;
};

}  // namespace intaglio::runtime
