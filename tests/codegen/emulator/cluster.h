// Blocks that run at once and read each other's shared memory. A block by itself is a cluster of one.
#pragma once

#include <deque>
#include <functional>
#include <vector>

#include "tests/codegen/emulator/block.h"

namespace intaglio::testing {

class Cluster {
 public:
  /// One block for each shared memory, numbered from `first` on. Backwards: the last block goes first, and the last thread of each.
  Cluster(unsigned first, int threads, bool backwards, std::deque<SharedMemory>& shared, const std::function<void()>& kernel);

  /// Runs all threads to their ends. Errors: EmulationError of any thread; threads that wait for each other.
  void run();

  /// The running thread waits for all threads of all blocks that have not ended.
  void sync();
  unsigned rank() const;
  /// The shared memory of a block. Errors: it has ended.
  SharedMemory& shared(unsigned rank);

 private:
  void release_if_complete();

  std::deque<Block> blocks_;
  bool backwards_;
  int arrived_ = 0;
  std::uint64_t phase_ = 0;
};

}  // namespace intaglio::testing
