// See tensor_map.h; and the copies.
#include "tests/codegen/emulator/tensor_map.h"

#include <cstring>

#include "tests/codegen/emulator/block.h"

namespace intaglio::testing {
namespace {

constexpr std::int64_t kAlignment = 16;

void require(bool holds, const char* what) {
  if (!holds) throw EmulationError(fmt::format("a tensor map: {}", what));
}

/// Elements of a copy in the order in which they come, the innermost dimension first; `visit` gets the position of each.
template <typename Visit>
void for_each_in_box(const EmulatedTensorMap& map, const std::vector<std::int64_t>& at, const Visit& visit) {
  std::vector<std::int64_t> position = at;
  const std::size_t rank = map.extents.size();
  for (std::size_t d = 0; d < rank;) {
    visit(position);
    for (d = 0; d < rank; ++d) {
      position[d] += map.steps[d];
      if (position[d] < at[d] + map.box[d]) break;
      position[d] = at[d];
    }
  }
}

/// Pixels follow each other along w, then h, then images, each within the box that `lower` and `upper` leave.
template <typename Visit>
void for_each_pixel(const EmulatedTensorMap& map, std::vector<std::int64_t> at, const std::vector<std::int64_t>& offsets, const Visit& visit) {
  const std::size_t images = map.extents.size() - 1;
  for (int pixel = 0; pixel < map.pixels; ++pixel) {
    std::vector<std::int64_t> position = at;
    for (std::size_t d = 1; d < images; ++d) position[d] += offsets[d - 1];
    for (int channel = 0; channel < map.channels; ++channel, ++position[0]) visit(position);
    std::size_t d = 1;
    for (; d < images; ++d) {
      at[d] += map.steps[d];
      if (at[d] < map.extents[d] + map.upper[d - 1]) break;
      at[d] = map.lower[d - 1];
    }
    if (d == images) ++at[d];
  }
}

/// The copy's bytes come when somebody waits for the barrier.
void start_copy(std::uint32_t to, const EmulatedTensorMap& map, std::uint32_t barrier, const std::vector<std::int64_t>& at, const std::vector<std::int64_t>& offsets) {
  Block& block = Block::current();
  map.check();
  touch(map.base);
  if (at.size() != map.extents.size()) throw EmulationError(fmt::format("{} coordinates for a tensor map of {} dimensions", at.size(), map.extents.size()));
  const std::int64_t bytes = map.bytes();
  std::memset(block.shared().at(to, static_cast<std::size_t>(bytes), 128), 0xff, static_cast<std::size_t>(bytes));
  MemoryBarrier& waited = block.barrier(barrier);
  waited.deliveries.push_back([&block, &map, &waited, to, at, offsets, bytes] {
    std::uint32_t address = to;
    const auto size = static_cast<std::uint32_t>(map.element_bytes);
    const auto copy = [&](const std::vector<std::int64_t>& position) {
      std::byte* memory = block.shared().at(swizzled_address(address, map.swizzle), size, size);
      const std::byte* element = map.element(position);
      if (element) std::memcpy(memory, element, size);
      else std::memset(memory, 0, size);
      address += size;
    };
    if (map.box.empty()) for_each_pixel(map, at, offsets, copy);
    else for_each_in_box(map, at, copy);
    waited.missing_bytes -= bytes;
  });
}

const EmulatedTensorMap& map_of(const void* parameter) {
  const EmulatedTensorMap* map = static_cast<const TensorMapParameter*>(parameter)->map;
  require(map != nullptr, "it was not encoded");
  return *map;
}

}  // namespace

void EmulatedTensorMap::check() const {
  const std::size_t rank = extents.size();
  require(rank >= 1 && rank <= 5 && strides.size() + 1 == rank && steps.size() == rank, "the number of dimensions");
  require(reinterpret_cast<std::uintptr_t>(base) % kAlignment == 0, "an address that is no multiple of 16");
  for (std::int64_t stride : strides) require(stride % kAlignment == 0, "a stride that is no multiple of 16 bytes");
  const std::int64_t line = (box.empty() ? channels : (box[0] + steps[0] - 1) / steps[0]) * element_bytes;
  require(swizzle == 0 || line <= swizzle, "lines that are longer than the swizzled ones");
  require(line % kAlignment == 0, "lines that are no multiple of 16 bytes");
  for (int extent : box) require(extent >= 1 && extent <= 256, "a box of more than 256 elements along a dimension");
  require(!box.empty() || (rank >= 3 && channels <= 256 && pixels <= 1024 && lower.size() == rank - 2 && upper.size() == rank - 2), "im2col");
}

std::int64_t EmulatedTensorMap::bytes() const {
  if (box.empty()) return std::int64_t{channels} * pixels * element_bytes;
  std::int64_t total = element_bytes;
  for (std::size_t d = 0; d < box.size(); ++d) total *= (box[d] + steps[d] - 1) / steps[d];
  return total;
}

const std::byte* EmulatedTensorMap::element(const std::vector<std::int64_t>& position) const {
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < extents.size(); ++d) {
    if (position[d] < 0 || position[d] >= extents[d]) return nullptr;
    offset += position[d] * (d == 0 ? element_bytes : strides[d - 1]);
  }
  return base + offset;
}

std::uint32_t swizzled_address(std::uint32_t address, int swizzle) {
  const auto mixed = static_cast<std::uint32_t>(swizzle / 16);
  return mixed == 0 ? address : address ^ ((address >> 7 & (mixed - 1)) << 4);
}

namespace emulated {

void tma_load(unsigned to, const void* map, unsigned barrier, const int* coordinates, int rank) {
  start_copy(to, map_of(map), barrier, {coordinates, coordinates + rank}, {});
}

void tma_load_im2col(unsigned to, const void* map, unsigned barrier, const int* coordinates, int rank, const unsigned short* offsets) {
  start_copy(to, map_of(map), barrier, {coordinates, coordinates + rank}, {offsets, offsets + rank - 2});
}

}  // namespace emulated
}  // namespace intaglio::testing
