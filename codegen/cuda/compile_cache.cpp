// See compile_cache.h.

#include "codegen/cuda/compile_cache.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace intaglio::cuda {
namespace {

namespace fs = std::filesystem;

/// A variable of the environment that names a folder; what is empty names none.
const char* named_folder(const char* variable) {
  const char* folder = std::getenv(variable);
  return folder && *folder ? folder : nullptr;
}

/// Empty where there is no place for one.
fs::path cache_folder() {
  if (const char* given = named_folder("INTAGLIO_CACHE")) return fs::path(given) / "cuda";
  if (const char* given = named_folder("XDG_CACHE_HOME")) return fs::path(given) / "intaglio/cuda";
  if (const char* home = named_folder("HOME")) return fs::path(home) / ".cache/intaglio/cuda";
  return {};
}

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Written beside its name and renamed when whole: another process may look.
void write(const fs::path& path, const std::string& bytes) {
  std::error_code ignored;
  fs::create_directories(path.parent_path(), ignored);
  fs::path part = path;
  part += fmt::format(".{}.part", getpid());
  {
    std::ofstream out(part, std::ios::binary);
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (!out.flush()) {
      fs::remove(part, ignored);
      return;
    }
  }
  fs::rename(part, path, ignored);
}

}  // namespace

std::string compile_cached(const std::string& source, const std::string& name, const CudaTarget& target) {
  const fs::path folder = cache_folder();
  if (folder.empty()) return compile_cuda(source, name, target);
  const std::string key = fmt::format("{}\n{}\n{}", nvrtc_version(), target.arch, source);
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  const fs::path path = folder / fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
  if (std::string known = read(path); !known.empty()) return known;
  std::string code = compile_cuda(source, name, target);
  write(path, code);
  return code;
}

}  // namespace intaglio::cuda
