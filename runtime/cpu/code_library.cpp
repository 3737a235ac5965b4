// See code_library.h.

#include "runtime/cpu/code_library.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "support/diagnostics.h"
#include "support/temporary_folder.h"

namespace intaglio::runtime {
namespace {

[[noreturn]] void fail(const std::string& subject, const std::string& what, int error, const std::string& help) {
  throw CompileError(ErrorCode::environment, Diagnostic{subject, fmt::format("{}: {}", what, std::strerror(error)), "", "", help});
}

void write_all(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail("code", "the artifact's code cannot be copied to memory", errno, "free some memory");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

/// An anonymous file in memory, or an unlinked temporary one where that is refused.
int open_anonymous() {
  const int descriptor = memfd_create("intaglio", MFD_CLOEXEC);
  if (descriptor >= 0) return descriptor;
  std::string pattern = temporary_files() / "intaglio-XXXXXX";
  const int temporary = mkostemp(pattern.data(), O_CLOEXEC);
  if (temporary < 0) fail(pattern, "no file can be made for the artifact's code", errno, "set TMPDIR to a writable folder");
  unlink(pattern.c_str());
  return temporary;
}

}  // namespace

CodeLibrary::CodeLibrary(std::span<const std::byte> bytes) : descriptor_(open_anonymous()) {
  try {
    write_all(descriptor_, bytes);
  } catch (...) {
    close(descriptor_);
    throw;
  }
  handle_ = dlopen(fmt::format("/proc/self/fd/{}", descriptor_).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle_) {
    close(descriptor_);
    throw CompileError(ErrorCode::invalid, Diagnostic{"code", fmt::format("the artifact's code cannot be loaded: {}", dlerror()), "", "",
                                                      "compile the model again"});
  }
}

CodeLibrary::~CodeLibrary() {
  dlclose(handle_);
  close(descriptor_);
}

IntaglioKernel CodeLibrary::kernel(const char* name) const { return reinterpret_cast<IntaglioKernel>(dlsym(handle_, name)); }

}  // namespace intaglio::runtime
