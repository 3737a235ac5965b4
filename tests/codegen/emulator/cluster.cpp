// See cluster.h.
#include "tests/codegen/emulator/cluster.h"

#include <algorithm>
#include <cstring>

namespace intaglio::testing {

Cluster::Cluster(unsigned first, int threads, bool backwards, std::deque<SharedMemory>& shared, const std::function<void()>& kernel) : backwards_(backwards) {
  for (SharedMemory& memory : shared) blocks_.emplace_back(*this, first + static_cast<unsigned>(blocks_.size()), threads, backwards, memory, kernel);
}

void Cluster::run() {
  bool alive = true;
  while (alive) {
    alive = false;
    bool moved = false;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      Block& block = blocks_[backwards_ ? blocks_.size() - 1 - i : i];
      moved = block.run_ready_threads() || moved;
      if (block.alive() == 0) continue;
      alive = true;
      // Threads that ended may have been the last that others waited for.
      release_if_complete();
    }
    if (!alive || moved) continue;
    std::string text = "every thread waits:";
    for (const Block& block : blocks_) text += block.describe_waits();
    throw EmulationError(text);
  }
}

void Cluster::release_if_complete() {
  int alive = 0;
  for (const Block& block : blocks_) alive += block.alive();
  if (arrived_ == 0 || arrived_ < alive) return;
  arrived_ = 0;
  ++phase_;
}

void Cluster::sync() {
  const std::uint64_t phase = phase_;
  ++arrived_;
  release_if_complete();
  Block::current().wait_until([&] { return phase_ != phase; }, "the barrier of the cluster", 0);
}

unsigned Cluster::rank() const {
  const auto is_current = [](const Block& block) { return &block == &Block::current(); };
  return static_cast<unsigned>(std::ranges::find_if(blocks_, is_current) - blocks_.begin());
}

SharedMemory& Cluster::shared(unsigned rank) {
  if (rank >= blocks_.size()) throw EmulationError(fmt::format("the cluster of {} blocks has no block {}", blocks_.size(), rank));
  if (blocks_[rank].alive() == 0) throw EmulationError(fmt::format("the shared memory of block {} of the cluster is gone: the block has ended", rank));
  return blocks_[rank].shared();
}

namespace emulated {

void cluster_sync() { Block::current().cluster().sync(); }
unsigned cluster_rank() { return Block::current().cluster().rank(); }

constexpr std::uint32_t kBytes = 16;

void load_from_block(void* to, unsigned address, unsigned rank) {
  std::memcpy(to, Block::current().cluster().shared(rank).at(address, kBytes, kBytes), kBytes);
}
void store_shared(unsigned address, const void* from) { std::memcpy(Block::current().shared().at(address, kBytes, kBytes), from, kBytes); }

}  // namespace emulated
}  // namespace intaglio::testing
