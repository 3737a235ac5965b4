// The shared memory of a block: what the kernel declares with a size, which the compiler of the emulated kernel places, then the dynamic part.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/codegen/guarded_memory.h"

namespace intaglio::testing {

/// Dynamic memory ends at a forbidden page, so that an access behind it shows. Addresses begin at 1 KiB, as on Hopper, and pointers are
/// congruent to them modulo 1 KiB, which swizzled tiles depend on.
class SharedMemory {
 public:
  SharedMemory(std::span<std::byte> declared, std::size_t dynamic_bytes);

  /// All bytes become ones, which as floats are NaN.
  void poison();
  /// The dynamic part, which the kernel declares with an alignment. Errors: it is less aligned than that.
  std::byte* dynamic(std::uint32_t alignment) const;
  std::uint32_t address(const void* pointer) const;
  /// The bytes [address, address + bytes). Errors: they are not all in shared memory, or not aligned to `alignment`.
  std::byte* at(std::uint32_t address, std::size_t bytes, std::uint32_t alignment) const;

 private:
  std::span<std::byte> declared_;
  std::uint32_t declared_address_, dynamic_address_;
  GuardedMemory memory_;
  std::span<std::byte> dynamic_;
};

}  // namespace intaglio::testing
