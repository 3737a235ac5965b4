// A file mapped into memory, read-only.
#pragma once

#include <cstddef>
#include <span>
#include <string>

namespace intaglio::runtime {

class MappedFile {
 public:
  /// CompileError (environment) if it cannot be mapped.
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace intaglio::runtime
