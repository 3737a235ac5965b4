// A block of CUDA threads, run one after the other on this thread: each is a fiber, and yields where it must wait for others.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/codegen/emulator/device_calls.h"
#include "tests/codegen/emulator/fiber.h"
#include "tests/codegen/emulator/shared_memory.h"

namespace intaglio::testing {

/// What a kernel must not do, and where it did it.
class EmulationError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

constexpr int kWarpLanes = 32;

/// An asynchronous copy to shared memory: its bytes come when it is completed, and until then the destination is poisoned.
struct PendingCopy {
  std::uint32_t to;
  const void* from;
  int bytes, bytes_read;
  void complete() const;
};

/// Reads a byte: an asynchronous copy may not begin before its source may be read.
void touch(const void* source);

/// A thread's groups of copies, the last one not yet committed.
using CopyGroups = std::deque<std::vector<PendingCopy>>;

/// A product of wgmma under way: what it is of, and the bytes that the thread's part of it had for operands when it began.
struct PendingProduct {
  void* d;
  int columns;
  std::uint64_t a, b;
  bool add;
  emulated::Element element_a, element_b;
  bool transpose_b;
  std::vector<std::byte> operands;
};

/// A thread's groups of products, the last one not yet committed, and the sums that are the hardware's meanwhile.
struct Products {
  std::deque<std::vector<PendingProduct>> groups{1};
  std::map<void*, std::vector<std::uint32_t>> sums;
  bool fenced = false;
};

/// A barrier in shared memory. A phase ends with the last arrival and the last byte.
struct MemoryBarrier {
  std::uint32_t count = 0;
  std::int64_t missing_arrivals = 0;
  std::int64_t missing_bytes = 0;
  std::uint32_t phase = 0;
  std::vector<std::function<void()>> deliveries;  ///< what completes when somebody waits
};

class Cluster;

class Block {
 public:
  /// `kernel` runs the threads' function. Backwards: the last thread goes first.
  Block(Cluster& cluster, unsigned index, int threads, bool backwards, SharedMemory& shared, const std::function<void()>& kernel);
  ~Block();

  /// Runs each thread that has not to wait up to its next wait. False: there was none. Errors: EmulationError of any thread.
  bool run_ready_threads();
  /// Threads that have not ended.
  int alive() const { return alive_; }
  /// Which threads wait for what; a line for each.
  std::string describe_waits() const;

  /// The block that is running.
  static Block& current();
  static bool is_running();

  /// The running thread's.
  int thread() const { return running_; }
  int lane() const { return running_ % kWarpLanes; }
  CopyGroups& copies();
  Products& products();

  /// Lets others run until `is_over`; `what` and `number` say what the thread waits for.
  void wait_until(const std::function<bool()>& is_over, const char* what, std::uint32_t number);
  void sync(int number, int threads);

  /// What the lanes of `mask` gave, each `value` of its own, at this point of the program, which `what` names.
  template <typename T>
  const T* exchange(std::uint32_t mask, const T& value, const char* what) {
    static_assert(sizeof(T) <= kLaneBytes);
    return reinterpret_cast<const T*>(exchange_bytes(mask, &value, sizeof(T), what));
  }

  Cluster& cluster() { return cluster_; }
  SharedMemory& shared() { return shared_; }
  MemoryBarrier& barrier(std::uint32_t address);
  std::map<std::uint32_t, MemoryBarrier>& barriers() { return barriers_; }

  /// Ends the running thread with an error; for a signal handler. `what` is read later.
  [[noreturn]] void fail_in_handler(const char* what);

 private:
  static constexpr std::size_t kLaneBytes = 32;

  struct Thread {
    std::unique_ptr<Fiber> fiber;
    const std::function<bool()>* is_over = nullptr;  ///< of its wait
    std::pair<const char*, std::uint32_t> waits_for;
    CopyGroups copies{1};
    Products products;
    bool done = false;
  };
  struct NamedBarrier {
    int arrived = 0;
    std::uint64_t phase = 0;
  };
  /// Lanes of a warp that do something together. Values have two places: one can be read while the next are given.
  struct Meeting {
    std::uint32_t arrived = 0;
    std::uint64_t phase = 0;
    const char* what = nullptr;
    struct Values {
      alignas(16) std::byte bytes[kWarpLanes * kLaneBytes];
    } values[2];
  };

  static void run_thread(void* block);
  void resume(int thread);
  void end_thread();
  void release_if_complete(NamedBarrier& barrier, int threads);
  const void* exchange_bytes(std::uint32_t mask, const void* value, std::size_t bytes, const char* what);

  Cluster& cluster_;
  unsigned index_;
  bool backwards_;
  SharedMemory& shared_;
  const std::function<void()>& kernel_;
  std::vector<Thread> threads_;
  int running_ = -1;
  int alive_;
  std::exception_ptr failure_;
  const char* fault_ = nullptr;
  std::array<NamedBarrier, 16> named_barriers_;
  std::map<std::pair<int, std::uint32_t>, Meeting> meetings_;  ///< by warp and mask
  std::map<std::uint32_t, MemoryBarrier> barriers_;
};

}  // namespace intaglio::testing
