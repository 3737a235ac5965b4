// A loaded artifact: mapped, checked, its code linked in. Immutable.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "intaglio/artifact.h"
#include "intaglio/plan_generated.h"
#include "intaglio/runtime.h"

namespace intaglio::runtime {

/// A file mapped into memory, read-only.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// A shared library opened from memory. The descriptor stays open as long as the library: glibc knows libraries by path,
/// and would take another one behind a reused /proc/self/fd/N for this one.
class CodeLibrary {
 public:
  explicit CodeLibrary(std::span<const std::byte> bytes);
  ~CodeLibrary();
  CodeLibrary(const CodeLibrary&) = delete;
  CodeLibrary& operator=(const CodeLibrary&) = delete;
  /// Null if there is no such function.
  IntaglioKernel kernel(const char* name) const;

 private:
  int descriptor_ = -1;
  void* handle_ = nullptr;
};

/// An input or output in both forms that the user sees.
struct Port {
  intaglio_port c = {};
  std::string name;
  std::string text;  ///< "f32[batch,3,224,224]"
};

class Model {
 public:
  /// Opens and checks an artifact. CompileError tells what is wrong with it.
  explicit Model(const std::string& path);

  const plan::Plan& plan() const { return *plan_; }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  const std::vector<IntaglioKernel>& kernels() const { return kernels_; }
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
  std::unique_ptr<CodeLibrary> code_;
  std::span<const std::byte> weights_;
  const plan::Plan* plan_ = nullptr;
  std::vector<Port> inputs_, outputs_;
  std::vector<IntaglioKernel> kernels_;
  std::string manifest_, layers_;
};

}  // namespace intaglio::runtime
