// What does not fit is refused with what was expected and what came.
#include <gtest/gtest.h>

#include "artifacts.h"

namespace intaglio::test {
namespace {

/// A context on the convolution, with inputs that fit it to begin with.
class Refusals : public testing::Test {
 protected:
  Refusals() : model_(artifact_.path()), context_(model_, 1), tensors_(artifact_.inputs(2, 1)), inputs_(places(tensors_)) {}

  /// The text of the failure, whose status must be INTAGLIO_INVALID.
  template <typename F>
  static std::string failure(F call) {
    try {
      call();
    } catch (const RuntimeError& error) {
      EXPECT_EQ(error.status(), INTAGLIO_INVALID);
      return error.what();
    }
    return "nothing was refused";
  }
  std::string bind_failure() {
    return failure([&] { context_.bind(inputs_); });
  }

  Artifact artifact_{kConvolution};
  Model model_;
  Context context_;
  std::vector<Tensor> tensors_;
  std::vector<intaglio_tensor> inputs_;
};

TEST_F(Refusals, MissingInput) {
  inputs_.pop_back();
  EXPECT_EQ(bind_failure(), "error: the number of inputs is wrong\n  expected: 2\n  got:      1");
}

TEST_F(Refusals, InputWithoutData) {
  inputs_[1].data = nullptr;
  EXPECT_EQ(bind_failure(), "error: input 'shift' has no data");
}

TEST_F(Refusals, WrongDtype) {
  inputs_[0].dtype = static_cast<int>(DType::f64);
  EXPECT_EQ(bind_failure(), "error: input 'image' has the wrong dtype\n  expected: f32[N,3,12,12]\n  got:      f64[2,3,12,12]\n  help:     convert the data");
}

TEST_F(Refusals, DtypeThatIsNone) {
  inputs_[0].dtype = 1000;
  const std::string text = bind_failure();
  EXPECT_TRUE(text.starts_with("error: input 'image' has the wrong dtype\n  expected: f32[N,3,12,12]\n  got:      dtype 1000[2,3,12,12]\n")) << text;
}

TEST_F(Refusals, WrongRank) {
  inputs_[0].rank = 3;
  const std::string text = bind_failure();
  EXPECT_TRUE(text.starts_with("error: input 'image' has the wrong shape\n  expected: f32[N,3,12,12]\n  got:      f32[2,3,12]\n")) << text;
}

TEST_F(Refusals, RankThatIsNone) {
  for (int rank : {-1, INTAGLIO_MAX_RANK + 1}) {
    inputs_[0].rank = rank;
    EXPECT_NE(bind_failure().find("input 'image' has the wrong shape"), std::string::npos);
  }
}

TEST_F(Refusals, WrongExtent) {
  inputs_[0].shape[2] = 13;
  EXPECT_EQ(bind_failure(),
            "error: input 'image' has the wrong shape\n  expected: f32[N,3,12,12]\n  got:      f32[2,3,13,12]\n  help:     reshape the data, or compile with other --shapes");
}

TEST_F(Refusals, NegativeExtent) {
  inputs_[0].shape[0] = -1;
  EXPECT_NE(bind_failure().find("got:      f32[-1,3,12,12]"), std::string::npos);
}

TEST_F(Refusals, TwoExtentsOfOneName) {
  inputs_[1].shape[0] = 1;
  EXPECT_EQ(bind_failure(),
            "error: dimension 0 of input 'shift' does not fit the other dimensions of its name\n  expected: f32[N,8] = 2\n  got:      f32[1,8]\n"
            "  help:     all dimensions of one name have one extent");
}

TEST_F(Refusals, ExtentsBeyondAnyMemory) {
  for (auto& input : inputs_) input.shape[0] = std::int64_t{1} << 60;
  EXPECT_TRUE(bind_failure().starts_with("error: input 'image' has the wrong shape"));
  for (auto& input : inputs_) input.shape[0] = std::int64_t{1} << 45;
  EXPECT_EQ(bind_failure(), "error: the shapes of the inputs need an impossible amount of memory\n  got:      60798594969501696 bytes");
}

// 4 * 2^32 * 2^32 bytes wrap around to none.
TEST(SizeRefusals, SizesBeyondAnyInteger) {
  const Artifact artifact("graph @main(%x: f32[N,M]) -> f32[N,M] {\n  %0 = relu(%x) : f32[N,M]\n  return %0\n}");
  const Model model(artifact.path());
  Context context(model, 1);
  Tensor memory(DType::f32, {1});
  auto inputs = places({memory.reshaped({1, 1})});
  inputs[0].shape[0] = inputs[0].shape[1] = std::int64_t{1} << 32;
  try {
    context.bind(inputs);
    FAIL() << "nothing was refused";
  } catch (const RuntimeError& error) {
    EXPECT_EQ(error.status(), INTAGLIO_INVALID);
    EXPECT_TRUE(std::string(error.what()).starts_with("error: the shapes of the inputs need an impossible amount of memory")) << error.what();
  }
}

TEST_F(Refusals, RunBeforeBind) {
  std::vector<intaglio_tensor> outputs(1);
  EXPECT_EQ(failure([&] { context_.run(outputs); }), "error: no inputs are bound\n  expected: intaglio_bind before intaglio_run");
  EXPECT_EQ(failure([&] { context_.output_shape(0); }), "error: no inputs are bound\n  expected: intaglio_bind before this call");
}

TEST_F(Refusals, OutputsThatDoNotFit) {
  context_.bind(inputs_);
  std::vector<intaglio_tensor> outputs(2);
  EXPECT_EQ(failure([&] { context_.run(outputs); }), "error: the number of outputs is wrong\n  expected: 1\n  got:      2");
  const std::vector<Tensor> small{Tensor(DType::f32, {1, 8})};
  outputs = places(small);
  EXPECT_EQ(failure([&] { context_.run(outputs); }), "error: the memory for output 'features' is of another type\n  expected: f32[2,8]\n  got:      f32[1,8]");
  EXPECT_EQ(failure([&] { context_.output_shape(1); }), "error: there is no such output\n  got:      1");
}

TEST_F(Refusals, LeaveTheContextUsable) {
  inputs_[1].shape[0] = 1;
  bind_failure();
  EXPECT_EQ(artifact_.difference(tensors_, run(model_, context_, tensors_)), "");
  inputs_[0].dtype = static_cast<int>(DType::i64);
  bind_failure();
  EXPECT_EQ(artifact_.difference(tensors_, run(model_, context_, tensors_)), "");
}

TEST_F(Refusals, ThreadsBeyondReason) {
  EXPECT_EQ(failure([&] { Context(model_, INTAGLIO_MAX_THREADS + 1); }), "error: a run cannot use that many threads\n  expected: at most 1024\n  got:      1025");
}

TEST(IndexRefusals, NameTheValueAndTheNode) {
  const Artifact artifact(kLookup);
  const Model model(artifact.path());
  Context context(model, 1);
  for (std::int64_t bad : {std::int64_t{10}, std::int64_t{-11}, std::int64_t{1} << 40}) {
    const std::vector<Tensor> inputs{Tensor::of<std::int64_t>(DType::i64, {3}, {0, bad, 9})};
    try {
      run(model, context, inputs);
      FAIL() << bad << " was not refused";
    } catch (const RuntimeError& error) {
      EXPECT_EQ(error.status(), INTAGLIO_INVALID);
      const std::string text = error.what();
      EXPECT_NE(text.find("an index in the data is out of range\n  expected: -10 <= index < 10\n  got:      " + std::to_string(bad)), std::string::npos) << text;
    }
  }
  const std::vector<Tensor> good{Tensor::of<std::int64_t>(DType::i64, {3}, {0, -1, 9})};
  EXPECT_EQ(artifact.difference(good, run(model, context, good)), "");
}

}  // namespace
}  // namespace intaglio::test
