// See memory.h.

#include "runtime/memory.h"

#include <sys/mman.h>

#include <new>

namespace intaglio::runtime {

Memory::~Memory() {
  if (data_) munmap(data_, static_cast<std::size_t>(size_));
}

char* Memory::reserve(std::int64_t bytes) {
  if (bytes <= size_) return static_cast<char*>(data_);
  constexpr std::int64_t kPage = 1 << 12, kHugePage = 1 << 21;
  const std::int64_t unit = bytes >= kHugePage ? kHugePage : kPage;
  const std::int64_t rounded = (bytes + unit - 1) / unit * unit;
  void* grown = mmap(nullptr, static_cast<std::size_t>(rounded), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (grown == MAP_FAILED) throw std::bad_alloc();
  if (unit == kHugePage) madvise(grown, static_cast<std::size_t>(rounded), MADV_HUGEPAGE);
  if (data_) munmap(data_, static_cast<std::size_t>(size_));
  data_ = grown;
  size_ = rounded;
  return static_cast<char*>(data_);
}

}  // namespace intaglio::runtime
