// Artifacts side by side in one process: what is loaded, freed and loaded again stays apart.
#include <gtest/gtest.h>

#include <fcntl.h>
#include <unistd.h>

#include <optional>

#include "artifacts.h"

namespace intaglio::test {
namespace {

void expect_right(const Artifact& artifact, const Model& model, unsigned seed) {
  Context context(model, 2);
  const auto inputs = artifact.inputs(5, seed);
  EXPECT_EQ(artifact.difference(inputs, run(model, context, inputs)), "");
}

// The C library knows libraries by path: code behind a descriptor's number that is used again must not be taken for the code before it.
TEST(Models, LoadedAfterAnotherWasFreedHaveTheirOwnCode) {
  const Artifact a(perceptron_text(1)), b(kConvolution), c(kLookup);
  std::optional<Model> first(a.path());
  const Model second(b.path());
  expect_right(a, *first, 1);
  expect_right(b, second, 2);
  first.reset();
  const Model third(c.path());
  expect_right(b, second, 3);
  expect_right(c, third, 4);
}

TEST(Models, OfTheSameKernelNamesHaveTheirOwnWeights) {
  const Artifact a(perceptron_text(1)), b(perceptron_text(2));
  const Model first(a.path()), second(b.path());
  expect_right(a, first, 1);
  expect_right(b, second, 1);
  expect_right(a, first, 2);
}

TEST(Models, OfTheSameFileLiveApart) {
  const Artifact artifact(perceptron_text());
  const Model kept(artifact.path());
  {
    const Model other(artifact.path());
    expect_right(artifact, other, 1);
  }
  expect_right(artifact, kept, 2);
}

TEST(Models, LoadedAndFreedManyTimesLeaveNoDescriptorBehind) {
  const Artifact a(kConvolution), b(kLookup);
  const auto lowest_free = [] {
    const int descriptor = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(descriptor);
    return descriptor;
  };
  const int before = lowest_free();
  for (unsigned i = 0; i < 20; ++i) expect_right(i % 2 ? a : b, Model(i % 2 ? a.path() : b.path()), i);
  EXPECT_EQ(lowest_free(), before);
}

TEST(Models, OutliveTheirHandleInAContext) {
  const Artifact artifact(kConvolution);
  intaglio_model* model = nullptr;
  ASSERT_EQ(intaglio_load(artifact.path().c_str(), &model), INTAGLIO_OK);
  intaglio_context* context = nullptr;
  ASSERT_EQ(intaglio_context_create(model, 1, &context), INTAGLIO_OK);
  intaglio_free(model);

  const auto inputs = artifact.inputs(2, 1);
  ASSERT_EQ(intaglio_bind(context, places(inputs).data(), 2), INTAGLIO_OK);
  const std::vector<Tensor> outputs{Tensor(DType::f32, {2, 8})};
  auto memory = places(outputs);
  ASSERT_EQ(intaglio_run(context, memory.data(), 1), INTAGLIO_OK);
  EXPECT_EQ(artifact.difference(inputs, outputs), "");
  intaglio_context_free(context);
}

TEST(Models, MayComputeNothing) {
  const Artifact artifact("graph @main(%x: f32[N,4]) -> (f32[N,4], f32[2], f32[N,4], f32[2,2]) {\n  %c = const [1, 2] : f32[2]\n  %m = const [1, 2, 3, 4] : f32[2,2]\n"
                          "  return %x as \"same\", %c as \"constant\", %x as \"again\", %m as \"matrix\"\n}");
  const Model model(artifact.path());
  expect_right(artifact, model, 1);
}

TEST(Models, TellTheirInputsAndOutputs) {
  const Artifact artifact(kConvolution);
  const Model model(artifact.path());
  const auto inputs = model.inputs(), outputs = model.outputs();
  ASSERT_EQ(inputs.size(), 2u);
  ASSERT_EQ(outputs.size(), 1u);
  EXPECT_STREQ(inputs[0].name, "image");
  EXPECT_STREQ(inputs[0].shape_text, "f32[N,3,12,12]");
  EXPECT_EQ(inputs[0].rank, 4);
  EXPECT_EQ(inputs[0].shape[0], -1);
  EXPECT_EQ(inputs[0].shape[3], 12);
  EXPECT_STREQ(outputs[0].name, "features");
  EXPECT_EQ(outputs[0].dtype, static_cast<int>(DType::f32));
  intaglio_port port;
  EXPECT_EQ(intaglio_input(model.get(), 2, &port), INTAGLIO_INVALID);
  EXPECT_STREQ(intaglio_last_error(), "error: there is no such input or output");
}

TEST(Models, ThatAreNoFilesAreRefused) {
  intaglio_model* model = nullptr;
  EXPECT_EQ(intaglio_load("/no/such/model.tar", &model), INTAGLIO_ENVIRONMENT);
  EXPECT_STREQ(intaglio_last_error(), "error: /no/such/model.tar: the artifact cannot be opened: No such file or directory\n  help:     check the path");
  EXPECT_EQ(intaglio_load("/", &model), INTAGLIO_ENVIRONMENT);
  EXPECT_EQ(intaglio_load("/dev/null", &model), INTAGLIO_ENVIRONMENT);
  EXPECT_EQ(intaglio_load(nullptr, &model), INTAGLIO_INVALID);
  EXPECT_EQ(model, nullptr);
}

}  // namespace
}  // namespace intaglio::test
