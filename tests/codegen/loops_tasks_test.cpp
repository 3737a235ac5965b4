// Groups that are large enough to be divided into tasks, and random groups.
#include <gtest/gtest.h>

#include <random>

#include "tests/codegen/lowering.h"

namespace intaglio::testing {
namespace {

/// Compares, and requires the division that the comparison is there to test.
void expect_divided_and_matching(const std::string& text, const SymbolValues& symbols = {}) {
  const std::int64_t tasks = task_count(text, symbols);
  EXPECT_GE(tasks, 2) << text;
  EXPECT_LE(tasks, 64) << text;
  expect_lowering_matches(text, symbols);
}

TEST(LoopsTasks, Elementwise) {
  expect_divided_and_matching("graph @g(%x: f32[37,700]) -> f32[37,700] {\n %0 = relu(%x) : f32[37,700]\n return %0 }");
  expect_divided_and_matching(
      "graph @g(%x: f32[9,31,101], %c: f32[31,1]) -> f32[9,31,101] {\n %0 = add(%x, %c) : f32[9,31,101]\n return %0 }");
  for (std::int64_t n : {40, 101}) {
    const std::string text = "graph @g(%x: f32[N,3,S], %c: f32[3,1]) -> f32[N,3,S] {\n %0 = add(%x, %c) : f32[N,3,S]\n return %0 }";
    expect_divided_and_matching(text, {{"N", n}, {"S", 333}});
    expect_divided_and_matching(text, {{"N", 2}, {"S", n * 331}});
  }
}

TEST(LoopsTasks, Transposes) {
  expect_divided_and_matching(
      "graph @g(%x: f32[170,201]) -> f32[201,170] {\n %0 = transpose(%x) {perm=[1,0]} : f32[201,170]\n return %0 }");
  expect_divided_and_matching("graph @g(%x: f32[A,3,B]) -> f32[B,3,A] {\n %0 = transpose(%x) {perm=[2,1,0]} : f32[B,3,A]\n return %0 }",
                              {{"A", 70}, {"B", 95}});
  expect_divided_and_matching(
      "graph @g(%x: f32[2,3,90,50]) -> f32[2,3,90,50]{0,2,3,1} {\n %0 = abs(%x) : f32[2,3,90,50]{0,2,3,1}\n return %0 }");
}

TEST(LoopsTasks, Reductions) {
  expect_divided_and_matching(
      "graph @g(%x: f32[130,200]) -> f32[130] {\n %0 = reduce_sum(%x) {axes=[1], keepdims=0} : f32[130]\n return %0 }");
  expect_divided_and_matching(
      "graph @g(%x: f32[90,300]) -> f32[300] {\n %0 = reduce_sum(%x) {axes=[0], keepdims=0} : f32[300]\n return %0 }");
  expect_divided_and_matching(
      "graph @g(%x: f32[N,70,13,11]{0,2,3,1}) -> f32[N,70] {\n %0 = reduce_mean(%x) {axes=[2,3], keepdims=0} : f32[N,70]\n return %0 }",
      {{"N", 5}});
}

TEST(LoopsTasks, RowOperators) {
  expect_divided_and_matching("graph @g(%x: f32[N,3,S]) -> f32[N,3,S] {\n %0 = softmax(%x) {axis=2} : f32[N,3,S]\n return %0 }",
                              {{"N", 40}, {"S", 65}});
  expect_divided_and_matching("graph @g(%x: f32[6,40,90]) -> f32[6,40,90] {\n %0 = softmax(%x) {axis=1} : f32[6,40,90]\n return %0 }");
  expect_divided_and_matching(
      "graph @g(%x: f32[7,33,80], %s: f32[80]) -> f32[7,33,80] {\n %0 = layer_norm(%x, %s) {axis=2, epsilon=1e-5} : f32[7,33,80]\n return "
      "%0 }");
}

TEST(LoopsTasks, LongRowsStayInOneTask) {
  const std::string text = "graph @g(%x: f32[2,20000]) -> f32[2,20000] {\n %0 = softmax(%x) {axis=1} : f32[2,20000]\n return %0 }";
  EXPECT_EQ(task_count(text), 2);
  expect_lowering_matches(text);
}

TEST(LoopsTasks, Pooling) {
  for (const char* layout : {"", "{0,2,3,1}"}) {
    const std::string result = std::string("f32[N,24,15,14]") + layout;
    expect_divided_and_matching(std::string("graph @g(%x: f32[N,24,29,27]") + layout + ") -> " + result +
                                    " {\n %0 = max_pool(%x) {kernel_shape=[3,3], strides=[2,2], pads=[1,1,1,1]} : " + result +
                                    "\n return %0 }",
                                {{"N", 2}});
  }
}

TEST(LoopsTasks, ChecksOfARowRunOncePerRow) {
  const WrappedGroup group =
      wrap_group("graph @g(%t: f32[100,96], %ids: i64[N]) -> f32[N,96] {\n %0 = gather(%t, %ids) {axis=0} : f32[N,96]\n return %0 }");
  const std::string kernel = to_text(lower_to_loops(*group.node, {}));
  const std::size_t check = kernel.find("checked("), lanes = kernel.find("vector v");
  EXPECT_LT(check, lanes) << kernel;
  EXPECT_EQ(kernel.find("checked(", check + 1), std::string::npos) << kernel;
}

/// A random group: operators one after the other, with at most one root, over shapes with a symbol or two.
class RandomGroup {
 public:
  explicit RandomGroup(unsigned seed) : random_(seed), graph_(std::make_unique<Graph>("random")), builder_(*graph_) {
    symbols = {{"N", pick(1, 6)}, {"S", pick(1, 30)}};
    Shape shape;
    for (std::int64_t rank = pick(1, 4); rank > 0; --rank) shape.push_back(random_dim());
    value_ = argument(shape);
    for (std::int64_t steps = pick(1, 5); steps > 0; --steps) add_operator();
    if (!value_->producer()) value_ = builder_.op("relu", {value_});
    value_->type.layout = random_layout(value_->type.rank());
    graph_->add_result(value_, "y");
  }

  WrappedGroup wrapped() { return wrap_group(std::move(graph_)); }
  SymbolValues symbols;

 private:
  std::int64_t pick(std::int64_t low, std::int64_t high) { return std::uniform_int_distribution<std::int64_t>(low, high)(random_); }

  Dim random_dim() {
    if (pick(0, 3) == 0) return Dim::symbol(pick(0, 1) != 0 ? "N" : "S");
    return pick(1, pick(0, 3) == 0 ? 40 : 9);
  }

  Layout random_layout(int rank) {
    Layout layout(rank);
    for (int d = 0; d < rank; ++d) layout[d] = d;
    if (pick(0, 1) != 0) std::shuffle(layout.begin(), layout.end(), random_);
    return layout;
  }

  Value* argument(const Shape& shape) {
    return graph_->add_argument({DType::f32, shape, random_layout(static_cast<int>(shape.size()))}, "x" + std::to_string(arguments_++));
  }

  /// Another operand for the value: some of its axes, from the last on, some of extent 1.
  Value* broadcast_argument() {
    Shape shape = value_->type.shape;
    shape.erase(shape.begin(), shape.begin() + pick(0, static_cast<std::int64_t>(shape.size())));
    for (Dim& dim : shape) {
      if (pick(0, 2) == 0) dim = 1;
    }
    return argument(shape);
  }

  std::vector<std::int64_t> random_permutation() {
    std::vector<std::int64_t> perm(value_->type.rank());
    for (std::size_t d = 0; d < perm.size(); ++d) perm[d] = static_cast<std::int64_t>(d);
    std::shuffle(perm.begin(), perm.end(), random_);
    return perm;
  }

  void add_operator() {
    const int rank = value_->type.rank();
    const Shape shape = value_->type.shape;
    switch (pick(0, 9)) {
      case 0:
        value_ = builder_.op(pick(0, 1) != 0 ? "tanh" : "neg", {value_});
        return;
      case 1:
        value_ = builder_.op("add", {value_, broadcast_argument()});
        return;
      case 2:
        value_ = builder_.op("mul", {broadcast_argument(), value_});
        return;
      // The value itself is read twice.
      case 3:
        value_ = builder_.op("mul", {value_, builder_.op("sigmoid", {value_})});
        return;
      case 4:
        value_ = builder_.transpose(value_, random_permutation());
        return;
      case 5:
        return flatten_two(shape);
      case 6:
        return slice(shape);
      case 7:
        return concat(shape);
      default:
        if (has_root_ || rank == 0) return;
        has_root_ = true;
        return add_root(rank);
    }
  }

  void flatten_two(const Shape& shape) {
    if (shape.size() < 2) return;
    const std::int64_t first = pick(0, static_cast<std::int64_t>(shape.size()) - 2);
    Shape flat = shape;
    flat[first] = flat[first] * flat[first + 1];
    flat.erase(flat.begin() + first + 1);
    value_ = builder_.reshape(value_, flat);
  }

  void slice(const Shape& shape) {
    Shape starts, sizes;
    std::vector<std::int64_t> steps;
    for (const Dim& dim : shape) {
      const bool is_cut = dim.is_constant() && dim.value() > 2;
      const bool backwards = is_cut && pick(0, 1) != 0;
      starts.push_back(!is_cut ? Dim(0) : backwards ? dim - Dim(1) : Dim(1));
      sizes.push_back(is_cut ? dim - Dim(1) : dim);
      steps.push_back(backwards ? -1 : 1);
    }
    value_ = builder_.op("slice", {value_}, {{"starts", starts}, {"sizes", sizes}, {"steps", steps}});
  }

  void concat(Shape shape) {
    if (shape.empty()) return;
    const std::int64_t axis = pick(0, static_cast<std::int64_t>(shape.size()) - 1);
    shape[axis] = random_dim();
    std::vector<Value*> parts = {value_, argument(shape)};
    if (pick(0, 1) != 0) std::swap(parts[0], parts[1]);
    value_ = builder_.op("concat", parts, {{"axis", axis}});
  }

  void add_root(int rank) {
    const std::int64_t axis = pick(0, rank - 1);
    switch (pick(0, 3)) {
      case 0:
        value_ = builder_.op("softmax", {value_}, {{"axis", axis}});
        return;
      case 1: {
        const Shape trailing(value_->type.shape.begin() + axis, value_->type.shape.end());
        value_ = builder_.op("layer_norm", {value_, argument(trailing)}, {{"axis", axis}, {"epsilon", 1e-2}});
        return;
      }
      case 2: {
        // The row is read again by what follows.
        Value* mean = builder_.op("reduce_mean", {value_}, {{"axes", std::vector{axis}}, {"keepdims", std::int64_t{1}}});
        value_ = builder_.op("sub", {value_, mean});
        return;
      }
      default: {
        std::vector<std::int64_t> axes;
        for (int d = 0; d < rank; ++d) {
          if (d == axis || pick(0, 2) == 0) axes.push_back(d);
        }
        value_ = builder_.op(pick(0, 1) != 0 ? "reduce_max" : "reduce_mean", {value_}, {{"axes", axes}, {"keepdims", pick(0, 1)}});
      }
    }
  }

  std::mt19937 random_;
  std::unique_ptr<Graph> graph_;
  Builder builder_;
  Value* value_ = nullptr;
  bool has_root_ = false;
  int arguments_ = 0;
};

TEST(LoopsTasks, RandomGroups) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    SCOPED_TRACE(seed);
    RandomGroup random(seed);
    const SymbolValues symbols = random.symbols;
    const WrappedGroup group = random.wrapped();
    // Compiling takes most of the time: the levels take turns, and checked code takes its turn with each.
    const std::vector<CodegenOptions> variants = options_to_test(seed % 3 == 0);
    expect_lowering_matches(group, symbols, {}, {variants[seed % variants.size()]});
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace intaglio::testing
