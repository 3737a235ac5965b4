// Random graphs through the whole pipeline at every level: the numbers stay, and nothing but constants, views and kernels is left.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "case.h"
#include "ir/op.h"
#include "ir/view.h"
#include "passes/passes.h"

namespace intaglio::test {
namespace {

/// Grows a graph by random nodes over what it has so far. All values are f32 of rank 2 to 4.
class RandomGraph {
 public:
  RandomGraph(unsigned seed, const Dim& batch, const Dim& length) : random_(seed), builder_(*graph_) {
    values_.push_back(graph_->add_argument(Type{DType::f32, {batch, length, 4}}, "x"));
    values_.push_back(graph_->add_argument(Type{DType::f32, {batch, 4, 6, 6}}, "image"));
  }

  std::unique_ptr<Graph> make(int nodes) {
    while (static_cast<int>(graph_->node_count()) < nodes) grow();
    for (int i = 0; i < 2; ++i) graph_->add_result(pick(), "");
    graph_->add_result(values_.back(), "");
    return std::move(graph_);
  }

 private:
  using Ints = std::vector<std::int64_t>;

  int below(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

  /// Recent values more often: deep graphs, not wide ones.
  Value* pick() {
    const int count = static_cast<int>(values_.size());
    return values_[static_cast<std::size_t>(count - 1 - std::min(below(count), below(count)))];
  }

  Value* constant(Extents shape) {
    Tensor tensor(DType::f32, std::move(shape));
    for (float& element : tensor.mutable_span<float>()) element = static_cast<float>(below(17) - 8) / 8;
    return builder_.constant(std::move(tensor));
  }

  void grow() {
    static const std::vector<Value* (RandomGraph::*)(Value*)> kSteps{
        &RandomGraph::unary,  &RandomGraph::unary,     &RandomGraph::binary,    &RandomGraph::binary,  &RandomGraph::with_constant,
        &RandomGraph::turned, &RandomGraph::turned,    &RandomGraph::split,     &RandomGraph::merged,  &RandomGraph::part,
        &RandomGraph::folded, &RandomGraph::row,       &RandomGraph::product,   &RandomGraph::product, &RandomGraph::self_product,
        &RandomGraph::window, &RandomGraph::convolved, &RandomGraph::convolved, &RandomGraph::widened, &RandomGraph::joined};
    Value* grown = (this->*kSteps[static_cast<std::size_t>(below(static_cast<int>(kSteps.size())))])(pick());
    if (grown) values_.push_back(grown);
  }

  Value* unary(Value* x) {
    static const char* const kOps[] = {"relu", "tanh", "neg", "sigmoid", "abs"};
    return builder_.op(kOps[below(5)], {x});
  }

  Value* binary(Value* x) {
    static const char* const kOps[] = {"add", "mul", "sub", "max"};
    for (int attempt = 0; attempt < 4; ++attempt) {
      Value* y = pick();
      if (y->type.shape == x->type.shape) return builder_.op(kOps[below(4)], {x, y});
    }
    return nullptr;
  }

  Value* with_constant(Value* x) {
    const auto last = x->type.shape.back().constant();
    Value* c = last && below(2) ? constant({*last}) : constant({});
    return below(2) ? builder_.add(x, c) : builder_.mul(c, x);
  }

  Value* turned(Value* x) {
    Ints perm(static_cast<std::size_t>(x->type.rank()));
    for (std::size_t i = 0; i < perm.size(); ++i) perm[i] = static_cast<std::int64_t>(i);
    std::shuffle(perm.begin(), perm.end(), random_);
    return builder_.transpose(x, perm);
  }

  /// The first extent of 4 becomes 2 by 2.
  Value* split(Value* x) {
    Shape shape = x->type.shape;
    const auto four = std::find(shape.begin(), shape.end(), Dim(4));
    if (four == shape.end() || shape.size() > 3) return nullptr;
    *four = 2;
    shape.insert(four, Dim(2));
    return builder_.reshape(x, shape);
  }

  Value* merged(Value* x) {
    if (x->type.rank() < 3) return nullptr;
    Shape shape = x->type.shape;
    const auto at = shape.begin() + below(x->type.rank() - 1);
    *at = *at * *(at + 1);
    shape.erase(at + 1);
    return builder_.reshape(x, shape);
  }

  Value* part(Value* x) {
    Shape sizes = x->type.shape;
    Shape starts(sizes.size(), Dim(0));
    Ints steps(sizes.size(), 1);
    const auto axis = static_cast<std::size_t>(below(x->type.rank()));
    const auto extent = sizes[axis].constant();
    if (!extent || *extent < 2) return nullptr;
    starts[axis] = below(2);
    sizes[axis] = *extent / 2;
    return builder_.op("slice", {x}, {{"starts", starts}, {"sizes", sizes}, {"steps", steps}});
  }

  Value* folded(Value* x) {
    static const char* const kOps[] = {"reduce_mean", "reduce_max", "reduce_sum"};
    const bool keep = x->type.rank() < 3 || below(2) == 0;
    return builder_.op(kOps[below(3)], {x}, {{"axes", Ints{below(x->type.rank())}}, {"keepdims", std::int64_t{keep}}});
  }

  Value* row(Value* x) {
    const auto last = x->type.shape.back().constant();
    const std::int64_t axis = x->type.rank() - 1;
    if (!last || below(2) == 0) return builder_.op("softmax", {x}, {{"axis", std::int64_t{below(x->type.rank())}}});
    return builder_.op("layer_norm", {x, constant({*last}), constant({*last})}, {{"axis", axis}, {"epsilon", 1e-2}});
  }

  Value* product(Value* x) {
    const auto last = x->type.shape.back().constant();
    return last ? builder_.op("matmul", {x, constant({*last, 4})}) : nullptr;
  }

  /// x times its own transpose: attention scores.
  Value* self_product(Value* x) {
    const int rank = x->type.rank();
    Ints perm(static_cast<std::size_t>(rank));
    for (std::size_t i = 0; i < perm.size(); ++i) perm[i] = static_cast<std::int64_t>(i);
    std::swap(perm[perm.size() - 1], perm[perm.size() - 2]);
    return builder_.op("tanh", {builder_.op("matmul", {x, builder_.transpose(x, perm)})});
  }

  /// An image's spatial extents and channels must be numbers here.
  static bool is_image(const Value* x) {
    const Shape& s = x->type.shape;
    return s.size() == 4 && s[1].is_constant() && s[2].is_constant() && s[3].is_constant() && s[2].value() >= 2 && s[3].value() >= 2;
  }

  Value* window(Value* x) {
    if (!is_image(x)) return nullptr;
    const char* op = below(2) ? "max_pool" : "average_pool";
    return builder_.op(op, {x}, {{"kernel_shape", Ints{2, 2}}, {"strides", Ints{1, 1}}, {"pads", Ints{0, 0, 1, 1}}});
  }

  Value* convolved(Value* x) {
    if (!is_image(x)) return nullptr;
    const std::int64_t channels = x->type.shape[1].value();
    const Attributes attributes{{"pads", Ints{1, 1, 1, 1}}};
    Value* result = builder_.op("conv", {x, constant({4, channels, 3, 3})}, attributes);
    if (below(2)) return result;
    Value* g = builder_.op("abs", {constant({4})});
    return builder_.op("batch_norm", {result, g, constant({4}), constant({4}), builder_.add(g, builder_.scalar(DType::f32, 1))},
                       {{"epsilon", 1e-3}});
  }

  Value* widened(Value* x) {
    Shape shape = x->type.shape;
    for (Dim& dim : shape) {
      if (dim == Dim(1)) dim = 3;
    }
    return builder_.op("expand", {x}, {{"shape", shape}});
  }

  Value* joined(Value* x) { return builder_.op("concat", {x, x}, {{"axis", std::int64_t{x->type.rank() - 1}}}); }

  std::unique_ptr<Graph> graph_ = std::make_unique<Graph>("random");
  std::mt19937 random_;
  Builder builder_;
  std::vector<Value*> values_;
};

class RandomPipeline : public testing::TestWithParam<int> {};

TEST_P(RandomPipeline, KeepsTheNumbers) {
  for (unsigned seed = 0; seed < 150; ++seed) {
    const auto before = RandomGraph(seed, Dim::symbol("N"), Dim::symbol("S")).make(24);
    const auto after = before->clone();
    RunnerOptions options;
    options.verify_each = true;
    run_passes(*after, pipeline(), PassContext{.optimization_level = GetParam()}, options);
    for (const Node* node : after->nodes()) ASSERT_TRUE(node->is("const") || node->is("kernel") || is_view(*node)) << node->op_name();
    for (const auto& binding : bindings(*before)) {
      const auto inputs = random_inputs(*before, binding, seed);
      ASSERT_EQ(first_difference(evaluate(*before, inputs), evaluate(*after, inputs), 1e-4), "") << "seed " << seed << "\n"
                                                                                                 << to_text(*before) << "\nafter\n"
                                                                                                 << to_text(*after);
    }
  }
}

/// Each element of a value of static shape: where it lies in memory.
Tensor offsets_of(const Type& type) {
  Extents stride(type.shape.size(), 1);
  std::int64_t step = 1;
  const Layout order = explicit_layout(type);
  for (auto axis = order.rbegin(); axis != order.rend(); ++axis) {
    stride[static_cast<std::size_t>(*axis)] = step;
    step *= type.shape[static_cast<std::size_t>(*axis)].value();
  }
  const Extents extents = static_extents(type.shape);
  Tensor offsets(DType::i64, extents);
  auto elements = offsets.mutable_span<std::int64_t>();
  for (std::size_t i = 0; i < elements.size(); ++i) {
    auto rest = static_cast<std::int64_t>(i);
    for (std::size_t axis = extents.size(); axis-- > 0; rest /= extents[axis]) elements[i] += rest % extents[axis] * stride[axis];
  }
  return offsets;
}

// The reference evaluator does not see layouts, so what a view claims about memory is checked by moving addresses.
/// Every value that left a kernel was rounded once: the tolerance is that of a few roundings, of the largest value.
TEST(RandomPipelineInHalf, StaysNearTheNumbers) {
  int finite = 0;
  for (unsigned seed = 0; seed < 100; ++seed) {
    const auto before = RandomGraph(seed, Dim::symbol("N"), Dim::symbol("S")).make(16);
    const auto after = before->clone();
    RunnerOptions options;
    options.verify_each = true;
    run_passes(*after, pipeline(), PassContext{.precision = DType::f16}, options);
    for (const auto& binding : bindings(*before)) {
      const auto inputs = random_inputs(*before, binding, seed);
      const auto expected = evaluate(*before, inputs);
      const auto fits = [](const Tensor& t) { return std::ranges::all_of(t.span<float>(), [](float v) { return std::abs(v) < 1e4F; }); };
      if (!std::ranges::all_of(expected, fits)) continue;  // overflows f16, here or on the way
      ++finite;
      ASSERT_EQ(first_difference(expected, evaluate(*after, inputs), 2e-2), "") << "seed " << seed << "\n" << to_text(*before) << "\nafter\n" << to_text(*after);
    }
  }
  EXPECT_GT(finite, 100);
}

TEST(RandomViews, RelabelTheMemoryOfTheirOperands) {
  int views = 0;
  for (unsigned seed = 0; seed < 150; ++seed) {
    const auto graph = RandomGraph(seed, 2, 3).make(24);
    run_passes(*graph, pipeline(), PassContext{}, RunnerOptions{});
    for (const Node* node : graph->nodes()) {
      if (!is_view(*node)) continue;
      const Type moved{DType::i64, node->result()->type.shape, node->result()->type.layout};
      const auto got = node->op().evaluate(*node, {offsets_of(node->operand(0)->type)}, {moved});
      EXPECT_EQ(first_difference({offsets_of(moved)}, got, 0), "")
          << node->op_name() << " from " << to_text(node->operand(0)->type) << " to " << to_text(node->result()->type);
      ++views;
    }
  }
  EXPECT_GT(views, 100);
}

// The same for what contractions read in place: the strides lead to the address that the movement leads to.
TEST(RandomViews, StridesLeadToTheElements) {
  int strided = 0;
  for (unsigned seed = 0; seed < 150; ++seed) {
    const auto graph = RandomGraph(seed, 2, 3).make(24);
    run_passes(*graph, std::span(find_pass("choose_layouts"), 1), PassContext{}, RunnerOptions{});
    for (const Node* node : graph->nodes()) {
      if (node->op().op_class != OpClass::movement || is_view(*node)) continue;
      const auto view = view_through(*node, own_memory(*node->operand(0)));
      if (!view) continue;
      const Type& type = node->result()->type;
      const auto got = node->op().evaluate(*node, {offsets_of(node->operand(0)->type)}, {Type{DType::i64, type.shape}}).front();
      const Extents extents = static_extents(type.shape);
      for (std::int64_t i = 0; i < got.elements(); ++i) {
        std::int64_t address = view->offset.value();
        std::int64_t rest = i;
        for (std::size_t axis = extents.size(); axis-- > 0; rest /= extents[axis])
          address += rest % extents[axis] * view->strides[axis].value();
        ASSERT_EQ(got.span<std::int64_t>()[static_cast<std::size_t>(i)], address) << node->op_name() << " to " << to_text(type);
      }
      ++strided;
    }
  }
  EXPECT_GT(strided, 100);
}

INSTANTIATE_TEST_SUITE_P(Levels, RandomPipeline, testing::Values(0, 1, 2));

}  // namespace
}  // namespace intaglio::test
