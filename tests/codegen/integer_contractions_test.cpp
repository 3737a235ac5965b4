// Contractions of 8-bit integers with packed weights, as the machine code of each level runs them: equal to the reference bit for bit.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>

#include "passes/passes.h"
#include "tests/codegen/lowering.h"

namespace intaglio::testing {
namespace {

void expect_code_is_reference(const std::string& text, const SymbolValues& symbols, const InputRanges& ranges, double steps = 0) {
  SCOPED_TRACE(text);
  const auto original = std::move(parse_graphs(text, "test").front());
  const std::vector<Tensor> inputs = random_inputs(*original, symbols, ranges);
  const std::vector<Tensor> expected = evaluate(*original, inputs);
  const auto graph = fused_graph(text);
  for (bool checked : {false, true}) {
    for (const CodegenOptions& options : options_to_test(checked)) {
      // The checks are the same for all levels of an instruction set.
      if (checked && options.cpu != "native" && options.cpu != "x86-64-v3") continue;
      SCOPED_TRACE(options.cpu + (checked ? ", checked" : ""));
      const Machine machine(*graph, options);
      ASSERT_EQ(machine.undefined_symbols(), std::vector<std::string>());
      for (Guard guard : {Guard::before, Guard::after}) {
        const Tensor result = machine.run(inputs, symbols, guard).front();
        ASSERT_EQ(result.shape(), expected.front().shape());
        if (steps == 0) {
          ASSERT_EQ(std::memcmp(result.data(), expected.front().data(), result.bytes()), 0);
          continue;
        }
        for (std::int64_t i = 0; i < result.elements(); ++i) ASSERT_LE(std::fabs(element_at(result, i) - element_at(expected.front(), i)), steps) << i;
      }
    }
  }
}

/// What follows the sum %c of type `shape`: a factor for each channel and a quantization that seldom saturates.
std::string requantized(const std::string& shape, const std::string& factors, double terms) {
  const double factor = 60 / (std::sqrt(terms) * 9000);
  return fmt::format(R"(
  %f = const random(seed=3, min={0}, max={1}) : f32{2}
  %one = const [1] : f32[]
  %z = const [103] : u8[]
  %r = cast(%c) {{to=f32}} : f32{3}
  %s = mul(%r, %f) : f32{3}
  %y = quantize(%s, %one, %z) {{to=u8}} : u8{3}
  return %y
}})",
                     factor / 2, factor, factors, shape);
}

struct Conv {
  std::string dtype;
  std::int64_t channels, filters, group, taps, stride, pad, dilation, height, width;
};

std::string conv_text(const Conv& conv) {
  const auto windows = [&](std::int64_t extent) { return (extent + 2 * conv.pad - conv.dilation * (conv.taps - 1) - 1) / conv.stride + 1; };
  const std::string shape = fmt::format("[N,{},{},{}]", conv.filters, windows(conv.height), windows(conv.width));
  return fmt::format(R"(graph @main(%x: {0}[N,{1},{2},{3}]) -> u8{4} {{
  %w = const random(seed=1, min=-128.4, max=127.4) : i8[{5},{6},{7},{7}]
  %b = const random(seed=2, min=-90000, max=90000) : i32[{5}]
  %c = conv(%x, %w, %b) {{strides=[{8},{8}], pads=[{9},{9},{9},{9}], dilations=[{10},{10}], group={11}, pad_value=5}} : i32{4})",
                     conv.dtype, conv.channels, conv.height, conv.width, shape, conv.filters, conv.channels / conv.group, conv.taps, conv.stride, conv.pad, conv.dilation,
                     conv.group) +
         requantized(shape, fmt::format("[{},1,1]", conv.filters), static_cast<double>(conv.channels / conv.group * conv.taps * conv.taps));
}

InputRanges whole_range(const std::string& dtype) { return {{"x", dtype == "u8" ? std::pair(0.0, 255.0) : std::pair(-128.0, 127.0)}}; }

TEST(IntegerContractions, Convolutions) {
  const std::vector<Conv> cases{
      {"u8", 3, 32, 1, 7, 2, 3, 1, 17, 43},  // groups across taps
      {"u8", 3, 20, 1, 3, 1, 1, 2, 9, 8},    // taps apart
      {"u8", 64, 48, 1, 1, 1, 0, 1, 7, 7},   // in place
      {"u8", 64, 33, 1, 1, 2, 0, 1, 15, 9},
      {"u8", 17, 16, 1, 1, 1, 0, 1, 6, 5},   // channels that do not fill the groups
      {"u8", 32, 40, 1, 3, 1, 1, 1, 14, 14},
      {"u8", 12, 24, 3, 3, 1, 1, 1, 8, 8},
      {"u8", 24, 24, 24, 3, 1, 1, 1, 9, 20},
      {"i8", 40, 40, 40, 5, 2, 2, 1, 13, 6},
      {"i8", 18, 35, 1, 3, 2, 1, 1, 11, 12},
  };
  for (const Conv& conv : cases) expect_code_is_reference(conv_text(conv), {{"N", 2}}, whole_range(conv.dtype));
}

TEST(IntegerContractions, Products) {
  for (const char* dtype : {"u8", "i8"}) {
    for (const auto& [rows, depth, columns] : {std::array<std::int64_t, 3>{1, 2048, 10}, {5, 33, 47}, {30, 64, 96}, {3, 6400, 40}, {19, 7, 130}}) {
      const std::string shape = fmt::format("[M,{}]", columns);
      const std::string text = fmt::format(R"(graph @main(%x: {0}[M,{1}]) -> u8{2} {{
  %w = const random(seed=1, min=-128.4, max=127.4) : i8[{1},{3}]
  %b = const random(seed=2, min=-90000, max=90000) : i32[{3}]
  %p = matmul(%x, %w) : i32{2}
  %c = add(%p, %b) : i32{2})",
                                           dtype, depth, shape, columns) +
                               requantized(shape, fmt::format("[{}]", columns), static_cast<double>(depth));
      expect_code_is_reference(text, {{"M", rows}}, whole_range(dtype));
    }
  }
}

// Multiplications and additions of floats may be contracted, which where a quotient is nearly a tie is a step.
TEST(IntegerContractions, ResidualIsWithinAStep) {
  const std::string text = R"(graph @main(%x: u8[N,32,6,6], %q: u8[N,24,6,6]) -> u8[N,24,6,6] {
  %w = const random(seed=1, min=-128.4, max=127.4) : i8[24,32,1,1]
  %f = const [0.0003] : f32[]
  %sq = const [0.04] : f32[]
  %sy = const [0.07] : f32[]
  %z = const [121] : u8[]
  %c = conv(%x, %w) {} : i32[N,24,6,6]
  %r = cast(%c) {to=f32} : f32[N,24,6,6]
  %s = mul(%r, %f) : f32[N,24,6,6]
  %d = dequantize(%q, %sq, %z) : f32[N,24,6,6]
  %t = add(%s, %d) : f32[N,24,6,6]
  %u = relu(%t) : f32[N,24,6,6]
  %y = quantize(%u, %sy, %z) {to=u8} : u8[N,24,6,6]
  return %y
})";
  expect_code_is_reference(text, {{"N", 3}}, {{"x", {0, 255}}, {"q", {0, 255}}}, 1);
}

}  // namespace
}  // namespace intaglio::testing
