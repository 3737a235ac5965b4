// What the emulator must find: kernels that go wrong on a GPU now and then go wrong here each time.
#include "tests/codegen/emulator/kernel.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "tests/codegen/emulator/block.h"
#include "tests/codegen/guarded_memory.h"

namespace intaglio::testing {
namespace {

constexpr unsigned kThreads = 64;

/// The results of a block whose thread i runs `body`, with `in` (floats 0, 1, ..) and `out` of kThreads elements, which are NaN where nothing is written.
std::vector<float> run(const std::string& body, bool backwards = false) {
  const std::string source = "extern \"C\" __global__ void __launch_bounds__(64) k(const float* in, float* out) {\n" + body + "\n}\n";
  const GuardedMemory in(kThreads * sizeof(float), Guard::after), out(kThreads * sizeof(float), Guard::after);
  std::iota(reinterpret_cast<float*>(in.data()), reinterpret_cast<float*>(in.data()) + kThreads, 0.0f);
  void *in_pointer = in.data(), *out_pointer = out.data();
  void* parameters[] = {&in_pointer, &out_pointer};
  EmulatedKernel(source, "k").launch({.threads = kThreads, .shared_bytes = 1024, .backwards = backwards}, parameters);
  const auto* results = reinterpret_cast<const float*>(out.data());
  return {results, results + kThreads};
}

std::string error_of(const std::string& body) {
  try {
    run(body);
  } catch (const EmulationError& error) {
    return error.what();
  }
  return "no error";
}

void expect_substring(const std::string& part, const std::string& text) { EXPECT_PRED_FORMAT2(::testing::IsSubstring, part, text); }

/// True if thread i's result is f(i), in either order of the threads.
template <typename F>
bool computes(const std::string& body, const F& f) {
  for (bool backwards : {false, true}) {
    const std::vector<float> results = run(body, backwards);
    for (unsigned i = 0; i < kThreads; ++i) {
      if (results[i] != static_cast<float>(f(i))) return false;
    }
  }
  return true;
}

TEST(Emulator, RunsThreadsAndWarps) {
  EXPECT_TRUE(computes("out[threadIdx.x] = in[threadIdx.x] + 1;", [](unsigned i) { return i + 1; }));
  EXPECT_TRUE(computes("out[threadIdx.x] = __shfl_xor_sync(0xffffffff, in[threadIdx.x], 3);", [](unsigned i) { return i ^ 3; }));
  EXPECT_TRUE(computes("out[threadIdx.x] = op::fold_threads<64, op::Add>(in[threadIdx.x]);", [](unsigned) { return 63 * 64 / 2; }));
}

TEST(Emulator, FindsAMissingBarrier) {
  const std::string exchange = "__shared__ float tile[64];\n tile[threadIdx.x] = in[threadIdx.x];\n {}\n out[threadIdx.x] = tile[63 - threadIdx.x];";
  const auto reversed = [](unsigned i) { return 63 - i; };
  EXPECT_TRUE(computes(fmt::format(fmt::runtime(exchange), "__syncthreads();"), reversed));
  EXPECT_FALSE(computes(fmt::format(fmt::runtime(exchange), ""), reversed));
}

TEST(Emulator, FindsThreadsThatWaitForEachOther) {
  expect_substring("64 of threads 0 to 63 wait at barrier 0x1", error_of("ptx::sync_named(1, threadIdx.x < 32 ? 64 : 96);"));
  expect_substring("wait at __syncwarp", error_of("if (threadIdx.x != 5) __syncwarp();"));
  expect_substring("no error", error_of("if (threadIdx.x < 32) __syncwarp(); else __shfl_sync(0xffffffff, 1, 0);"));
  expect_substring("lanes of a warp meet at", error_of("if (threadIdx.x < 16) __syncwarp(); else __shfl_sync(0xffffffff, 1, 0);"));
  // Threads that have ended are not waited for.
  expect_substring("no error", error_of("if (threadIdx.x == 7) return;\n __syncthreads();"));
}

TEST(Emulator, FindsAccessesOutside) {
  expect_substring("thread 63 of block 0: touches memory at", error_of("out[threadIdx.x] = in[threadIdx.x + 1];"));
  expect_substring("thread 63 of block 0: touches memory at", error_of("out[threadIdx.x + 1] = 1;"));
  expect_substring("thread 4 of block 0: an index outside of an array", error_of("__shared__ float tile[4];\n tile[threadIdx.x] = 1;"));
  expect_substring("not aligned as its type", error_of("out[threadIdx.x] = reinterpret_cast<const float4*>(in + threadIdx.x)->x;"));
  expect_substring("are outside of the 1024 bytes there", error_of("extern __shared__ float tile[];\n uint32 r[4];\n ptx::load_matrix_x4(r, ptx::shared_address(tile) + 1024);"));
}

TEST(Emulator, BringsCopiesWhenTheyAreWaitedFor) {
  const std::string copy = "extern __shared__ float tile[];\n ptx::copy_async<4>(ptx::shared_address(tile + threadIdx.x), in + threadIdx.x, threadIdx.x != 3);\n"
                           "ptx::copy_commit();\n {}\n out[threadIdx.x] = tile[threadIdx.x];";
  const auto copied = [](unsigned i) { return i == 3 ? 0 : i; };
  EXPECT_TRUE(computes(fmt::format(fmt::runtime(copy), "ptx::copy_wait<0>();"), copied));
  EXPECT_FALSE(computes(fmt::format(fmt::runtime(copy), "ptx::copy_wait<1>();"), copied));
  EXPECT_FALSE(computes(fmt::format(fmt::runtime(copy), ""), copied));
}

TEST(Emulator, KnowsPhasesOfBarriers) {
  const std::string wait = "extern __shared__ uint64 barriers[];\n const uint32 barrier = ptx::shared_address(barriers);\n"
                           "if (threadIdx.x == 0) ptx::barrier_init(barrier, {});\n __syncthreads();\n"
                           "if (threadIdx.x < 32) ptx::barrier_arrive(barrier);\n ptx::barrier_wait(barrier, 0);";
  EXPECT_EQ(error_of(fmt::format(fmt::runtime(wait), 32)), "no error");
  expect_substring("is in phase 0 and lacks 1 arrivals and 0 bytes", error_of(fmt::format(fmt::runtime(wait), 33)));
  expect_substring("is in phase 1 and lacks 32 arrivals", error_of(fmt::format(fmt::runtime(wait), 32) + "\n ptx::barrier_wait(barrier, 1);"));
  expect_substring("no barrier was initialised", error_of("extern __shared__ uint64 barriers[];\n ptx::barrier_wait(ptx::shared_address(barriers), 0);"));
}

TEST(Emulator, KnowsWhenTheKernelBeforeHasEnded) {
  const auto error = [](const std::string& body) -> std::string {
    const std::string source = "extern \"C\" __global__ void k(const float* in, float* out) {\n" + body + "\n}\n";
    GuardedMemory in(kThreads * sizeof(float), Guard::after);
    const GuardedMemory out(kThreads * sizeof(float), Guard::after);
    in.make_inaccessible();
    void *in_pointer = in.data(), *out_pointer = out.data();
    void* parameters[] = {&in_pointer, &out_pointer};
    EmulatedLaunch launch{.threads = kThreads};
    launch.previous_ends = [&] { in.make_writable(); };
    try {
      EmulatedKernel(source, "k").launch(launch, parameters);
    } catch (const EmulationError& thrown) {
      return thrown.what();
    }
    return "no error";
  };
  EXPECT_EQ(error("ptx::wait_for_previous_kernel();\n out[threadIdx.x] = in[threadIdx.x];"), "no error");
  expect_substring("before the kernel before this one has ended", error("const float x = in[threadIdx.x];\n ptx::wait_for_previous_kernel();\n out[threadIdx.x] = x;"));
  expect_substring("never waits", error("out[threadIdx.x] = 1;"));
}

/// Four warps multiply a tile of halves, all 1, by itself: the kernel's parts before and after the product are given.
std::string wgmma_error(const std::string& before, const std::string& after) {
  const std::string source = "extern \"C\" __global__ void k(float* out) {\n extern __shared__ __align__(1024) uint16 tile[];\n"
                             " for (int i = threadIdx.x; i < 4096; i += 128) tile[i] = 0x3c00;\n __syncthreads();\n"
                             " const uint64 lines = ptx::wgmma_lines<128>(ptx::shared_address(tile));\n float sums[1][4];\n float(&d)[1][4] = sums;\n" +
                             before + "\n ptx::wgmma_f16<0>(d, lines, lines, false);\n ptx::wgmma_commit();\n" + after + "\n out[threadIdx.x] = d[0][3];\n}\n";
  const GuardedMemory out(128 * sizeof(float), Guard::after);
  void* out_pointer = out.data();
  void* parameters[] = {&out_pointer};
  try {
    EmulatedKernel(source, "k").launch({.threads = 128, .shared_bytes = 8192}, parameters);
  } catch (const EmulationError& error) {
    return error.what();
  }
  const auto* results = reinterpret_cast<const float*>(out.data());
  return std::all_of(results, results + 128, [](float x) { return x == 16; }) ? "right" : "wrong";
}

TEST(Emulator, KnowsTheRulesOfWgmma) {
  EXPECT_EQ(wgmma_error("ptx::wgmma_fence();", "ptx::wgmma_wait<0>();"), "right");
  expect_substring("wgmma without a fence", wgmma_error("", "ptx::wgmma_wait<0>();"));
  EXPECT_EQ(wgmma_error("ptx::wgmma_fence();", ""), "wrong");
  EXPECT_EQ(wgmma_error("ptx::wgmma_fence();", "ptx::wgmma_wait<1>();"), "wrong");
  expect_substring("shared memory was written while wgmma multiplied", wgmma_error("ptx::wgmma_fence();", "__syncthreads();\n tile[threadIdx.x] = 0;\n ptx::wgmma_wait<0>();"));
}

}  // namespace
}  // namespace intaglio::testing
