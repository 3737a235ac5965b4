// A generated CUDA kernel on the CPU: its source compiled by the C++ compiler, its threads run by the emulator.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace intaglio::testing {

struct EmulatedLaunch {
  unsigned blocks = 1;
  unsigned threads = 32;  ///< of a block
  std::size_t shared_bytes = 0;
  /// The last block goes first, and the last thread of each: what depends on the order shows as a difference.
  bool backwards = false;
  /// For a kernel that starts before the one before it has ended: called when the first thread waits for that.
  std::function<void()> previous_ends = {};
};

class EmulatedKernel {
 public:
  /// Compiles `source` (without the prelude), whose kernel is called `name`; once for equal sources in this build folder.
  EmulatedKernel(const std::string& source, const std::string& name);
  ~EmulatedKernel();
  EmulatedKernel(const EmulatedKernel&) = delete;
  EmulatedKernel& operator=(const EmulatedKernel&) = delete;

  /// Runs all blocks, one cluster after the other. `parameters`: a pointer to each, as the driver takes them. Errors: EmulationError for a kernel that
  /// waits forever, touches memory that is not its own, or uses an instruction as it must not.
  void launch(const EmulatedLaunch& launch, void** parameters) const;

 private:
  unsigned cluster_ = 1;  ///< blocks that run at once
  void* library_ = nullptr;
};

}  // namespace intaglio::testing
