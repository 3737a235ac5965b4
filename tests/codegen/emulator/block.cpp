// See block.h.
#include "tests/codegen/emulator/block.h"

#include <cstring>

namespace intaglio::testing {
namespace emulated {

Dim3 thread_index, block_index, block_extent, grid_extent;

void sync(int number, int threads) { Block::current().sync(number, threads); }
void* dynamic_shared(unsigned alignment) { return Block::current().shared().dynamic(alignment); }
unsigned shared_address(const void* pointer) { return Block::current().shared().address(pointer); }

}  // namespace emulated

namespace {

Block* current_block = nullptr;

}  // namespace

Block::Block(Cluster& cluster, unsigned index, int threads, bool backwards, SharedMemory& shared, const std::function<void()>& kernel)
    : cluster_(cluster), index_(index), backwards_(backwards), shared_(shared), kernel_(kernel), threads_(static_cast<std::size_t>(threads)), alive_(threads) {
  shared_.poison();
}

Block::~Block() { current_block = nullptr; }

Block& Block::current() { return *current_block; }
bool Block::is_running() { return current_block && current_block->running_ >= 0; }

bool Block::run_ready_threads() {
  current_block = this;
  emulated::block_index = {index_, 0, 0};
  bool moved = false;
  const int count = static_cast<int>(threads_.size());
  for (int i = 0; i < count; ++i) {
    const int number = backwards_ ? count - 1 - i : i;
    const Thread& thread = threads_[static_cast<std::size_t>(number)];
    if (thread.done || (thread.is_over && !(*thread.is_over)())) continue;
    moved = true;
    resume(number);
  }
  return moved;
}

void Block::resume(int number) {
  Thread& thread = threads_[static_cast<std::size_t>(number)];
  if (!thread.fiber) thread.fiber = std::make_unique<Fiber>(&Block::run_thread, this);
  running_ = number;
  emulated::thread_index = {static_cast<unsigned>(number), 0, 0};
  thread.fiber->resume();
  if (thread.fiber->is_done()) end_thread();
  running_ = -1;
  const auto where = [&] { return fmt::format("thread {} of block {}", number, index_); };
  if (fault_) throw EmulationError(fmt::format("{}: {}", where(), fault_));
  if (!failure_) return;
  try {
    std::rethrow_exception(failure_);
  } catch (const EmulationError& error) {
    throw EmulationError(fmt::format("{}: {}", where(), error.what()));
  }
}

void Block::run_thread(void* block) {
  auto* self = static_cast<Block*>(block);
  try {
    self->kernel_();
  } catch (...) {
    self->failure_ = std::current_exception();
  }
}

/// A block's barrier does not wait for threads that have ended.
void Block::end_thread() {
  Thread& thread = threads_[static_cast<std::size_t>(running_)];
  thread.done = true;
  thread.fiber.reset();
  --alive_;
  if (alive_ > 0) release_if_complete(named_barriers_[0], 0);
}

CopyGroups& Block::copies() { return threads_[static_cast<std::size_t>(running_)].copies; }

Products& Block::products() { return threads_[static_cast<std::size_t>(running_)].products; }

void Block::wait_until(const std::function<bool()>& is_over, const char* what, std::uint32_t number) {
  if (is_over()) return;
  Thread& thread = threads_[static_cast<std::size_t>(running_)];
  thread.is_over = &is_over;
  thread.waits_for = {what, number};
  Fiber::yield();
  thread.is_over = nullptr;
}

void Block::release_if_complete(NamedBarrier& barrier, int threads) {
  if (barrier.arrived < (threads == 0 ? alive_ : threads)) return;
  barrier.arrived = 0;
  ++barrier.phase;
}

void Block::sync(int number, int threads) {
  if (threads % kWarpLanes != 0) throw EmulationError(fmt::format("barrier {} of {} threads, which are no full warps", number, threads));
  NamedBarrier& barrier = named_barriers_.at(static_cast<std::size_t>(number));
  const std::uint64_t phase = barrier.phase;
  ++barrier.arrived;
  release_if_complete(barrier, threads);
  wait_until([&] { return barrier.phase != phase; }, "barrier", static_cast<std::uint32_t>(number));
}

const void* Block::exchange_bytes(std::uint32_t mask, const void* value, std::size_t bytes, const char* what) {
  if (!(mask >> lane() & 1)) throw EmulationError(fmt::format("{}: lane {} is not in its own mask {:#x}", what, lane(), mask));
  Meeting& meeting = meetings_[{running_ / kWarpLanes, mask}];
  if (meeting.arrived == 0) meeting.what = what;
  if (std::strcmp(meeting.what, what) != 0) throw EmulationError(fmt::format("lanes of a warp meet at {} and at {}", meeting.what, what));
  const std::uint64_t phase = meeting.phase;
  std::byte* values = meeting.values[phase % 2].bytes;
  std::memcpy(values + static_cast<std::size_t>(lane()) * bytes, value, bytes);
  meeting.arrived |= 1u << lane();
  if (meeting.arrived == mask) {
    meeting.arrived = 0;
    ++meeting.phase;
  } else {
    wait_until([&] { return meeting.phase != phase; }, what, mask);
  }
  return values;
}

MemoryBarrier& Block::barrier(std::uint32_t address) {
  const auto found = barriers_.find(address);
  if (found == barriers_.end()) throw EmulationError(fmt::format("no barrier was initialised at shared memory address {}", address));
  return found->second;
}

void Block::fail_in_handler(const char* what) {
  fault_ = what;
  Fiber::abandon();
}

std::string Block::describe_waits() const {
  std::map<std::pair<std::string, std::uint32_t>, std::vector<std::size_t>> waiting;
  for (std::size_t i = 0; i < threads_.size(); ++i) {
    if (!threads_[i].done) waiting[threads_[i].waits_for].push_back(i);
  }
  std::string text;
  for (const auto& [what, threads] : waiting) {
    text += fmt::format("\n  block {}: {} of threads {} to {} wait at {} {:#x}", index_, threads.size(), threads.front(), threads.back(), what.first, what.second);
  }
  for (const auto& [address, barrier] : barriers_) {
    text += fmt::format("\n  block {}: the barrier at {:#x} is in phase {} and lacks {} arrivals and {} bytes", index_, address, barrier.phase,
                        barrier.missing_arrivals, barrier.missing_bytes);
  }
  return text;
}

}  // namespace intaglio::testing
