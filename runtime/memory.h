// Page-aligned host memory.
#pragma once

#include <cstdint>

namespace intaglio::runtime {

/// Memory aligned to a page, grown on demand, never shrunk.
class Memory {
 public:
  ~Memory();
  Memory() = default;
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  /// At least `bytes` bytes; what was there is lost when it grows.
  char* reserve(std::int64_t bytes);
  std::int64_t size() const { return size_; }

 private:
  void* data_ = nullptr;
  std::int64_t size_ = 0;
};

}  // namespace intaglio::runtime
