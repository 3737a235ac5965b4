// Contractions as each tactic of the CUDA back end computes them, on the emulator: shapes with whole tiles and with rests of every kind.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "support/diagnostics.h"
#include "tests/codegen/emulated_gpu.h"
#include "tests/codegen/emulator/block.h"
#include "tests/codegen/gpu.h"
#include "tests/codegen/lowering.h"

namespace intaglio::testing {
namespace {

/// What a group may be computed by: an architecture, the tactics that are kept from it, and a word in the name of the kernel then chosen.
struct Tactic {
  const char* word;
  const char* arch;
  std::set<std::string> disabled;
};
const Tactic kWgmma{"wgmma", "sm_90a", {}};
const Tactic kMmaOnHopper{"_mma", "sm_90a", {"wgmma"}};
const Tactic kMma{"_mma", "ptx", {}};
const Tactic kInt4OnHopper{"_mma_int4", "sm_90a", {}};
const Tactic kInt4{"_mma_int4", "ptx", {}};
const Tactic kSimt{"", "ptx", {"mma"}};
const Tactic kDepthwise{"_depthwise_", "sm_90a", {}};

/// A group, with the arguments of these names as constants, which the compiler lays out as the kernel wants them.
std::unique_ptr<Graph> graph_of(const Graph& region, const std::vector<Tensor>& inputs, const std::set<std::string>& constants) {
  auto graph = std::make_unique<Graph>("main");
  std::vector<Value*> operands;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Value& argument = *region.arguments()[i];
    operands.push_back(constants.contains(argument.name) ? graph->add_constant(inputs[i], argument.name) : graph->add_argument(argument.type, argument.name));
  }
  Node* node = graph->add_node_typed("kernel", operands, {}, {region.results()[0]->type}, region.clone());
  graph->add_result(node->result(0), "out");
  return graph;
}

/// A region with its arguments, of which those called w.. are constants, and what it must give.
class Case {
 public:
  Case(const std::string& text, SymbolValues symbols, bool integers = false) : region_(std::move(parse_graphs(text, "test").front())), symbols_(std::move(symbols)) {
    inputs_ = random_inputs(*region_, symbols_, {});
    std::set<std::string> constants;
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (region_->arguments()[i]->name.starts_with("w")) constants.insert(region_->arguments()[i]->name);
      for (std::int64_t j = 0; integers && j < inputs_[i].elements(); ++j) set_element(inputs_[i], j, std::round(element_at(inputs_[i], j)));
    }
    graph_ = graph_of(*region_, inputs_, constants);
    buffers_ = kernel_buffers(*region_, inputs_, symbols_);
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      if (constants.contains(region_->arguments()[i]->name)) continue;
      given_.push_back(buffers_[i]);
      shapes_.push_back(inputs_[i].shape());
    }
  }

  void expect(const CodegenOptions& options, const Tactic& tactic) {
    if (cuda_test() == CudaTest::emulate) {
      EmulatedGpu gpu(*graph_, options, tactic.arch);
      EXPECT_NE(gpu.plan().kernels.at(0).name.find(tactic.word), std::string::npos) << gpu.plan().kernels[0].name;
      for (std::size_t i = 0; i < gpu.plan().steps.at(0).kernels.size(); ++i) {
        gpu.force_alternative(i);
        emulate(gpu);
      }
    } else if (cuda_test() != CudaTest::none) {
      const GpuProgram gpu(*graph_, options, tactic.arch);
      if (cuda_test() == CudaTest::run) expect_is_reference(gpu.run(given_, shapes_, {buffers_.back()}).at(0));
    }
  }

 private:
  /// In both orders of blocks and threads.
  void emulate(const EmulatedGpu& gpu) {
    for (Guard guard : {Guard::before, Guard::after}) {
      try {
        expect_is_reference(gpu.run(given_, symbols_, guard).at(0));
      } catch (const EmulationError& error) {
        FAIL() << error.what() << "\n" << gpu.plan().kernels[0].source;
      }
    }
  }

  void expect_is_reference(const Tensor& result) {
    buffers_.back() = result;
    expect_results_match(*region_, inputs_, buffers_);
  }

  std::unique_ptr<Graph> region_, graph_;
  SymbolValues symbols_;
  std::vector<Tensor> inputs_, buffers_, given_;
  std::vector<Extents> shapes_;
};

/// Compares a region's result with the reference. `few_bits`: of integers, which are exact in tf32 and in the sums of 8-bit floats.
void expect_matches(const std::string& text, const std::vector<Tactic>& tactics, const SymbolValues& symbols = {}, bool few_bits = false) {
  SCOPED_TRACE(text);
  Case region(text, symbols, few_bits);
  for (const Tactic& tactic : tactics) {
    SCOPED_TRACE(fmt::format("{} on {}", tactic.word, tactic.arch));
    CodegenOptions options;
    options.tf32 = few_bits;
    options.disabled_tactics = tactic.disabled;
    region.expect(options, tactic);
  }
}

std::string matmul(const char* type, const char* m, int k, int n, const char* right) {
  return fmt::format(
      "graph @g(%x: {0}[{1},{2}], %{4}: {0}[{2},{3}], %bias: {0}[{3}]) -> {0}[{1},{3}] {{\n %0 = matmul(%x, %{4}) : {0}[{1},{3}]\n"
      " %1 = add(%0, %bias) : {0}[{1},{3}]\n %2 = relu(%1) : {0}[{1},{3}]\n return %2 }}",
      type, m, k, n, right);
}

TEST(CudaContractions, MatmulOfWeights) {
  for (const char* type : {"f16", "bf16"}) {
    expect_matches(matmul(type, "70", 72, 104, "w"), {kWgmma, kMmaOnHopper, kMma, kSimt});
    expect_matches(matmul(type, "N", 64, 64, "w"), {kWgmma, kMma}, {{"N", 5}});
  }
}

TEST(CudaContractions, MatmulOfArguments) {
  expect_matches(matmul("f16", "70", 72, 104, "y"), {kWgmma, kMmaOnHopper, kMma, kSimt});
  expect_matches(matmul("f16", "M", 40, 16, "y"), {kWgmma, kMma}, {{"M", 130}});
}

/// Sums of an unknown length: less than a step, several, and as many as need a rest.
TEST(CudaContractions, SumsOfSymbolicLength) {
  const std::string text =
      "graph @g(%x: f16[70,K,8], %y: f16[K,8,40]) -> f16[70,40] {\n %0 = reshape(%x) {shape=[70,8*K]} : f16[70,8*K]\n"
      " %1 = reshape(%y) {shape=[8*K,40]} : f16[8*K,40]\n %2 = matmul(%0, %1) : f16[70,40]\n return %2 }";
  for (int k : {1, 16, 70}) expect_matches(text, {kWgmma, kMma, kSimt}, {{"K", k}});
}

/// Each for a range of sizes, and right at any.
TEST(CudaContractions, SymbolicRowsHaveSeveralTiles) {
  for (const Tactic& tactic : {kWgmma, kMma}) expect_matches(matmul("f16", "N", 512, 256, "w"), {tactic}, {{"N", 70}});
}

TEST(CudaContractions, LongSumsAreSplit) {
  expect_matches(matmul("f16", "4", 1024, 64, "w"), {kWgmma, kMmaOnHopper, kMma});
}

TEST(CudaContractions, MatmulInTf32) { expect_matches(matmul("f32", "70", 72, 104, "w"), {kMmaOnHopper, kMma}, {}, true); }

TEST(CudaContractions, ProductsOfABatch) {
  const std::string text =
      "graph @g(%x: f16[2,3,17,40], %y: f16[2,3,33,40]) -> f16[2,3,17,33] {\n %0 = transpose(%y) {perm=[0,1,3,2]} : f16[2,3,40,33]\n"
      " %1 = matmul(%x, %0) : f16[2,3,17,33]\n return %1 }";
  expect_matches(text, {kWgmma, kMma, kSimt});
}

/// A convolution of channels-last tensors, with a bias, a residual and an activation.
std::string conv(const char* type, int channels, int size, int outputs, int taps, const std::string& attributes, int group = 1, int result = 0) {
  if (result == 0) result = size;
  return fmt::format(
      "graph @g(%x: {0}[2,{1},{2},{2}]{{0,2,3,1}}, %w: {0}[{3},{4},{5},{5}], %wb: {0}[{3}], %r: {0}[2,{3},{6},{6}]{{0,2,3,1}}) -> "
      "{0}[2,{3},{6},{6}]{{0,2,3,1}} {{\n %0 = conv(%x, %w, %wb) {{{7}, group={8}}} : {0}[2,{3},{6},{6}]{{0,2,3,1}}\n"
      " %1 = add(%0, %r) : {0}[2,{3},{6},{6}]{{0,2,3,1}}\n %2 = relu(%1) : {0}[2,{3},{6},{6}]{{0,2,3,1}}\n return %2 }}",
      type, channels, size, outputs, channels / group, taps, result, attributes, group);
}

TEST(CudaContractions, Convolutions) {
  expect_matches(conv("f16", 64, 7, 40, 3, "pads=[1,1,1,1], strides=[1,1], dilations=[1,1]"), {kWgmma, kMmaOnHopper, kMma, kSimt});
  expect_matches(conv("bf16", 72, 5, 64, 1, "pads=[0,0,0,0], strides=[1,1], dilations=[1,1]"), {kWgmma, kMma});
}

TEST(CudaContractions, ConvolutionsWithSteps) {
  expect_matches(conv("f16", 64, 9, 32, 3, "pads=[1,1,1,1], strides=[2,2], dilations=[1,1]", 1, 5), {kWgmma, kMma});
  expect_matches(conv("f16", 64, 9, 32, 1, "pads=[0,0,0,0], strides=[2,2], dilations=[1,1]", 1, 5), {kWgmma, kMma});
  expect_matches(conv("f16", 64, 9, 32, 3, "pads=[2,2,2,2], strides=[1,1], dilations=[2,2]"), {kWgmma, kMma});
}

TEST(CudaContractions, ConvolutionsWithUnevenPads) {
  expect_matches(R"(graph @g(%x: bf16[1,24,11,8]{0,2,3,1}, %w: bf16[33,24,3,2]) -> bf16[1,33,5,8]{0,2,3,1} {
    %0 = conv(%x, %w) {pads=[2,0,0,1], strides=[2,1], dilations=[2,1]} : bf16[1,33,5,8]{0,2,3,1}
    return %0
  })",
                 {kMmaOnHopper, kMma});
}

TEST(CudaContractions, ConvolutionsOfChannelsFirst) {
  expect_matches(R"(graph @g(%x: f16[1,16,6,6], %w: f16[8,16,3,3]) -> f16[1,8,6,6] {
    %0 = conv(%x, %w) {pads=[1,1,1,1]} : f16[1,8,6,6]
    return %0
  })",
                 {kMmaOnHopper, kMma});
}

TEST(CudaContractions, ConvolutionsOfGroups) {
  expect_matches(conv("f16", 128, 6, 64, 3, "pads=[1,1,1,1], strides=[1,1], dilations=[1,1]", 2), {kWgmma, kMma});
}

/// Pixels of no, 4 and 8 bytes that are copied at once.
TEST(CudaContractions, ConvolutionsOfFewChannels) {
  expect_matches(conv("f16", 3, 11, 16, 3, "pads=[1,1,1,1], strides=[2,2], dilations=[1,1]", 1, 6), {kMma, kSimt});
  for (int channels : {2, 4}) expect_matches(conv("f16", channels, 11, 16, 5, "pads=[2,2,2,2], strides=[2,2], dilations=[1,1]", 1, 6), {kMmaOnHopper, kMma});
}

/// Rows of taps that are whole words: pixels of 8 bytes two at a time, and the same in 8 bits.
TEST(CudaContractions, ConvolutionsOfRowWindows) {
  expect_matches(conv("f16", 4, 22, 40, 8, "pads=[0,0,0,0], strides=[2,2], dilations=[1,1]", 1, 8), {kWgmma, kMmaOnHopper, kMma, kSimt});
  const std::string text = R"(graph @g(%x: u8[N,8,14,16]{0,2,3,1}, %w: i8[33,8,3,4]) -> i32[N,33,6,7]{0,2,3,1} {
    %0 = conv(%x, %w) {strides=[2,2], pad_value=9} : i32[N,33,6,7]{0,2,3,1}
    return %0
  })";
  expect_matches(text, {kWgmma, kMma, kSimt}, {{"N", 3}});
}

TEST(CudaContractions, DepthwiseConvolutions) {
  expect_matches(conv("f16", 32, 9, 32, 3, "pads=[1,1,1,1], strides=[1,1], dilations=[1,1]", 32), {kDepthwise});
  expect_matches(conv("f16", 20, 9, 20, 3, "pads=[0,0,1,1], strides=[2,2], dilations=[1,1]", 20, 4), {kDepthwise});
  expect_matches(conv("bf16", 16, 9, 16, 5, "pads=[2,2,2,2], strides=[1,1], dilations=[1,1]", 16), {kDepthwise});
  expect_matches(conv("f32", 19, 8, 19, 3, "pads=[2,2,2,2], strides=[1,1], dilations=[2,2]", 19), {kDepthwise});
}

/// Large enough that a thread takes several positions of a row.
TEST(CudaContractions, DepthwiseConvolutionsOfLargeImages) {
  for (const int stride : {1, 2}) {
    const int result = stride == 1 ? 91 : 46;
    expect_matches(fmt::format("graph @g(%x: f16[N,256,91,91]{{0,2,3,1}}, %w: f16[256,1,3,3]) -> f16[N,256,{0},{0}]{{0,2,3,1}} {{\n"
                               " %0 = conv(%x, %w) {{pads=[1,1,1,1], strides=[{1},{1}], dilations=[1,1], group=256}} : f16[N,256,{0},{0}]{{0,2,3,1}}\n return %0 }}",
                               result, stride),
                   {kDepthwise}, {{"N", 1}});
  }
}

TEST(CudaContractions, IntegersAreExact) {
  const std::string text = R"(graph @g(%x: i8[2,64,5,5]{0,2,3,1}, %w: i8[40,64,3,3]) -> i8[2,40,5,5]{0,2,3,1} {
    %0 = conv(%x, %w) {pads=[1,1,1,1]} : i32[2,40,5,5]{0,2,3,1}
    %1 = cast(%0) {to=f32} : f32[2,40,5,5]{0,2,3,1}
    %f = const [0.0078125] : f32[]
    %2 = mul(%1, %f) : f32[2,40,5,5]{0,2,3,1}
    %one = const [1] : f32[]
    %3 = quantize(%2, %one) {to=i8} : i8[2,40,5,5]{0,2,3,1}
    return %3
  })";
  expect_matches(text, {kWgmma, kMma, kSimt});
}

TEST(CudaContractions, SmallFloatsAreSummedInF32) {
  const std::string text = R"(graph @g(%x: f8e4m3fn[2,64,5,5]{0,2,3,1}, %w: f8e4m3fn[40,64,3,3], %r: f32[2,40,5,5]{0,2,3,1}) -> f32[2,40,5,5]{0,2,3,1} {
    %0 = conv(%x, %w) {pads=[1,1,1,1]} : f32[2,40,5,5]{0,2,3,1}
    %f = const [0.0078125] : f32[]
    %1 = mul(%0, %f) : f32[2,40,5,5]{0,2,3,1}
    %2 = add(%1, %r) : f32[2,40,5,5]{0,2,3,1}
    return %2
  })";
  // Integers: Hopper's tensor cores keep about 14 bits of a sum.
  expect_matches(text, {kWgmma, kMmaOnHopper, kSimt}, {}, true);
}

/// A quantized sum with a stored residual, as ResNets have it: `x` and `r` of one type each, zero points, channels that fill a part of a line.
std::string quantized_sum(const char* x, const char* r, int zero_point, int channels, int filters) {
  return fmt::format(R"(graph @g(%x: {0}[2,{3},5,5]{{0,2,3,1}}, %w: i8[{4},{3},3,3], %wb: i32[{4}], %wf: f32[{4},1,1], %r: {1}[2,{4},5,5]{{0,2,3,1}}) -> {1}[2,{4},5,5]{{0,2,3,1}} {{
    %0 = conv(%x, %w, %wb) {{pads=[1,1,1,1], pad_value={5}}} : i32[2,{4},5,5]{{0,2,3,1}}
    %1 = cast(%0) {{to=f32}} : f32[2,{4},5,5]{{0,2,3,1}}
    %small = const [0.0009765625] : f32[]
    %scaled = mul(%1, %small) : f32[2,{4},5,5]{{0,2,3,1}}
    %2 = mul(%scaled, %wf) : f32[2,{4},5,5]{{0,2,3,1}}
    %s = const [0.75] : f32[]
    %z = const [{2}] : {1}[]
    %d = dequantize(%r, %s, %z) : f32[2,{4},5,5]{{0,2,3,1}}
    %3 = add(%2, %d) : f32[2,{4},5,5]{{0,2,3,1}}
    %one = const [1] : f32[]
    %4 = quantize(%3, %one, %z) {{to={1}}} : {1}[2,{4},5,5]{{0,2,3,1}}
    return %4
  }})",
                     x, r, zero_point, channels, filters, std::string(x) == "u8" ? 5 : 0);
}

TEST(CudaContractions, QuantizedSums) {
  expect_matches(quantized_sum("i8", "i8", -7, 32, 40), {kWgmma, kMma, kSimt});
  expect_matches(quantized_sum("u8", "u8", 121, 16, 24), {kMmaOnHopper, kMma, kSimt});
  expect_matches(quantized_sum("i8", "u8", 3, 144, 33), {kWgmma, kMma});
}

TEST(CudaContractions, QuantizedProducts) {
  for (const char* type : {"u8", "i8"}) {
    const std::string text = fmt::format(R"(graph @g(%x: {0}[M,160], %w: i8[160,72], %wb: i32[72], %wf: f32[72]) -> {0}[M,72] {{
      %0 = matmul(%x, %w) : i32[M,72]
      %1 = add(%0, %wb) : i32[M,72]
      %2 = cast(%1) {{to=f32}} : f32[M,72]
      %3 = mul(%2, %wf) : f32[M,72]
      %4 = relu(%3) : f32[M,72]
      %small = const [0.0009765625] : f32[]
      %5 = mul(%4, %small) : f32[M,72]
      %one = const [1] : f32[]
      %z = const [17] : {0}[]
      %6 = quantize(%5, %one, %z) {{to={0}}} : {0}[M,72]
      return %6
    }})",
                                         type);
    expect_matches(text, {kWgmma, kMmaOnHopper, kMma, kSimt}, {{"M", 70}});
  }
}

/// Weights of 4 bits, [outputs, channels] in blocks of 32 channels, with a bias and an activation.
std::string int4_product(const char* type, const char* rows, int channels, int outputs) {
  return fmt::format(
      "graph @g(%x: {0}[{1},{2}], %w: i4[{3},{2}], %ws: {0}[{3},{4}], %bias: {0}[{3}]) -> {0}[{1},{3}] {{\n"
      " %0 = dequantize(%w, %ws) {{axis=1, block_size=32}} : {0}[{3},{2}]\n %1 = transpose(%0) {{perm=[1,0]}} : {0}[{2},{3}]\n"
      " %2 = matmul(%x, %1) : {0}[{1},{3}]\n %3 = add(%2, %bias) : {0}[{1},{3}]\n %4 = relu(%3) : {0}[{1},{3}]\n return %4 }}",
      type, rows, channels, outputs, (channels + 31) / 32);
}

/// They become 16-bit floats in registers: of integers these are exact, and of other scales rounded once.
TEST(CudaContractions, WeightsOfFourBits) {
  for (const char* type : {"f16", "bf16"}) {
    expect_matches(int4_product(type, "20", 72, 104), {kInt4OnHopper, kInt4, kSimt}, {}, true);
    // In f32 they would not be rounded.
    expect_matches(int4_product(type, "20", 72, 104), {kInt4OnHopper, kInt4});
  }
  // To tf32.
  expect_matches(int4_product("f32", "20", 72, 104), {kInt4OnHopper, kInt4, kSimt}, {}, true);
  // Less than a tile of everything, odd numbers of it, and long sums.
  for (const auto& [rows, channels, outputs] : {std::tuple{"1", 8, 8}, {"3", 45, 33}, {"8", 1120, 40}, {"17", 96, 7}, {"64", 160, 136}}) {
    expect_matches(int4_product("f16", rows, channels, outputs), {kInt4OnHopper, kInt4}, {}, true);
  }
  for (int rows : {1, 70}) expect_matches(int4_product("f16", "N", 512, 48), {kInt4OnHopper, kInt4}, {{"N", rows}}, true);
}

TEST(CudaContractions, ConvolutionsWithWeightsOfFourBits) {
  expect_matches(
      "graph @g(%x: f16[2,64,5,5]{0,2,3,1}, %w: i4[40,3,3,64], %ws: f16[40,3,3,2], %r: f16[2,40,5,5]{0,2,3,1}) -> f16[2,40,5,5]{0,2,3,1} {\n"
      " %0 = dequantize(%w, %ws) {axis=3, block_size=32} : f16[40,3,3,64]\n %1 = transpose(%0) {perm=[0,3,1,2]} : f16[40,64,3,3]\n"
      " %2 = conv(%x, %1) {pads=[1,1,1,1]} : f16[2,40,5,5]{0,2,3,1}\n %3 = add(%2, %r) : f16[2,40,5,5]{0,2,3,1}\n return %3 }",
      {kInt4OnHopper, kInt4, kSimt}, {}, true);
}

/// Scales of other shapes; [channels, outputs], as ONNX has the weights of a product.
TEST(CudaContractions, WeightsOfFourBitsInOtherBlocks) {
  const auto product = [](const char* scales, const char* attributes) {
    return fmt::format("graph @g(%x: f16[9,128], %w: i4[128,24], %ws: f16{}) -> f16[9,24] {{\n %0 = dequantize(%w, %ws) {{{}}} : f16[128,24]\n"
                       " %1 = matmul(%x, %0) : f16[9,24]\n return %1 }}",
                       scales, attributes);
  };
  expect_matches(product("[2,24]", "axis=0, block_size=64"), {kInt4OnHopper, kInt4}, {}, true);
  expect_matches(product("[24]", "axis=1"), {kInt4}, {}, true);
}

/// What is no product of integers with scales of whole blocks is computed element by element.
TEST(CudaContractions, OtherWeightsOfFourBits) {
  expect_matches("graph @g(%x: f16[9,64], %w: i4[64,24], %ws: f16[4,24]) -> f16[9,24] {\n %0 = dequantize(%w, %ws) {axis=0, block_size=16} : f16[64,24]\n"
                 " %1 = matmul(%x, %0) : f16[9,24]\n return %1 }",
                 {kMmaOnHopper, kMma, kSimt}, {}, true);
  expect_matches("graph @g(%x: f16[9,64], %w: i4[64,24], %ws: f16[2,24], %wz: i4[2,24]) -> f16[9,24] {\n"
                 " %0 = dequantize(%w, %ws, %wz) {axis=0, block_size=32} : f16[64,24]\n %1 = matmul(%x, %0) : f16[9,24]\n return %1 }",
                 {kMmaOnHopper, kMma}, {}, true);
}

/// A tile of wgmma and the type that it multiplies.
struct TileCase {
  int rows, columns;
  std::string type;
};
void PrintTo(const TileCase& tile, std::ostream* to) { *to << tile.rows << " x " << tile.columns << " of " << tile.type; }

/// A GPU tries all types and heights, the emulator, which is slower, one.
std::vector<TileCase> tiles_to_test() {
  const bool on_gpu = cuda_test() == CudaTest::run;
  std::vector<TileCase> cases;
  for (const char* type : {"f16", "bf16", "i8", "f8e4m3fn"}) {
    for (int rows : {64, 128}) {
      for (int columns : {32, 64, 96, 128, 192, 256}) {
        if (on_gpu || (rows == 128 && type == std::string_view("f16"))) cases.push_back({rows, columns, type});
      }
    }
  }
  return cases;
}

class CudaTiles : public ::testing::TestWithParam<TileCase> {};

/// With rests and without, at as many stages as a short sum needs and at fewer.
TEST_P(CudaTiles, Sum) {
  const auto& [rows, columns, type] = GetParam();
  const bool on_gpu = cuda_test() == CudaTest::run, is_float = type.ends_with("16");
  for (const char* right : {"w", "y"}) {
    // Columns that lie across the sum are copied 64 at a time.
    if (right[0] == 'y' && (!on_gpu || !is_float || columns % 64 != 0)) continue;
    const std::string text = is_float ? matmul(type.c_str(), "200", 448, 288, right)
                                      : fmt::format("graph @g(%x: {0}[200,448], %w: {0}[448,288]) -> f32[200,288] {{\n %0 = matmul(%x, %w) : {1}[200,288]\n"
                                                    " %1 = cast(%0) {{to=f32}} : f32[200,288]\n return %1 }}",
                                                    type, type == "i8" ? "i32" : "f32");
    SCOPED_TRACE(text);
    // Sums of integers are exact in the few bits that the tensor cores keep of sums of 8-bit floats.
    Case region(text, {}, !is_float);
    for (int stages : {2, 3, 4}) {
      if (!on_gpu && stages != 3) continue;
      SCOPED_TRACE(fmt::format("{} stages", stages));
      CodegenOptions options;
      options.wgmma_tile = TileChoice{rows, columns, stages, 1};
      region.expect(options, kWgmma);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tiles, CudaTiles, ::testing::ValuesIn(tiles_to_test()),
                         [](const auto& test) { return fmt::format("{}x{}x{}", test.param.rows, test.param.columns, test.param.type); });

}  // namespace
}  // namespace intaglio::testing
