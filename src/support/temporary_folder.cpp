// See temporary_folder.h.
#include "support/temporary_folder.h"

#include <stdlib.h>  // mkdtemp

#include <cerrno>
#include <cstring>
#include <string>

#include "support/diagnostics.h"

namespace intaglio {

std::filesystem::path temporary_files() {
  const char* folder = std::getenv("TMPDIR");
  return folder && *folder ? folder : "/tmp";
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = temporary_files() / "intaglio-XXXXXX";
  if (!mkdtemp(pattern.data())) {
    throw CompileError(ErrorCode::environment, Diagnostic{pattern, fmt::format("no temporary folder can be made: {}", std::strerror(errno)), "", "", "set TMPDIR to a writable folder"});
  }
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace intaglio
