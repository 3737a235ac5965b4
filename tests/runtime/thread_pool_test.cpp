// The pool by itself: every task once, whoever calls.
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <memory>

#include "runtime/cpu/thread_pool.h"

namespace intaglio::runtime {
namespace {

/// Counts how often each task runs, and on which workers.
struct Counts {
  explicit Counts(std::int64_t tasks) : tasks_(tasks), runs(new std::atomic<int>[static_cast<std::size_t>(tasks)]()) {}

  ThreadPool::Job job() {
    return {[](void* context, std::int64_t begin, std::int64_t end, std::int32_t worker) {
              Counts& counts = *static_cast<Counts*>(context);
              for (std::int64_t i = begin; i < end; ++i) ++counts.runs[static_cast<std::size_t>(i)];
              if (worker < 0 || worker >= 64 || begin >= end || end > counts.tasks_) ++counts.wrong;
              counts.workers |= std::uint64_t{1} << worker;
              return 0;
            },
            this};
  }
  void expect_each_once() const {
    for (std::int64_t i = 0; i < tasks_; ++i) ASSERT_EQ(runs[static_cast<std::size_t>(i)], 1) << "task " << i << " of " << tasks_;
    EXPECT_EQ(wrong, 0);
  }

  std::int64_t tasks_;
  std::unique_ptr<std::atomic<int>[]> runs;
  std::atomic<int> wrong{0};
  std::atomic<std::uint64_t> workers{0};
};

TEST(ThreadPool, RunsEveryTaskOnce) {
  ThreadPool& pool = ThreadPool::instance();
  pool.reserve(5);
  for (int threads : {1, 2, 3, 5}) {
    for (std::int64_t tasks : {1, 2, 3, 4, 5, 7, 15, 16, 17, 100, 1001, 20000}) {
      for (int repeat = 0; repeat < 20; ++repeat) {
        Counts counts(tasks);
        int used = 0;
        EXPECT_EQ(pool.run(counts.job(), tasks, threads, &used), 0);
        counts.expect_each_once();
        EXPECT_EQ(used, std::min<std::int64_t>(threads, tasks));
        EXPECT_LT(counts.workers, std::uint64_t{1} << used) << "a worker that has no scratch";
      }
    }
  }
}

// A worker that wakes late must not enter the next job as if it were its own.
TEST(ThreadPool, KeepsJobsApartThatFollowEachOther) {
  ThreadPool& pool = ThreadPool::instance();
  pool.reserve(4);
  for (int i = 0; i < 5000; ++i) {
    const int threads = 2 + i % 3;
    Counts counts(1 + i % 9);
    int used = 0;
    pool.run(counts.job(), 1 + i % 9, threads, &used);
    counts.expect_each_once();
    EXPECT_LT(counts.workers, std::uint64_t{1} << used);
  }
}

TEST(ThreadPool, LetsManyCallersIn) {
  ThreadPool& pool = ThreadPool::instance();
  pool.reserve(3);
  std::vector<std::future<void>> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.push_back(std::async(std::launch::async, [&pool, caller] {
      for (int i = 0; i < 500; ++i) {
        Counts counts(1 + (i * 7 + caller) % 50);
        int used = 0;
        pool.run(counts.job(), counts.tasks_, 3, &used);
        counts.expect_each_once();
      }
    }));
  }
  for (auto& caller : callers) caller.get();
}

TEST(ThreadPool, LeavesACallerWhoFindsItBusyToItself) {
  ThreadPool& pool = ThreadPool::instance();
  pool.reserve(2);
  struct Holder {
    std::promise<void> entered;
    std::shared_future<void> released;
    std::atomic<bool> told{false};
  } holder;
  std::promise<void> release;
  holder.released = release.get_future().share();
  const ThreadPool::Job wait{[](void* context, std::int64_t, std::int64_t, std::int32_t) {
                               Holder& held = *static_cast<Holder*>(context);
                               if (!held.told.exchange(true)) held.entered.set_value();
                               held.released.wait();
                               return 0;
                             },
                             &holder};
  int used_by_holder = 0;
  auto running = std::async(std::launch::async, [&] { return pool.run(wait, 2, 2, &used_by_holder); });
  holder.entered.get_future().wait();

  Counts counts(100);
  int used = 0;
  EXPECT_EQ(pool.run(counts.job(), 100, 2, &used), 0);
  EXPECT_EQ(used, 1);
  EXPECT_EQ(counts.workers, 1u);
  counts.expect_each_once();
  release.set_value();
  EXPECT_EQ(running.get(), 0);
  EXPECT_EQ(used_by_holder, 2);
}

TEST(ThreadPool, ReturnsTheCodeOfATaskThatFailsAndGoesOnAfterwards) {
  ThreadPool& pool = ThreadPool::instance();
  pool.reserve(3);
  const ThreadPool::Job failing{[](void*, std::int64_t begin, std::int64_t end, std::int32_t) { return begin <= 57 && 57 < end ? 42 : 0; }, nullptr};
  for (int threads : {1, 2, 3}) {
    int used = 0;
    EXPECT_EQ(pool.run(failing, 100, threads, &used), 42);
    Counts counts(100);
    EXPECT_EQ(pool.run(counts.job(), 100, threads, &used), 0);
    counts.expect_each_once();
  }
}

}  // namespace
}  // namespace intaglio::runtime
