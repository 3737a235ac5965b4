// Views that emulated kernels copy from by TMA: what the driver would encode, spelled out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace intaglio::testing {

/// See TensorMap of codegen/kernel_plan.h, whose dimensions and strides are numbers here.
struct EmulatedTensorMap {
  const std::byte* base = nullptr;
  int element_bytes = 2;
  std::vector<std::int64_t> extents, strides;
  std::vector<int> steps;
  int swizzle = 128;
  std::vector<int> box;  ///< empty in im2col mode
  std::vector<std::int64_t> lower, upper;
  int channels = 0, pixels = 0;

  /// Errors: what the driver would not encode.
  void check() const;
  /// Bytes of one copy.
  std::int64_t bytes() const;
  /// The element at a position, element_bytes of it; null outside of the view.
  const std::byte* element(const std::vector<std::int64_t>& position) const;
};

/// What a kernel takes: 128 bytes that hold the map's address.
struct alignas(64) TensorMapParameter {
  const EmulatedTensorMap* map = nullptr;
  std::uint64_t rest[15] = {};
};

/// Where a byte of a swizzled tile lies: chunks of 16 bytes change places by the lines of 128 bytes they are in.
std::uint32_t swizzled_address(std::uint32_t address, int swizzle);

}  // namespace intaglio::testing
