// Shapes, memory and threads of runs.
#include <gtest/gtest.h>

#include <cstring>
#include <string_view>

#include "artifacts.h"
#include "intaglio/artifact.h"

namespace intaglio::test {
namespace {

class Batch : public testing::TestWithParam<int> {};

TEST_P(Batch, RunsFromOneArtifactWithAnyThreads) {
  const Artifact perceptron(perceptron_text()), convolution(kConvolution);
  for (int threads : {1, 2, 3}) {
    for (const Artifact* artifact : {&perceptron, &convolution}) {
      const Model model(artifact->path());
      Context context(model, threads);
      const auto inputs = artifact->inputs(GetParam(), 7);
      EXPECT_EQ(artifact->difference(inputs, run(model, context, inputs)), "") << threads << " threads";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Contexts, Batch, testing::Values(1, 4, 32, 33), testing::PrintToStringParamName());

TEST(Contexts, TakeOneShapeAfterAnother) {
  const Artifact artifact(kConvolution);
  const Model model(artifact.path());
  Context context(model, 2);
  unsigned seed = 0;
  for (int batch : {4, 32, 1, 32, 0, 4}) {
    const auto inputs = artifact.inputs(batch, ++seed);
    EXPECT_EQ(artifact.difference(inputs, run(model, context, inputs)), "") << "batch " << batch;
    EXPECT_EQ(context.output_shape(0), (std::vector<std::int64_t>{batch, 8}));
  }
}

TEST(Contexts, UseSeveralThreadsWhereThereIsEnoughToDo) {
  const Artifact artifact(perceptron_text());
  const Model model(artifact.path());
  Context context(model, 2);
  const auto inputs = artifact.inputs(64, 1);
  context.bind(places(inputs));
  const auto outputs = make_outputs(model, context);
  auto memory = places(outputs);
  int most = 0;
  for (const auto& step : context.run_profiled(memory)) most = std::max(most, step.threads);
  EXPECT_EQ(most, 2);
}

/// Floats with a gap after each and at an odd address, as a caller may have them.
struct Spread {
  std::vector<float> memory;
  std::vector<std::int64_t> strides;
  float* data = nullptr;

  Spread(const Extents& shape, std::int64_t gap) : strides(row_major_strides(shape)) {
    for (std::int64_t& stride : strides) stride *= gap;
    memory.assign(static_cast<std::size_t>(element_count(shape) * gap) + 32, -77);
    data = memory.data();
    while (reinterpret_cast<std::uintptr_t>(data) % INTAGLIO_ALIGNMENT != 4) ++data;
  }
  void place_in(intaglio_tensor& tensor) {
    tensor.data = data;
    tensor.strides = strides.data();
  }
};

int copies(const std::vector<intaglio_step_time>& times, std::string_view what) {
  int count = 0;
  for (const auto& time : times) count += time.layer == UINT32_MAX && std::string_view(time.kernel).find(what) != std::string_view::npos;
  return count;
}

class CallersMemory : public testing::TestWithParam<int> {};

TEST_P(CallersMemory, MayBeUnalignedAndStrided) {
  const int gap = GetParam();
  const Artifact artifact(kConvolution);
  const Model model(artifact.path());
  Context context(model, 1);
  const auto inputs = artifact.inputs(3, 5);
  Spread image(inputs[0].shape(), gap), features({3, 8}, gap);
  for (std::int64_t i = 0; i < inputs[0].elements(); ++i) image.data[i * gap] = inputs[0].span<float>()[static_cast<std::size_t>(i)];
  auto bound = places(inputs);
  image.place_in(bound[0]);
  context.bind(bound);

  const std::vector<Tensor> outputs{Tensor(DType::f32, {3, 8})};
  auto memory = places(outputs);
  features.place_in(memory[0]);
  const auto times = context.run_profiled(memory);
  Tensor got(DType::f32, {3, 8});
  for (std::size_t i = 0; i < 24; ++i) got.mutable_span<float>()[i] = features.data[i * static_cast<std::size_t>(gap)];
  EXPECT_EQ(artifact.difference(inputs, {got}), "");
  for (std::size_t i = 0; i < 24; ++i) {
    for (int between = 1; between < gap; ++between) EXPECT_EQ(features.data[i * static_cast<std::size_t>(gap) + static_cast<std::size_t>(between)], -77) << "written between the elements";
  }
  EXPECT_EQ(copies(times, "copy input 'image'"), 1);
  EXPECT_EQ(copies(times, "copy input 'shift'"), 0);
  EXPECT_EQ(copies(times, "copy output 'features'"), 1);
}

INSTANTIATE_TEST_SUITE_P(Contexts, CallersMemory, testing::Values(1, 2, 3), testing::PrintToStringParamName());

TEST(Contexts, CopyNothingThatIsAlignedAndDense) {
  const Artifact artifact(kConvolution);
  const Model model(artifact.path());
  Context context(model, 1);
  const auto inputs = artifact.inputs(2, 1);
  context.bind(places(inputs));
  const auto outputs = make_outputs(model, context);
  auto memory = places(outputs);
  EXPECT_EQ(copies(context.run_profiled(memory), "copy"), 0);
}

TEST(Contexts, ReadTheStridesWhenTheyAreBound) {
  const Artifact artifact(perceptron_text());
  const Model model(artifact.path());
  Context context(model, 1);
  // A transposed matrix, and strides that are gone before the run.
  const auto inputs = artifact.inputs(6, 1);
  Tensor columns(DType::f32, {256, 6});
  for (std::size_t row = 0; row < 6; ++row) {
    for (std::size_t column = 0; column < 256; ++column) columns.mutable_span<float>()[column * 6 + row] = inputs[0].span<float>()[row * 256 + column];
  }
  {
    std::vector<std::int64_t> strides{1, 6};
    auto bound = places(inputs);
    bound[0].data = columns.mutable_data();
    bound[0].strides = strides.data();
    context.bind(bound);
    strides = {1000, 1000};
  }
  const auto outputs = make_outputs(model, context);
  auto memory = places(outputs);
  context.run(memory);
  EXPECT_EQ(artifact.difference(inputs, outputs), "");
}

TEST(Contexts, LendTheirOwnMemoryForOutputs) {
  const Artifact artifact(perceptron_text());
  const Model model(artifact.path());
  Context context(model, 1);
  for (int batch : {2, 40, 3}) {
    const auto inputs = artifact.inputs(batch, 1);
    context.bind(places(inputs));
    std::vector<intaglio_tensor> lent(1);
    context.run(lent);
    ASSERT_NE(lent[0].data, nullptr);
    EXPECT_EQ(lent[0].dtype, static_cast<int>(DType::f32));
    ASSERT_EQ(lent[0].rank, 2);
    EXPECT_EQ(lent[0].shape[0], batch);
    EXPECT_EQ(lent[0].strides, nullptr);
    Tensor got(DType::f32, {batch, 64});
    std::memcpy(got.mutable_data(), lent[0].data, got.bytes());
    EXPECT_EQ(artifact.difference(inputs, {got}), "");
  }
}

}  // namespace
}  // namespace intaglio::test
