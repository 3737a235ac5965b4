// One pool of threads a process. Work is a range of tasks that threads take in chunks; the caller works too.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace intaglio::runtime {

class ThreadPool {
 public:
  static ThreadPool& instance();
  ~ThreadPool();

  /// A function over tasks [begin, end) on worker `worker`, which is 0 for the caller. Returns 0 or a code that stops the rest.
  struct Job {
    std::int32_t (*run)(void* context, std::int64_t begin, std::int64_t end, std::int32_t worker) = nullptr;
    void* context = nullptr;
  };

  /// Starts threads until `threads`, the caller included, can work.
  void reserve(int threads);

  /// Runs all tasks on up to `threads` threads and returns the first code that is not 0, or 0. A caller who finds the pool busy runs all tasks itself.
  /// `used` is set to the number of threads that were asked to work.
  std::int32_t run(Job job, std::int64_t tasks, int threads, int* used);

 private:
  struct Worker;
  ThreadPool() = default;
  void work(Worker& worker);
  void take_chunks(std::int32_t worker);
  void help(const Worker& worker);

  std::mutex busy_;    ///< held while a job runs
  std::mutex grow_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<int> worker_count_{0};
  std::atomic<bool> stopping_{false};

  // The job that runs now. Written by the caller before a worker is woken.
  Job job_;
  std::int64_t tasks_ = 0;
  std::int64_t chunk_ = 1;
  int helpers_ = 0;
  alignas(64) std::atomic<std::int64_t> next_{0};
  /// Whether the job may still be entered, and how many workers are in it. The caller waits for those alone: a worker that the system has not scheduled holds nobody up.
  alignas(64) std::atomic<std::uint32_t> gate_{0};
  alignas(64) std::atomic<std::int32_t> failure_{0};
};

}  // namespace intaglio::runtime
