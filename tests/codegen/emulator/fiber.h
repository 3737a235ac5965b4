// Threads of control inside one thread of the CPU: each has a stack of its own and runs until it yields.
#pragma once

#include <cstddef>

namespace intaglio::testing {

class Fiber {
 public:
  /// `body(argument)` begins with the first resume(); no exception may leave it.
  Fiber(void (*body)(void*), void* argument) : body_(body), argument_(argument) {}
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  /// Runs the body until it yields or ends. Not from inside of a fiber.
  void resume();
  bool is_done() const { return done_; }

  /// Back to who resumed the running fiber.
  static void yield();
  /// As yield(), for good: what the fiber's frames own stays as it is. May be called in a signal handler.
  [[noreturn]] static void abandon();

 private:
  static void begin();

  void (*body_)(void*);
  void* argument_;
  std::byte* stack_ = nullptr;       ///< from the first resume() to the end
  void* stack_pointer_ = nullptr;    ///< while it does not run
  void* resumer_ = nullptr;          ///< the stack pointer of who resumed it
  bool done_ = false;
};

}  // namespace intaglio::testing
