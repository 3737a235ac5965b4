// See guarded_memory.h.
#include "tests/codegen/guarded_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <new>

namespace intaglio::testing {
namespace {

std::size_t page_size() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

}  // namespace

GuardedMemory::GuardedMemory(std::size_t bytes, Guard guard) : usable_((bytes + page_size() - 1) / page_size() * page_size()) {
  void* mapped = mmap(nullptr, usable_ + 2 * page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  pages_ = static_cast<std::byte*>(mapped);
  std::byte* begin = pages_ + page_size();
  if (usable_ > 0 && mprotect(begin, usable_, PROT_READ | PROT_WRITE) != 0) throw std::bad_alloc();
  data_ = guard == Guard::before ? begin : begin + usable_ - bytes;
  std::memset(begin, 0xff, usable_);
}

GuardedMemory::~GuardedMemory() { munmap(pages_, usable_ + 2 * page_size()); }

void GuardedMemory::make_read_only() { protect(PROT_READ); }
void GuardedMemory::make_inaccessible() { protect(PROT_NONE); }
void GuardedMemory::make_writable() { protect(PROT_READ | PROT_WRITE); }

void GuardedMemory::protect(int access) {
  if (usable_ > 0 && mprotect(pages_ + page_size(), usable_, access) != 0) throw std::bad_alloc();
}

}  // namespace intaglio::testing
