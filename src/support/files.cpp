// See files.h.

#include "support/files.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/diagnostics.h"

namespace intaglio {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void cannot_write(const std::string& path, int error) {
  throw CompileError(ErrorCode::environment, Diagnostic{path, fmt::format("the file cannot be written: {}", std::strerror(error ? error : EIO)), "", "",
                                                        error == ENOSPC ? "the disk is full: free some space or write elsewhere" : "choose a folder that exists and that you may write to"});
}

void write_to(const std::string& path, const std::string& shown, const std::function<void(std::ostream&)>& write) {
  errno = 0;
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  if (!out) cannot_write(shown, errno);
  errno = 0;
  write(out);
  out.close();
  if (!out) cannot_write(shown, errno);
}

}  // namespace

std::string read_file(const std::string& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    throw CompileError(ErrorCode::environment, Diagnostic{path, "this is a folder, not a file", "", "", "name a file in it"});
  }
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  if (!in) {
    throw CompileError(ErrorCode::environment, Diagnostic{path, fmt::format("the file cannot be read: {}", std::strerror(errno ? errno : EIO)), "", "", "check the path"});
  }
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::function<void(std::ostream&)>& write) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (fs::is_directory(status)) cannot_write(path, EISDIR);
  if (fs::exists(status) && !fs::is_regular_file(status)) return write_to(path, path, write);
  const std::string beside = fmt::format("{}.part-{}", path, getpid());
  try {
    write_to(beside, path, write);
    fs::rename(beside, path, error);
    if (error) cannot_write(path, error.value());
  } catch (...) {
    fs::remove(beside, error);
    throw;
  }
}

}  // namespace intaglio
