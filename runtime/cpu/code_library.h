// Machine code as an artifact holds it.
#pragma once

#include <cstddef>
#include <span>

#include "intaglio/artifact.h"

namespace intaglio::runtime {

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

}  // namespace intaglio::runtime
