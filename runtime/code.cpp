// Maps files and opens code from memory.

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "runtime/model.h"
#include "support/diagnostics.h"

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
  const char* folder = std::getenv("TMPDIR");
  std::string pattern = std::string(folder ? folder : "/tmp") + "/intaglio-XXXXXX";
  const int temporary = mkostemp(pattern.data(), O_CLOEXEC);
  if (temporary < 0) fail(pattern, "no file can be made for the artifact's code", errno, "set TMPDIR to a writable folder");
  unlink(pattern.c_str());
  return temporary;
}

}  // namespace

MappedFile::MappedFile(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail(path, "the artifact cannot be opened", errno, "check the path");
  struct stat status = {};
  if (fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    close(descriptor);
    fail(path, "the artifact cannot be opened", S_ISDIR(status.st_mode) ? EISDIR : EINVAL, "name an artifact file");
  }
  size_ = static_cast<std::size_t>(status.st_size);
  if (size_ > 0) data_ = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  const int error = errno;
  close(descriptor);
  if (data_ == MAP_FAILED) {
    data_ = nullptr;
    fail(path, "the artifact cannot be mapped", error, "free some memory");
  }
}

MappedFile::~MappedFile() {
  if (data_) munmap(data_, size_);
}

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
    throw CompileError(ErrorCode::invalid, Diagnostic{"code", fmt::format("the artifact's code cannot be loaded: {}", dlerror()), "", "", "compile the model again"});
  }
}

CodeLibrary::~CodeLibrary() {
  dlclose(handle_);
  close(descriptor_);
}

IntaglioKernel CodeLibrary::kernel(const char* name) const { return reinterpret_cast<IntaglioKernel>(dlsym(handle_, name)); }

}  // namespace intaglio::runtime
