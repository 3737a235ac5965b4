// The guards of the tests guard, and code reports what it must not do.
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "tests/codegen/lowering.h"

namespace intaglio::testing {
namespace {

void read_at(const std::byte* address) { static_cast<void>(*static_cast<const volatile std::byte*>(address)); }
void write_at(std::byte* address) { *static_cast<volatile std::byte*>(address) = std::byte{1}; }

TEST(GuardedMemoryDeathTest, ForbidsWhatLiesBeforeAndAfter) {
  for (std::size_t bytes : {std::size_t{0}, std::size_t{68}, std::size_t{4096}}) {
    const GuardedMemory before(bytes, Guard::before), after(bytes, Guard::after);
    EXPECT_EXIT(read_at(before.data() - 1), ::testing::KilledBySignal(SIGSEGV), "");
    EXPECT_EXIT(read_at(after.data() + bytes), ::testing::KilledBySignal(SIGSEGV), "");
  }
  GuardedMemory memory(8, Guard::after);
  write_at(memory.data());
  memory.make_read_only();
  read_at(memory.data());
  EXPECT_EXIT(write_at(memory.data()), ::testing::KilledBySignal(SIGSEGV), "");
}

TEST(Machine, GatherReportsTheIndex) {
  const WrappedGroup group =
      wrap_group("graph @g(%t: f32[4,20], %i: i64[9]) -> f32[9,20] {\n %0 = gather(%t, %i) {axis=0} : f32[9,20]\n return %0 }");
  for (bool checked : {false, true}) {
    for (const CodegenOptions& options : options_to_test(checked)) {
      const Machine machine(*group.graph, options);
      for (const auto& [index, is_valid] : {std::pair(3, true), {-4, true}, {4, false}, {-5, false}}) {
        Tensor indices(DType::i64, {9});
        indices.mutable_span<std::int64_t>()[8] = index;
        const std::vector<Tensor> inputs{Tensor(DType::f32, {4, 20}), indices};
        if (is_valid) {
          EXPECT_NO_THROW(machine.run(inputs, {}, Guard::after)) << index;
        } else {
          EXPECT_THROW(machine.run(inputs, {}, Guard::after), CheckFailed) << index;
        }
      }
    }
  }
}

/// A group that reads four rows from row N-4 on: with N of 3 it begins before its first argument, whose shape is `shape` with N in place of -1.
void expect_access_before_is_reported(const std::string& region_text, const Extents& shape, const std::vector<Tensor>& others = {}) {
  const WrappedGroup group = wrap_group(region_text);
  for (const CodegenOptions& options : options_to_test(true)) {
    SCOPED_TRACE(options.cpu);
    const Machine machine(*group.graph, options);
    const auto run = [&](std::int64_t rows) {
      Extents extents = shape;
      std::ranges::replace(extents, std::int64_t{-1}, rows);
      std::vector<Tensor> inputs{Tensor(DType::f32, extents)};
      inputs.insert(inputs.end(), others.begin(), others.end());
      machine.run(inputs, {{"N", rows}}, Guard::after);
    };
    EXPECT_NO_THROW(run(4));
    EXPECT_THROW(run(3), BadAccess);
  }
}

TEST(Machine, CheckedLoopsReportAnAccessOutside) {
  expect_access_before_is_reported(
      "graph @g(%x: f32[N,20]) -> f32[4,20] {\n %0 = slice(%x) {starts=[N-4,0], sizes=[4,20], steps=[1,1]} : f32[4,20]\n return %0 }", {-1, 20});
}

TEST(Machine, CheckedMatmulReportsAnAccessOutside) {
  expect_access_before_is_reported(R"(graph @g(%x: f32[N,32], %w: f32[32,48]) -> f32[4,48] {
    %0 = slice(%x) {starts=[N-4,0], sizes=[4,32], steps=[1,1]} : f32[4,32]
    %1 = matmul(%0, %w) : f32[4,48]
    return %1
  })",
                                   {-1, 32}, {Tensor(DType::f32, {32, 48})});
}

TEST(Machine, CheckedConvolutionReportsAnAccessOutside) {
  expect_access_before_is_reported(R"(graph @g(%x: f32[N,7,7,16]{0,1,2,3}, %w: f32[32,16,3,3]) -> f32[4,32,7,7]{0,2,3,1} {
    %0 = slice(%x) {starts=[N-4,0,0,0], sizes=[4,7,7,16], steps=[1,1,1,1]} : f32[4,7,7,16]
    %1 = transpose(%0) {perm=[0,3,1,2]} : f32[4,16,7,7]
    %2 = conv(%1, %w) {pads=[1,1,1,1], strides=[1,1], dilations=[1,1], group=1} : f32[4,32,7,7]{0,2,3,1}
    return %2
  })",
                                   {-1, 7, 7, 16}, {Tensor(DType::f32, {32, 16, 3, 3})});
}

TEST(Machine, CheckedDepthwiseConvolutionReportsAnAccessOutside) {
  expect_access_before_is_reported(R"(graph @g(%x: f32[N,7,7,16]{0,1,2,3}, %w: f32[16,1,3,3]) -> f32[4,16,7,7]{0,2,3,1} {
    %0 = slice(%x) {starts=[N-4,0,0,0], sizes=[4,7,7,16], steps=[1,1,1,1]} : f32[4,7,7,16]
    %1 = transpose(%0) {perm=[0,3,1,2]} : f32[4,16,7,7]
    %2 = conv(%1, %w) {pads=[1,1,1,1], strides=[1,1], dilations=[1,1], group=16} : f32[4,16,7,7]{0,2,3,1}
    return %2
  })",
                                   {-1, 7, 7, 16}, {Tensor(DType::f32, {16, 1, 3, 3})});
}

}  // namespace
}  // namespace intaglio::testing
