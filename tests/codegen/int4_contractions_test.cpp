// Contractions that unpack weights of 4 bits in registers, as the machine code of each level runs them, against dequantization and then the contraction.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "codegen/cpu/int4_weights.h"
#include "codegen/schedule/pull.h"
#include "passes/passes.h"
#include "support/elements.h"
#include "tests/codegen/lowering.h"

namespace intaglio::testing {
namespace {

/// The largest difference from the reference, relative to the largest value there: sums of a few thousand terms, results of 16 bits rounded once more.
double tolerance(DType dtype) { return dtype == DType::f32 ? 2e-6 : dtype == DType::f16 ? 1e-3 : 8e-3; }

void expect_code_is_close(const std::string& text, const SymbolValues& symbols = {}, bool unpacks = true) {
  SCOPED_TRACE(text);
  const auto original = std::move(parse_graphs(text, "test").front());
  const std::vector<Tensor> inputs = random_inputs(*original, symbols, {});
  const Tensor expected = evaluate(*original, inputs).front();
  double largest = 0;
  for (std::int64_t i = 0; i < expected.elements(); ++i) largest = std::max(largest, std::fabs(element_at(expected, i)));
  const auto graph = fused_graph(text);
  for (const Node* node : graph->nodes()) {
    const Node* root = node->is("kernel") ? region_root(*node->region()) : nullptr;
    // Another kernel may move the input.
    if (!root) continue;
    ASSERT_EQ(cpu::find_int4_weights(*root).has_value(), unpacks);
  }
  for (bool checked : {false, true}) {
    for (const CodegenOptions& options : options_to_test(checked)) {
      // The checks are the same for all levels of an instruction set.
      if (checked && options.cpu != "native" && options.cpu != "x86-64-v3") continue;
      SCOPED_TRACE(options.cpu + (checked ? ", checked" : ""));
      const Machine machine(*graph, options);
      ASSERT_EQ(machine.undefined_symbols(), std::vector<std::string>());
      for (Guard guard : {Guard::before, Guard::after}) {
        const Tensor result = machine.run(inputs, symbols, guard).front();
        ASSERT_EQ(result.shape(), expected.shape());
        for (std::int64_t i = 0; i < result.elements(); ++i) {
          ASSERT_NEAR(element_at(result, i), element_at(expected, i), tolerance(expected.dtype()) * largest) << i;
        }
      }
    }
  }
}

/// A product with weights stored along the sum, as `--quantize int4` stores them, and what follows %p of type f32[rows,columns].
std::string product(const std::string& rows, std::int64_t depth, std::int64_t columns, std::int64_t block = 32, const std::string& type = "f32", const std::string& epilogue = " return %p }") {
  return fmt::format(
      "graph @g(%x: {0}[{1},{2}]) -> {0}[{1},{3}] {{\n %w = const random(seed=1, min=-8.4, max=7.4) : i4[{3},{2}]\n"
      " %s = const random(seed=2, min=0.1, max=0.2) : {0}[{3},{5}]\n %d = dequantize(%w, %s) {{axis=1, block_size={4}}} : {0}[{3},{2}]\n"
      " %t = transpose(%d) {{perm=[1,0]}} : {0}[{2},{3}]\n %p = matmul(%x, %t) : {0}[{1},{3}]\n{6}",
      type, rows, depth, columns, block, (depth + block - 1) / block, epilogue);
}

TEST(Int4Contractions, Products) {
  for (const auto& [rows, depth, columns] : {std::array<std::int64_t, 3>{1, 512, 256}, {1, 33, 47}, {2, 64, 130}, {5, 45, 24}, {14, 96, 40}, {16, 2080, 17}, {40, 71, 96}, {3, 7, 5}}) {
    expect_code_is_close(product(std::to_string(rows), depth, columns));
    expect_code_is_close(product("M", depth, columns), {{"M", rows}});
  }
}

TEST(Int4Contractions, Blocks) {
  for (std::int64_t block : {8, 16, 40, 128, 1600}) expect_code_is_close(product("3", 1700, 50, block));
  // Within a word the scale changes: weights are unpacked as any other element is.
  expect_code_is_close(product("3", 100, 50, 4), {}, false);
}

TEST(Int4Contractions, SixteenBits) {
  for (const char* type : {"f16", "bf16"}) {
    for (const char* rows : {"1", "19"}) expect_code_is_close(product(rows, 200, 72, 32, type));
  }
}

TEST(Int4Contractions, Epilogues) {
  expect_code_is_close(product("M", 100, 50, 32, "f32",
                               " %b = const random(seed=3) : f32[50]\n %q = add(%p, %b) : f32[M,50]\n %r = relu(%q) : f32[M,50]\n %y = add(%r, %q) : f32[M,50]\n return %y }"),
                       {{"M", 7}});
}

/// Scales for each output channel, and stored in the order of the product.
TEST(Int4Contractions, StoredAlongColumns) {
  expect_code_is_close(
      "graph @g(%x: f32[4,75]) -> f32[4,40] {\n %w = const random(seed=1, min=-8.4, max=7.4) : i4[75,40]\n %s = const random(seed=2) : f32[40]\n"
      " %d = dequantize(%w, %s) {axis=1} : f32[75,40]\n %p = matmul(%x, %d) : f32[4,40]\n return %p }");
  expect_code_is_close(
      "graph @g(%x: f32[4,75]) -> f32[4,40] {\n %w = const random(seed=1, min=-8.4, max=7.4) : i4[75,40]\n %s = const random(seed=2) : f32[5,40]\n"
      " %d = dequantize(%w, %s) {axis=0, block_size=16} : f32[75,40]\n %p = matmul(%x, %d) : f32[4,40]\n return %p }");
  // Blocks of columns.
  expect_code_is_close(
      "graph @g(%x: f32[4,75]) -> f32[4,40] {\n %w = const random(seed=1, min=-8.4, max=7.4) : i4[75,40]\n %s = const random(seed=2) : f32[75,5]\n"
      " %d = dequantize(%w, %s) {axis=1, block_size=8} : f32[75,40]\n %p = matmul(%x, %d) : f32[4,40]\n return %p }", {}, false);
}

struct Conv {
  std::int64_t channels, filters, group, taps, stride, pad, dilation, height, width;
};

TEST(Int4Contractions, Convolutions) {
  const std::vector<Conv> cases{
      {64, 48, 1, 1, 1, 0, 1, 3, 5},   {64, 33, 1, 1, 2, 0, 1, 7, 5},  {40, 20, 1, 3, 1, 1, 1, 5, 6},
      {3, 16, 1, 7, 2, 3, 1, 11, 12},  {50, 24, 1, 3, 2, 1, 2, 9, 8},  {72, 32, 2, 3, 1, 1, 1, 4, 4},
  };
  for (const Conv& conv : cases) {
    const auto windows = [&](std::int64_t extent) { return (extent + 2 * conv.pad - conv.dilation * (conv.taps - 1) - 1) / conv.stride + 1; };
    const std::int64_t channels = conv.channels / conv.group;
    const std::string text = fmt::format(
        "graph @g(%x: f32[N,{0},{1},{2}]) -> f32[N,{3},{4},{5}] {{\n %w = const random(seed=1, min=-8.4, max=7.4) : i4[{3},{6},{6},{7}]\n"
        " %s = const random(seed=2, min=0.1, max=0.2) : f32[{3},{6},{6},{8}]\n %b = const random(seed=3) : f32[{3}]\n"
        " %d = dequantize(%w, %s) {{axis=3, block_size=32}} : f32[{3},{6},{6},{7}]\n %t = transpose(%d) {{perm=[0,3,1,2]}} : f32[{3},{7},{6},{6}]\n"
        " %y = conv(%x, %t, %b) {{strides=[{9},{9}], pads=[{10},{10},{10},{10}], dilations=[{11},{11}], group={12}}} : f32[N,{3},{4},{5}]\n return %y }}",
        conv.channels, conv.height, conv.width, conv.filters, windows(conv.height), windows(conv.width), conv.taps, channels, (channels + 31) / 32, conv.stride, conv.pad,
        conv.dilation, conv.group);
    expect_code_is_close(text, {{"N", 2}});
  }
}

}  // namespace
}  // namespace intaglio::testing
