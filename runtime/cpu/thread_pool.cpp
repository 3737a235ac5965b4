// Fork and join through one cache line a worker: a ticket that the caller raises, which a worker watches for a while before it sleeps on it.

#include "runtime/cpu/thread_pool.h"

#include <immintrin.h>

#include <algorithm>

namespace intaglio::runtime {
namespace {

/// Turns of the watching loop before a worker sleeps: some 50 to 100 microseconds, longer than the gaps between the steps of a model.
constexpr int kSpins = 4000;
/// Chunks for each thread: few enough to be cheap to take, enough to even out.
constexpr std::int64_t kChunksPerThread = 4;

/// The bit of the gate that lets workers in.
constexpr std::uint32_t kOpen = 1u << 31;

}  // namespace

struct ThreadPool::Worker {
  alignas(64) std::atomic<std::uint32_t> ticket{0};
  std::int32_t number = 0;
  std::thread thread;
};

ThreadPool& ThreadPool::instance() {
  static ThreadPool pool;
  return pool;
}

ThreadPool::~ThreadPool() {
  stopping_ = true;
  for (auto& worker : workers_) {
    worker->ticket.fetch_add(1, std::memory_order_release);
    worker->ticket.notify_one();
  }
  for (auto& worker : workers_) worker->thread.join();
}

void ThreadPool::reserve(int threads) {
  const std::lock_guard lock(grow_);
  const std::lock_guard idle(busy_);
  while (static_cast<int>(workers_.size()) < threads - 1) {
    auto worker = std::make_unique<Worker>();
    worker->number = static_cast<std::int32_t>(workers_.size()) + 1;
    Worker& started = *worker;
    started.thread = std::thread([this, &started] { work(started); });
    workers_.push_back(std::move(worker));
  }
  worker_count_ = static_cast<int>(workers_.size());
}

void ThreadPool::work(Worker& worker) {
  std::uint32_t seen = 0;
  while (true) {
    for (int i = 0; i < kSpins && worker.ticket.load(std::memory_order_acquire) == seen; ++i) _mm_pause();
    worker.ticket.wait(seen, std::memory_order_acquire);
    seen = worker.ticket.load(std::memory_order_acquire);
    if (stopping_) return;
    help(worker);
  }
}

/// Enters the job that is open now, which may be a later one than this worker was woken for, or none.
void ThreadPool::help(const Worker& worker) {
  std::uint32_t gate = gate_.load(std::memory_order_relaxed);
  do {
    if (!(gate & kOpen)) return;
  } while (!gate_.compare_exchange_weak(gate, gate + 1, std::memory_order_acquire, std::memory_order_relaxed));
  // Scratch is there for as many workers as the job asked for.
  if (worker.number <= helpers_) take_chunks(worker.number);
  gate_.fetch_sub(1, std::memory_order_release);
}

void ThreadPool::take_chunks(std::int32_t worker) {
  while (failure_.load(std::memory_order_relaxed) == 0) {
    const std::int64_t begin = next_.fetch_add(chunk_, std::memory_order_relaxed);
    if (begin >= tasks_) return;
    const std::int32_t code = job_.run(job_.context, begin, std::min(begin + chunk_, tasks_), worker);
    if (code != 0) failure_.store(code, std::memory_order_relaxed);
  }
}

std::int32_t ThreadPool::run(Job job, std::int64_t tasks, int threads, int* used) {
  const auto helpers = static_cast<int>(std::min<std::int64_t>(std::min(threads - 1, worker_count_.load(std::memory_order_relaxed)), tasks - 1));
  std::unique_lock lock(busy_, std::defer_lock);
  if (helpers <= 0 || !lock.try_lock()) {
    *used = 1;
    return job.run(job.context, 0, tasks, 0);
  }
  *used = helpers + 1;
  job_ = job;
  tasks_ = tasks;
  chunk_ = std::max<std::int64_t>(1, tasks / ((helpers + 1) * kChunksPerThread));
  next_.store(0, std::memory_order_relaxed);
  failure_.store(0, std::memory_order_relaxed);
  helpers_ = helpers;
  gate_.store(kOpen, std::memory_order_release);
  for (int i = 0; i < helpers; ++i) {
    workers_[static_cast<std::size_t>(i)]->ticket.fetch_add(1, std::memory_order_release);
    workers_[static_cast<std::size_t>(i)]->ticket.notify_one();
  }
  take_chunks(0);
  gate_.fetch_and(~kOpen, std::memory_order_acquire);
  for (int i = 0; gate_.load(std::memory_order_acquire) != 0; ++i) {
    if (i < kSpins) {
      _mm_pause();
    } else {
      std::this_thread::yield();
    }
  }
  return failure_.load(std::memory_order_relaxed);
}

}  // namespace intaglio::runtime
