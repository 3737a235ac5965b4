// Asynchronous copies to shared memory, and the barriers there.
#include <algorithm>
#include <cstring>
#include <utility>

#include "tests/codegen/emulator/block.h"

namespace intaglio::testing {

void touch(const void* source) { static_cast<void>(*static_cast<const volatile char*>(source)); }

void PendingCopy::complete() const {
  std::byte* memory = Block::current().shared().at(to, static_cast<std::size_t>(bytes), static_cast<std::uint32_t>(bytes));
  std::memcpy(memory, from, static_cast<std::size_t>(bytes_read));
  std::memset(memory + bytes_read, 0, static_cast<std::size_t>(bytes - bytes_read));
}

namespace {

void end_phase_if_complete(MemoryBarrier& barrier) {
  if (barrier.missing_arrivals > 0 || barrier.missing_bytes != 0) return;
  ++barrier.phase;
  barrier.missing_arrivals = barrier.count;
}

void arrive(MemoryBarrier& barrier) {
  if (--barrier.missing_arrivals < 0) throw EmulationError(fmt::format("more than {} threads arrive at a barrier in one phase", barrier.count));
  end_phase_if_complete(barrier);
}

/// As late as it can be: when the barrier keeps somebody waiting.
void deliver(MemoryBarrier& barrier) {
  const auto deliveries = std::exchange(barrier.deliveries, {});
  for (const auto& delivery : deliveries) delivery();
  if (!deliveries.empty()) end_phase_if_complete(barrier);
}

}  // namespace

namespace emulated {

void copy_async(unsigned to, const void* from, int bytes, int bytes_read) {
  Block& block = Block::current();
  if (bytes_read > 0 && reinterpret_cast<std::uintptr_t>(from) % static_cast<unsigned>(bytes) != 0) {
    throw EmulationError(fmt::format("cp.async of {} bytes from an address that is not aligned to them", bytes));
  }
  if (bytes_read > 0) touch(from);
  std::memset(block.shared().at(to, static_cast<std::size_t>(bytes), static_cast<std::uint32_t>(bytes)), 0xff, static_cast<std::size_t>(bytes));
  block.copies().back().push_back({to, from, bytes, bytes_read});
}

void copy_commit() { Block::current().copies().emplace_back(); }

void copy_wait(int pending) {
  CopyGroups& groups = Block::current().copies();
  while (static_cast<int>(groups.size()) - 1 > pending) {
    for (const PendingCopy& copy : groups.front()) copy.complete();
    groups.pop_front();
  }
}

void barrier_init(unsigned barrier, unsigned count) {
  Block& block = Block::current();
  block.shared().at(barrier, sizeof(std::uint64_t), sizeof(std::uint64_t));
  if (block.barriers().contains(barrier)) throw EmulationError(fmt::format("the barrier at {:#x} is initialised twice", barrier));
  MemoryBarrier& made = block.barriers()[barrier];
  made.count = count;
  made.missing_arrivals = count;
}

void barrier_arrive(unsigned barrier, unsigned bytes) {
  MemoryBarrier& at = Block::current().barrier(barrier);
  at.missing_bytes += bytes;
  intaglio::testing::arrive(at);
}

void barrier_wait(unsigned barrier, unsigned parity) {
  Block& block = Block::current();
  MemoryBarrier& at = block.barrier(barrier);
  const auto is_over = [&at, parity] {
    if (at.phase % 2 != parity) return true;
    deliver(at);
    return at.phase % 2 != parity;
  };
  block.wait_until(is_over, "the shared memory barrier", barrier);
}

}  // namespace emulated
}  // namespace intaglio::testing
