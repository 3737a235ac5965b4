// Where files live that nobody is to keep.
#pragma once

#include <filesystem>

namespace intaglio {

/// The folder that temporary files belong in: TMPDIR, or /tmp where it is empty or not set. It may not exist.
std::filesystem::path temporary_files();

/// A private folder that goes away with this object, with all that it holds.
class TemporaryFolder {
 public:
  /// CompileError (environment) if none can be made.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace intaglio
