// See mapped_file.h.

#include "runtime/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "support/diagnostics.h"

namespace intaglio::runtime {
namespace {

[[noreturn]] void fail(const std::string& subject, const std::string& what, int error, const std::string& help) {
  throw CompileError(ErrorCode::environment, Diagnostic{subject, fmt::format("{}: {}", what, std::strerror(error)), "", "", help});
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

}  // namespace intaglio::runtime
