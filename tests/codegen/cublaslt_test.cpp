// Which contractions cuBLASLt may compute, and that what it would be told of them is the reference's result. No library is needed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "codegen/cuda/backend.h"
#include "support/elements.h"
#include "tests/codegen/emulated_gpu.h"
#include "tests/codegen/lowering.h"
#include "tests/codegen/plan_memory.h"

namespace intaglio::testing {
namespace {

KernelPlan plan_of(const WrappedGroup& group, CodegenOptions options = {}) {
  options.enabled_tactics.insert("cublaslt");
  return cuda::CudaBackend(options, "sm_90a").plan_kernel(*group.node).alternatives.front().kernel;
}

/// A product as the library computes it, in the kernel's buffers.
class Multiplication {
 public:
  Multiplication(const LibraryProduct& product, std::vector<Tensor>& buffers, const SymbolValues& symbols) : product_(product), buffers_(buffers), symbols_(symbols) {}

  void run() {
    const std::int64_t rows = bound(product_.rows, symbols_), columns = bound(product_.columns, symbols_), sum = bound(product_.sum, symbols_);
    for (std::int64_t p = 0; p < bound(product_.count, symbols_); ++p) {
      for (std::int64_t i = 0; i < rows; ++i) {
        for (std::int64_t j = 0; j < columns; ++j) {
          double value = 0;
          for (std::int64_t k = 0; k < sum; ++k) value += at(product_.a, p, i, k) * at(product_.b, p, k, j);
          value *= product_.alpha;
          if (product_.c) value += at(*product_.c, p, i, j);
          if (product_.bias) value += at(*product_.bias, 0, 0, j);
          if (product_.relu) value = std::max(value, 0.0);
          set_element(buffer(product_.d), index(product_.d, p, i, j), value);
        }
      }
    }
  }

 private:
  Tensor& buffer(const ProductMatrix& matrix) { return buffers_.at(static_cast<std::size_t>(matrix.buffer)); }
  double at(const ProductMatrix& matrix, std::int64_t product, std::int64_t row, std::int64_t column) {
    EXPECT_EQ(buffer(matrix).dtype(), matrix.dtype);
    return element_at(buffer(matrix), index(matrix, product, row, column));
  }
  std::int64_t index(const ProductMatrix& matrix, std::int64_t product, std::int64_t row, std::int64_t column) const {
    if (matrix.transposed) std::swap(row, column);
    return bound(matrix.offset, symbols_) * 8 / dtype_bits(matrix.dtype) + product * bound(matrix.next, symbols_) + row * bound(matrix.line, symbols_) + column;
  }

  const LibraryProduct& product_;
  std::vector<Tensor>& buffers_;
  const SymbolValues& symbols_;
};

/// The product that a group becomes, whose result is compared with the reference.
LibraryProduct expect_taken(const std::string& text, const SymbolValues& symbols = {}) {
  SCOPED_TRACE(text);
  const WrappedGroup group = wrap_group(text);
  const KernelPlan plan = plan_of(group);
  EXPECT_EQ(plan.packed_operand, -1);
  if (!plan.product) {
    ADD_FAILURE() << "not taken: " << plan.text;
    return {};
  }
  const std::vector<Tensor> inputs = random_inputs(group.region(), symbols, {});
  std::vector<Tensor> buffers = kernel_buffers(group.region(), inputs, symbols);
  Multiplication(*plan.product, buffers, symbols).run();
  expect_results_match(group.region(), inputs, buffers);
  return *plan.product;
}

void expect_refused(const std::string& text, const CodegenOptions& options = {}) { EXPECT_FALSE(plan_of(wrap_group(text), options).product) << text; }

TEST(Cublaslt, TakesProductsOfEachTypeWithTheirEpilogues) {
  for (const char* type : {"f32", "f16", "bf16"}) {
    const LibraryProduct plain = expect_taken(fmt::format(
        "graph @g(%x: {0}[N,24], %y: {0}[24,40]) -> {0}[N,40] {{\n %0 = matmul(%x, %y) : {0}[N,40]\n return %0 }}", type), {{"N", 7}});
    EXPECT_FALSE(plain.c || plain.bias || plain.relu || plain.tf32);
    const LibraryProduct full = expect_taken(fmt::format(
        "graph @g(%x: {0}[N,24], %y: {0}[24,40], %b: {0}[40], %r: {0}[N,40]) -> {0}[N,40] {{\n %0 = matmul(%x, %y) : {0}[N,40]\n"
        " %1 = add(%0, %b) : {0}[N,40]\n %2 = add(%r, %1) : {0}[N,40]\n %3 = relu(%2) : {0}[N,40]\n return %3 }}", type), {{"N", 7}});
    EXPECT_TRUE(full.c && full.bias && full.relu);
  }
}

TEST(Cublaslt, TakesFactorsAndTransposedOperands) {
  const LibraryProduct scaled = expect_taken(R"(graph @g(%x: f16[5,24], %y: f16[24,40]) -> f16[5,40] {
    %f = const [0.25] : f16[]
    %0 = matmul(%x, %y) : f16[5,40]
    %1 = mul(%0, %f) : f16[5,40]
    return %1 })");
  EXPECT_EQ(scaled.alpha, 0.25);
  const LibraryProduct transposed = expect_taken(R"(graph @g(%x: f16[24,9], %y: f16[40,24]) -> f16[9,40] {
    %0 = transpose(%x) {perm=[1,0]} : f16[9,24]
    %1 = transpose(%y) {perm=[1,0]} : f16[24,40]
    %2 = matmul(%0, %1) : f16[9,40]
    return %2 })");
  EXPECT_TRUE(transposed.a.transposed && transposed.b.transposed);
}

TEST(Cublaslt, TakesBatchesAndConvolutionsOfOnePixel) {
  const LibraryProduct batch = expect_taken("graph @g(%x: f16[2,N,6,24], %y: f16[2,N,24,40]) -> f16[2,N,6,40] {\n %0 = matmul(%x, %y) : f16[2,N,6,40]\n return %0 }", {{"N", 3}});
  EXPECT_EQ(batch.count.text(), (Dim(2) * Dim::symbol("N")).text());
  const LibraryProduct shared = expect_taken("graph @g(%x: f16[2,3,6,24], %y: f16[24,40]) -> f16[2,3,6,40] {\n %0 = matmul(%x, %y) : f16[2,3,6,40]\n return %0 }");
  EXPECT_EQ(shared.count, Dim(1));
  EXPECT_EQ(shared.rows, Dim(36));
  expect_taken(R"(graph @g(%x: f16[N,16,5,4]{0,2,3,1}, %w: f16[24,16,1,1], %b: f16[24]) -> f16[N,24,5,4]{0,2,3,1} {
    %0 = conv(%x, %w, %b) {} : f16[N,24,5,4]{0,2,3,1}
    return %0 })", {{"N", 2}});
}

TEST(Cublaslt, RefusesWhatItDoesNotCompute) {
  const auto with_epilogue = [](const std::string& lines, const std::string& arguments = "") {
    return fmt::format("graph @g(%x: f32[5,24], %y: f32[24,40]{}) -> f32[5,40] {{\n %0 = matmul(%x, %y) : f32[5,40]\n{} return %r }}", arguments, lines);
  };
  // Another activation, two addends, a sum that is used twice, a vector along rows.
  expect_refused(with_epilogue(" %r = tanh(%0) : f32[5,40]\n"));
  expect_refused(with_epilogue(" %1 = add(%0, %p) : f32[5,40]\n %r = add(%1, %q) : f32[5,40]\n", ", %p: f32[5,40], %q: f32[5,40]"));
  expect_refused(with_epilogue(" %r = mul(%0, %0) : f32[5,40]\n"));
  expect_refused(with_epilogue(" %r = add(%0, %p) : f32[5,40]\n", ", %p: f32[5,1]"));
  // An operand that is computed, integers, more than one tap, pixels that are strided over.
  expect_refused("graph @g(%x: f32[5,24], %y: f32[24,40]) -> f32[5,40] {\n %0 = relu(%x) : f32[5,24]\n %1 = matmul(%0, %y) : f32[5,40]\n return %1 }");
  expect_refused("graph @g(%x: i32[5,24], %y: i32[24,40]) -> i32[5,40] {\n %0 = matmul(%x, %y) : i32[5,40]\n return %0 }");
  expect_refused("graph @g(%x: f16[1,16,5,5]{0,2,3,1}, %w: f16[24,16,3,3]) -> f16[1,24,3,3]{0,2,3,1} {\n %0 = conv(%x, %w) {} : f16[1,24,3,3]{0,2,3,1}\n return %0 }");
  expect_refused("graph @g(%x: f16[1,16,5,5]{0,2,3,1}, %w: f16[24,16,1,1]) -> f16[1,24,3,3]{0,2,3,1} {\n %0 = conv(%x, %w) {strides=[2,2]} : f16[1,24,3,3]{0,2,3,1}\n return %0 }");
  // Heads side by side: two distances between products.
  expect_refused(R"(graph @g(%x: f16[2,8,3,16], %y: f16[2,3,16,8]) -> f16[2,3,8,8] {
    %0 = transpose(%x) {perm=[0,2,1,3]} : f16[2,3,8,16]
    %1 = matmul(%0, %y) : f16[2,3,8,8]
    return %1 })");
}

TEST(Cublaslt, IsOffByDefaultAndInCheckedMode) {
  const std::string text = "graph @g(%x: f32[5,24], %y: f32[24,40]) -> f32[5,40] {\n %0 = matmul(%x, %y) : f32[5,40]\n return %0 }";
  EXPECT_FALSE(cuda::CudaBackend({}, "sm_90a").plan_kernel(*wrap_group(text).node).alternatives.front().kernel.product);
  CodegenOptions checked;
  checked.checked = true;
  expect_refused(text, checked);
}

// The kernel that stands in for the library reads the weights that the library would, and the plan holds the library's memory.
TEST(Cublaslt, AKernelStandsInWithTheSameWeights) {
  const auto graph = std::move(parse_graphs(R"(
graph @main(%x: f16[9,64]) -> f16[9,72] {
  %w = const random(seed=1, min=-1, max=1) : f16[64,72]
  %0 = kernel(%x, %w) : f16[9,72] with graph @region(%a: f16[9,64], %b: f16[64,72]) -> f16[9,72] {
    %0 = matmul(%a, %b) : f16[9,72]
    return %0
  }
  return %0 as "y"
})", "test").front());
  CodegenOptions options;
  options.enabled_tactics.insert("cublaslt");
  const EmulatedGpu gpu(*graph, options, "sm_90a");
  const Plan& plan = gpu.plan();
  ASSERT_TRUE(plan.kernels.at(0).product);
  const auto workspace = static_cast<std::size_t>(plan.steps.at(0).workspace);
  EXPECT_EQ(plan.buffers.at(workspace).place, PlannedBuffer::Place::arena);
  EXPECT_EQ(plan.buffers[workspace].bytes, Dim(kLibraryWorkspaceBytes));
  EXPECT_EQ(std::ranges::count(plan.steps[0].buffers, static_cast<std::uint32_t>(workspace)), 0);
  const std::vector<Tensor> inputs{random_inputs(*graph, {}, {})};
  const std::vector<Tensor> expected = evaluate(*graph, inputs), got = gpu.run(inputs, {}, Guard::after);
  for (std::int64_t i = 0; i < expected[0].elements(); ++i) EXPECT_NEAR(element_at(got[0], i), element_at(expected[0], i), 0.02);
}

}  // namespace
}  // namespace intaglio::testing
