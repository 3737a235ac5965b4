// See gpu.h.
#include "tests/codegen/gpu.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "codegen/backend.h"
#include "support/diagnostics.h"
#include "tests/codegen/emulated_gpu.h"

namespace intaglio::testing {
namespace {

intaglio_tensor place(Tensor& tensor, const Extents& shape) {
  intaglio_tensor result = {tensor.mutable_data(), static_cast<std::int32_t>(tensor.dtype()), static_cast<std::int32_t>(shape.size()), {}, nullptr};
  std::ranges::copy(shape, result.shape);
  return result;
}

void expect_gpu_matches(const WrappedGroup& group, const std::string& arch, const std::vector<Tensor>& inputs, const SymbolValues& symbols) {
  static std::map<std::string, std::unique_ptr<GpuProgram>> known;
  std::unique_ptr<GpuProgram>& gpu = known[arch + to_text(*group.graph)];
  if (!gpu) gpu = std::make_unique<GpuProgram>(*group.graph, CodegenOptions{}, arch);
  if (cuda_test() == CudaTest::compile) return;
  std::vector<Tensor> buffers = kernel_buffers(group.region(), inputs, symbols);
  const std::vector<Tensor> results(buffers.begin() + static_cast<std::ptrdiff_t>(inputs.size()), buffers.end());
  buffers.resize(inputs.size());
  std::vector<Extents> shapes;
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
  const std::vector<Tensor> computed = gpu->run(buffers, shapes, results);
  buffers.insert(buffers.end(), computed.begin(), computed.end());
  expect_results_match(group.region(), inputs, buffers);
}

/// In both orders of blocks and threads.
void expect_emulated_matches(const WrappedGroup& group, const std::string& arch, const std::vector<Tensor>& inputs, const SymbolValues& symbols) {
  static std::map<std::string, std::unique_ptr<EmulatedGpu>> known;
  std::unique_ptr<EmulatedGpu>& gpu = known[arch + to_text(*group.graph)];
  if (!gpu) gpu = std::make_unique<EmulatedGpu>(*group.graph, CodegenOptions{}, arch);
  for (Guard guard : {Guard::before, Guard::after}) {
    std::vector<Tensor> buffers = kernel_buffers(group.region(), inputs, symbols);
    buffers.resize(inputs.size());
    std::vector<Tensor> results;
    ASSERT_NO_THROW(results = gpu->run(buffers, symbols, guard));
    buffers.insert(buffers.end(), results.begin(), results.end());
    expect_results_match(group.region(), inputs, buffers);
  }
}

}  // namespace

GpuProgram::GpuProgram(const Graph& graph, CodegenOptions options, const std::string& arch) {
  options.targets = {"cuda"};
  options.archs = {arch};
  const std::string path = ::testing::TempDir() + fmt::format("group.{}.tar", getpid());
  generate_artifact(for_each_backend(graph, options), {"group", "", "", ""}, path);
  if (cuda_test() == CudaTest::run) model_ = std::make_unique<Model>(path, 0);
  std::filesystem::remove(path);
}

std::vector<Tensor> GpuProgram::run(std::vector<Tensor>& inputs, const std::vector<Extents>& shapes, const std::vector<Tensor>& results) const {
  std::vector<intaglio_tensor> places;
  for (std::size_t i = 0; i < inputs.size(); ++i) places.push_back(place(inputs[i], shapes[i]));
  Context context(*model_, 1);
  context.bind(places);
  std::vector<intaglio_tensor> outputs(results.size());
  // Three times: kernel by kernel, as a captured graph, and as the graph again.
  for (int repeat = 0; repeat < 3; ++repeat) {
    outputs.assign(results.size(), intaglio_tensor{});
    context.run(outputs);
  }
  std::vector<Tensor> copies;
  for (std::size_t i = 0; i < results.size(); ++i) {
    Tensor copy(results[i].dtype(), results[i].shape());
    if (copy.bytes() > 0) std::memcpy(copy.mutable_data(), outputs[i].data, copy.bytes());
    copies.push_back(std::move(copy));
  }
  return copies;
}

CudaTest cuda_test() {
  static const CudaTest asked = [] {
    const char* text = std::getenv("INTAGLIO_TEST_CUDA");
    if (!text) return CudaTest::emulate;
    const std::map<std::string_view, CudaTest> known{{"none", CudaTest::none}, {"compile", CudaTest::compile}, {"run", CudaTest::run}};
    return known.at(text);
  }();
  return asked;
}

void expect_cuda_matches(const WrappedGroup& group, const std::vector<Tensor>& inputs, const SymbolValues& symbols) {
  if (cuda_test() == CudaTest::none) return;
  for (const char* arch : {"sm_90a", "ptx"}) {
    SCOPED_TRACE(arch);
    if (cuda_test() == CudaTest::emulate) {
      expect_emulated_matches(group, arch, inputs, symbols);
    } else {
      expect_gpu_matches(group, arch, inputs, symbols);
    }
  }
}

}  // namespace intaglio::testing
