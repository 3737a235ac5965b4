// See shared_memory.h.
#include "tests/codegen/emulator/shared_memory.h"

#include <algorithm>

#include "tests/codegen/emulator/block.h"

namespace intaglio::testing {
namespace {

/// The strongest alignment that a kernel asks for, and the first address.
constexpr std::uint32_t kAlignment = 1024;

std::uint32_t aligned(std::size_t bytes) { return static_cast<std::uint32_t>((bytes + kAlignment - 1) / kAlignment * kAlignment); }

bool lies_in(const std::byte* pointer, std::span<const std::byte> memory) {
  return pointer >= memory.data() && pointer <= memory.data() + memory.size();
}

}  // namespace

SharedMemory::SharedMemory(std::span<std::byte> declared, std::size_t dynamic_bytes)
    : declared_(declared), declared_address_(kAlignment + static_cast<std::uint32_t>(reinterpret_cast<std::uintptr_t>(declared.data()) % kAlignment)),
      dynamic_address_(aligned(declared_address_ + declared.size())), memory_(aligned(dynamic_bytes), Guard::after),
      dynamic_(memory_.data(), dynamic_bytes) {}

void SharedMemory::poison() {
  std::ranges::fill(declared_, std::byte{0xff});
  std::ranges::fill(dynamic_, std::byte{0xff});
}

std::byte* SharedMemory::dynamic(std::uint32_t alignment) const {
  if (alignment > kAlignment) throw EmulationError(fmt::format("shared memory is not aligned to {} bytes", alignment));
  return dynamic_.data();
}

std::uint32_t SharedMemory::address(const void* pointer) const {
  const auto* byte = static_cast<const std::byte*>(pointer);
  if (lies_in(byte, dynamic_)) return dynamic_address_ + static_cast<std::uint32_t>(byte - dynamic_.data());
  if (lies_in(byte, declared_)) return declared_address_ + static_cast<std::uint32_t>(byte - declared_.data());
  throw EmulationError("the address of what is not in shared memory (or is declared in a template, which the emulator does not know)");
}

std::byte* SharedMemory::at(std::uint32_t address, std::size_t bytes, std::uint32_t alignment) const {
  if (address % alignment != 0) throw EmulationError(fmt::format("shared memory address {} is not aligned to {} bytes", address, alignment));
  const bool is_dynamic = address >= dynamic_address_;
  const std::span<std::byte> memory = is_dynamic ? dynamic_ : declared_;
  const std::uint32_t offset = address - (is_dynamic ? dynamic_address_ : declared_address_);
  if (offset > memory.size() || bytes > memory.size() - offset) {
    throw EmulationError(fmt::format("{} bytes at shared memory address {} are outside of the {} bytes there", bytes, address, memory.size()));
  }
  return memory.data() + offset;
}

}  // namespace intaglio::testing
