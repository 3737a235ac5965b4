// The functions of a library that was opened with dlopen.
#pragma once

#include <dlfcn.h>

#include <string>

namespace intaglio::runtime::cuda {

/// Fills the functions of a table; what a library lacks says that it is too old.
class LibrarySymbols {
 public:
  explicit LibrarySymbols(void* library) : library_(library) {}
  template <typename F>
  void find(const char* name, F& function) {
    function = reinterpret_cast<F>(dlsym(library_, name));
    if (!function && missing_.empty()) missing_ = name;
  }
  /// The first that was not found; empty if all were.
  const std::string& missing() const { return missing_; }

 private:
  void* library_;
  std::string missing_;
};

}  // namespace intaglio::runtime::cuda
