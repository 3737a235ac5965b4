// Memory between two pages that end the test when they are touched.
#pragma once

#include <cstddef>

namespace intaglio::testing {

/// Which end of the memory lies right at a forbidden page. The other end is up to a page away from one.
enum class Guard { before, after };

/// Filled with ones, as floats NaN, so that what is read before it is written shows.
class GuardedMemory {
 public:
  GuardedMemory(std::size_t bytes, Guard guard);
  ~GuardedMemory();
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  std::byte* data() const { return data_; }
  /// What ends the test from now on besides: writing, any access, neither.
  void make_read_only();
  void make_inaccessible();
  void make_writable();

 private:
  void protect(int access);

  std::byte* pages_ = nullptr;  ///< the forbidden page before, the usable ones, the forbidden page after
  std::byte* data_ = nullptr;
  std::size_t usable_ = 0;
};

}  // namespace intaglio::testing
