// See fiber.h. x86-64 of the System V ABI: a switch saves what a called function must preserve on the old stack, and the stack pointer.
#include "tests/codegen/emulator/fiber.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <new>
#include <vector>

asm(R"(
  .text
  .type intaglio_switch_stack, @function
intaglio_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
  .size intaglio_switch_stack, .-intaglio_switch_stack
)");

/// Leaves the stack, noting where it stood in `from`, and goes on where `to` was noted.
extern "C" void intaglio_switch_stack(void** from, void* to);

namespace intaglio::testing {
namespace {

constexpr std::size_t kStackBytes = 256 << 10;
constexpr std::size_t kGuardBytes = 4096;
constexpr std::size_t kSavedRegisters = 6;

Fiber* running = nullptr;

/// Stacks that no fiber uses now.
std::vector<std::byte*>& free_stacks() {
  static std::vector<std::byte*> stacks;
  return stacks;
}

std::byte* take_stack() {
  if (!free_stacks().empty()) {
    std::byte* stack = free_stacks().back();
    free_stacks().pop_back();
    return stack;
  }
  void* mapped = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (mapped == MAP_FAILED || mprotect(mapped, kGuardBytes, PROT_NONE) != 0) throw std::bad_alloc();
  return static_cast<std::byte*>(mapped);
}

}  // namespace

Fiber::~Fiber() {
  if (stack_) free_stacks().push_back(stack_);
}

void Fiber::begin() {
  running->body_(running->argument_);
  abandon();
}

void Fiber::resume() {
  if (!stack_) {
    stack_ = take_stack();
    // As if begin() had been called and had switched away at once: registers, then the return address where a call would leave it.
    void** top = reinterpret_cast<void**>(stack_ + kStackBytes) - 2;
    *top = reinterpret_cast<void*>(&Fiber::begin);
    stack_pointer_ = top - kSavedRegisters;
  }
  running = this;
  intaglio_switch_stack(&resumer_, stack_pointer_);
  running = nullptr;
  if (!done_) return;
  free_stacks().push_back(stack_);
  stack_ = nullptr;
}

void Fiber::yield() { intaglio_switch_stack(&running->stack_pointer_, running->resumer_); }

void Fiber::abandon() {
  running->done_ = true;
  yield();
  std::abort();
}

}  // namespace intaglio::testing
