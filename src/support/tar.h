// The tar files that artifacts are: written deterministically, read from mapped memory without trusting a byte.
// Own code, a page each way: the runtime needs an entry's offset in the file to map it, and must not drag an archive library's dozen dependencies into its users.
#pragma once

#include <cstdint>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace intaglio {

struct TarEntry {
  std::string name;
  std::uint64_t offset = 0;  ///< of the content, from the start of the file
  std::uint64_t size = 0;
};

/// Writes ustar entries with fixed times and owners, so that equal contents give equal files.
class TarWriter {
 public:
  explicit TarWriter(std::ostream& out) : out_(out) {}

  /// Writes a whole entry.
  void add(std::string_view name, std::string_view content);
  /// Begins an entry of `size` bytes, which `write` then brings; `end` completes it. With `alignment` its content begins at a multiple of it in the file: a filler entry comes first.
  void begin(std::string_view name, std::uint64_t size, std::uint64_t alignment = 1);
  void write(std::string_view bytes);
  void end();
  /// Writes the end of the archive.
  void finish();

 private:
  void header(std::string_view name, std::uint64_t size);
  void pad();

  std::ostream& out_;
  std::uint64_t position_ = 0;
};

/// The regular files of an archive. CompileError (invalid) about `source` if it is damaged or no tar file.
std::vector<TarEntry> read_tar_index(std::span<const std::byte> file, const std::string& source);

}  // namespace intaglio
