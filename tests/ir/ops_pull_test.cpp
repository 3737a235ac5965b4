// Pulls: for every elementwise and movement operator, the element that `pull` describes is the element that the reference kernel computes.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <set>

#include "support/elements.h"
#include "tests/codegen/interpreter.h"
#include "tests/ir/ops_node.h"

namespace intaglio::testing {
namespace {

using kernel::Expr;

struct Range {
  double low, high;
};

struct Pulled {
  std::string_view op;
  std::vector<std::string> operands;
  Attributes attributes = {};
  /// What each operand is drawn from; missing ones from [-3, 3], unsigned and boolean ones from [0, 3] and [0, 1].
  std::vector<Range> ranges = {};
  SymbolValues symbols = {};
};

bool is_storage_only(DType dtype) { return is_float(dtype) && dtype != DType::f32 && dtype != DType::f64; }

Expr row_major_offset(const Shape& shape, const std::vector<Expr>& index) {
  Expr offset = kernel::index_constant(0);
  for (std::size_t d = 0; d < shape.size(); ++d) {
    offset = kernel::binary(kernel::Op::mul, offset, kernel::from_dim(shape[d]));
    offset = kernel::binary(kernel::Op::add, offset, index[d]);
  }
  return offset;
}

/// Operands are loads from row-major buffers, one for each argument of the graph.
class LoadOperands final : public PullContext {
 public:
  Expr operand(const Node& node, int i, const std::vector<Expr>& index) override {
    const Value& value = *node.operand(i);
    EXPECT_EQ(index.size(), value.type.shape.size());
    const Expr element = kernel::load(value.index(), value.type.dtype, row_major_offset(value.type.shape, index));
    return is_storage_only(value.type.dtype) ? kernel::cast(element, DType::f32) : element;
  }
  Expr checked_index(const Expr& value, const Expr& high) override { return kernel::checked(value, high); }
};

/// A kernel that stores every element of the node's result.
kernel::Kernel kernel_of(const OneNode& one) {
  kernel::Kernel kernel;
  kernel.name = one.node->op_name();
  for (const auto& argument : one.graph.arguments()) {
    kernel.buffers.push_back({argument->name, argument->type.dtype, element_count(argument->type.shape)});
  }
  const Type& type = one.node->result()->type;
  const int out = static_cast<int>(kernel.buffers.size());
  kernel.buffers.push_back({"out", type.dtype, element_count(type.shape), true});
  std::vector<Expr> index;
  std::vector<int> vars;
  for (const Dim& dim : type.shape) {
    vars.push_back(kernel.new_variable());
    index.push_back(kernel::var(vars.back(), kernel::from_dim(dim)));
  }
  LoadOperands operands;
  const Expr element = one.node->op().pull(operands, *one.node, index);
  EXPECT_EQ(element->dtype, is_storage_only(type.dtype) ? DType::f32 : type.dtype);
  kernel.body = kernel::store(out, row_major_offset(type.shape, index), kernel::cast(element, type.dtype));
  for (std::size_t d = vars.size(); d-- > 0;) {
    kernel.body = kernel::loop(vars[d], kernel::from_dim(type.shape[d]), kernel::LoopKind::serial, kernel.body);
  }
  return kernel;
}

Tensor random_tensor(const Type& type, const SymbolValues& symbols, const Range* range, std::mt19937& random) {
  Extents extents;
  for (const Dim& dim : type.shape) extents.push_back(dim.evaluate([&](const std::string& name) { return symbols.at(name); }));
  Tensor tensor(type.dtype, extents);
  Range drawn{-3, 3};
  if (is_unsigned_integer(type.dtype)) drawn = {0, 3};
  if (type.dtype == DType::boolean) drawn = {0, 1};
  if (range) drawn = *range;
  std::uniform_real_distribution<double> real(drawn.low, drawn.high);
  std::uniform_int_distribution<int> whole(static_cast<int>(drawn.low), static_cast<int>(drawn.high));
  for (std::int64_t i = 0; i < tensor.elements(); ++i) set_real(tensor, i, is_float(type.dtype) ? real(random) : whole(random));
  return tensor;
}

std::vector<Tensor> random_inputs(const Pulled& c, const Graph& graph) {
  std::mt19937 random(7);
  std::vector<Tensor> inputs;
  for (const auto& argument : graph.arguments()) {
    const Range* range = inputs.size() < c.ranges.size() ? &c.ranges[inputs.size()] : nullptr;
    inputs.push_back(random_tensor(argument->type, c.symbols, range, random));
  }
  return inputs;
}

double tolerance(DType dtype) { return dtype == DType::f16 ? 2e-3 : dtype == DType::bf16 ? 1.6e-2 : dtype == DType::f32 ? 1e-6 : 0; }

void expect_pull_is_reference(const Pulled& c) {
  SCOPED_TRACE(fmt::format("{}({})", c.op, fmt::join(c.operands, ", ")));
  OneNode one(c.op, c.operands, c.attributes);
  // Symbols are bound where they stand alone in the shape of an argument.
  for (const auto& [symbol, extent] : c.symbols) one.graph.add_argument(type_of(fmt::format("u8[{}]", symbol)), "extent_of_" + symbol);
  const kernel::Kernel kernel = kernel_of(one);
  SCOPED_TRACE(to_text(kernel));
  const std::vector<Tensor> inputs = random_inputs(c, one.graph);
  const Tensor expected = evaluate(one.graph, inputs).at(0);
  std::vector<Tensor> buffers = inputs;
  buffers.emplace_back(expected.dtype(), expected.shape());
  ASSERT_NO_THROW(interpret(kernel, buffers, c.symbols));
  const Tensor& actual = buffers.back();
  for (std::int64_t i = 0; i < expected.elements(); ++i) {
    const double a = get_real(actual, i), e = get_real(expected, i);
    const bool same =
        a == e || (std::isnan(a) && std::isnan(e)) || std::fabs(a - e) <= tolerance(expected.dtype()) * std::max(1.0, std::fabs(e));
    ASSERT_TRUE(same) << "element " << i << ": " << a << " instead of " << e;
  }
}

const Attribute kF16 = DType::f16;

std::vector<Pulled> elementwise_cases() {
  std::vector<Pulled> cases;
  for (std::string_view op : {"ceil", "cos", "erf", "exp", "floor", "neg", "relu", "round", "sigmoid", "sin", "tanh", "abs", "is_nan"}) {
    for (const char* type : {"f32[3,5]", "f64[7]", "f16[7]", "bf16[7]"}) cases.push_back({op, {type}});
  }
  for (std::string_view op : {"sqrt", "log"}) {
    for (const char* type : {"f32[9]", "f64[9]", "f16[9]"}) cases.push_back({op, {type}, {}, {{0.1, 5}}});
    cases.push_back({op, {"f32[9]"}, {}, {{-5, -1}}});
  }
  for (std::string_view op : {"neg", "abs", "relu"}) {
    for (const char* type : {"i8[9]", "i64[9]"}) cases.push_back({op, {type}});
  }
  cases.push_back({"abs", {"u8[9]"}, {}, {{0, 255}}});
  cases.push_back({"logical_not", {"bool[9]"}});
  for (std::string_view op : {"add", "sub", "mul", "min", "max", "less", "less_equal", "greater", "greater_equal", "equal", "div"}) {
    for (const char* dtype : {"f32", "f64", "f16", "bf16", "i8", "u8", "i32", "i64", "u32"}) {
      cases.push_back({op, {fmt::format("{}[4,1,5]", dtype), fmt::format("{}[3,1]", dtype)}});
    }
    cases.push_back({op, {"f32[N,4]", "f32[M,1]"}, {}, {}, {{"N", 3}, {"M", 1}}});
    cases.push_back({op, {"f32[N,4]", "f32[M,1]"}, {}, {}, {{"N", 1}, {"M", 3}}});
    cases.push_back({op, {"f32[N,4]", "f32[M,1]"}, {}, {}, {{"N", 3}, {"M", 3}}});
    cases.push_back({op, {"i32[N]", "i32[5]"}, {}, {}, {{"N", 1}}});
  }
  for (const char* dtype : {"i8", "i32", "u8", "i64"}) {
    for (std::int64_t fmod : {0, 1}) {
      cases.push_back({"mod", {fmt::format("{}[40]", dtype), fmt::format("{}[40]", dtype)}, {{"fmod", integer(fmod)}}});
    }
    cases.push_back({"pow", {fmt::format("{}[60]", dtype), fmt::format("{}[60]", dtype)}});
  }
  cases.push_back({"mod", {"f32[40]", "f32[40]"}, {{"fmod", integer(1)}}});
  cases.push_back({"pow", {"f32[9]", "f32[9]"}, {}, {{0.1, 3}, {-2, 2}}});
  cases.push_back({"pow", {"f16[9]", "f16[1]"}, {}, {{0.1, 3}, {-2, 2}}});
  for (std::string_view op : {"logical_and", "logical_or", "logical_xor", "equal"}) cases.push_back({op, {"bool[4,1]", "bool[4]"}});
  for (const char* dtype : {"f32", "f16", "i64", "bool"}) {
    cases.push_back({"where", {"bool[4,1,3]", fmt::format("{}[5,1]", dtype), fmt::format("{}[]", dtype)}});
  }
  const std::vector<std::string> channels(4, "f32[6]");
  std::vector<std::string> batch_norm{"f32[2,6,3]"};
  batch_norm.insert(batch_norm.end(), channels.begin(), channels.end());
  cases.push_back({"batch_norm", batch_norm, {{"epsilon", 1e-3}}, {{-3, 3}, {-2, 2}, {-1, 1}, {-1, 1}, {0.1, 2}}});
  return cases;
}

std::vector<Pulled> conversion_cases() {
  std::vector<Pulled> cases;
  const std::vector<DType> dtypes{DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8,     DType::u8,
                                  DType::i16, DType::i32, DType::i64, DType::u32,  DType::boolean};
  for (DType from : dtypes) {
    for (DType to : dtypes) {
      const bool is_wide = from == DType::f32 || from == DType::f64 || from == DType::i32 || from == DType::i64;
      const Range range = is_wide                     ? Range{-400, 400}
                          : from == DType::boolean    ? Range{0, 1}
                          : is_unsigned_integer(from) ? Range{0, 255}
                                                      : Range{-128, 127};
      cases.push_back({"cast", {fmt::format("{}[50]", dtype_name(from))}, {{"to", to}}, {range}});
    }
  }
  for (DType to : {DType::i8, DType::u8, DType::i16}) {
    const std::string name(dtype_name(to));
    const Range zero_point = to == DType::u8 ? Range{100, 140} : Range{-20, 20};
    cases.push_back({"quantize", {"f32[4,6]", "f32[]", name + "[]"}, {{"to", to}}, {{-9, 9}, {0.02, 0.03}, zero_point}});
    cases.push_back({"quantize", {"f32[4,6]", "f32[6]"}, {{"to", to}}, {{-9, 9}, {0.02, 0.3}}});
    cases.push_back(
        {"quantize", {"f16[4,6]", "f16[4]", name + "[4]"}, {{"to", to}, {"axis", integer(0)}}, {{-9, 9}, {0.02, 0.3}, zero_point}});
    cases.push_back({"dequantize", {name + "[4,6]", "f32[1]", name + "[1]"}, {}, {{0, 127}, {0.02, 0.3}, zero_point}});
    cases.push_back({"dequantize", {name + "[4,6]", "f16[6]"}, {}, {{0, 127}, {0.02, 0.3}}});
    cases.push_back(
        {"dequantize", {name + "[4,7]", "f32[4,3]", name + "[4,3]"}, {{"block_size", integer(3)}}, {{0, 127}, {0.02, 0.3}, zero_point}});
    cases.push_back({"quantize", {"f32[N,7]", "f32[N,3]"}, {{"to", to}, {"block_size", integer(3)}}, {{-9, 9}, {0.02, 0.3}}, {{"N", 3}}});
  }
  cases.push_back({"dequantize", {"i32[9]", "f32[]"}, {{"axis", integer(0)}}, {{-100000, 100000}}});
  return cases;
}

std::vector<Pulled> reshape_cases() {
  std::vector<Pulled> cases;
  const auto add = [&](const char* from, const char* to, SymbolValues symbols = {}) {
    cases.push_back({"reshape", {fmt::format("f32{}", from)}, {{"shape", dims(to)}}, {}, std::move(symbols)});
  };
  add("[2,3,4]", "[24]");
  add("[24]", "[2,3,4]");
  add("[2,3,4]", "[6,4]");
  add("[6,4]", "[2,3,1,4]");
  add("[4,6]", "[6,4]");
  add("[2,1,3]", "[1,2,3,1]");
  add("[]", "[1,1]");
  add("[1]", "[]");
  add("[2,15,4]", "[2,3,5,4]");
  add("[2,3,10]", "[6,5,2]");
  add("[N,12,S]", "[N,3,4,S]", {{"N", 2}, {"S", 5}});
  add("[N,3,4]", "[12*N]", {{"N", 3}});
  add("[N,S,8]", "[N*S,8]", {{"N", 2}, {"S", 5}});
  add("[N*S,8]", "[N,S,2,4]", {{"N", 2}, {"S", 5}});
  add("[N,M]", "[6]", {{"N", 2}, {"M", 3}});
  add("[6]", "[N,M]", {{"N", 2}, {"M", 3}});
  add("[4,N]", "[M,2]", {{"N", 3}, {"M", 6}});
  add("[0,3]", "[3,0]");
  add("[N,3]", "[3,N]", {{"N", 0}});
  return cases;
}

std::vector<Pulled> movement_cases() {
  const auto slice = [](std::string_view starts, std::string_view sizes, std::vector<std::int64_t> steps) {
    return Attributes{{"starts", dims(starts)}, {"sizes", dims(sizes)}, {"steps", ints(std::move(steps))}};
  };
  const auto pad = [](std::string_view begins, std::string_view ends, std::string mode) {
    return Attributes{{"begins", dims(begins)}, {"ends", dims(ends)}, {"mode", std::move(mode)}};
  };
  std::vector<Pulled> cases{
      {"transpose", {"f32[2,3,4]"}, {{"perm", ints({2, 0, 1})}}},
      {"transpose", {"i8[N,3,4]"}, {{"perm", ints({1, 2, 0})}}, {}, {{"N", 5}}},
      {"expand", {"f16[3,1]"}, {{"shape", dims("[2,3,4]")}}},
      {"expand", {"f32[N,1]"}, {{"shape", dims("[M,4]")}}, {}, {{"N", 1}, {"M", 3}}},
      {"expand", {"f32[N,1]"}, {{"shape", dims("[M,4]")}}, {}, {{"N", 3}, {"M", 3}}},
      {"slice", {"f32[5,8]"}, slice("[1,7]", "[3,4]", {1, -2})},
      {"slice", {"f32[N,8]"}, slice("[N-1,0]", "[N,3]", {-1, 3}), {}, {{"N", 4}}},
      {"convert_layout", {"f32[2,3,4]"}, {{"layout", ints({0, 2, 1})}}},
      {"concat", {"f32[2,3]", "f32[2,1]", "f32[2,4]"}, {{"axis", integer(1)}}},
      {"concat", {"i64[3]"}, {{"axis", integer(0)}}},
      {"concat", {"f32[N,2]", "f32[0,2]", "f32[M,2]"}, {{"axis", integer(0)}}, {}, {{"N", 2}, {"M", 3}}},
      {"concat", {"f32[2,0]", "f32[2,0]"}, {{"axis", integer(1)}}},
      {"gather", {"f32[7,3]", "i64[2,4]"}, {}, {{-3, 3}, {-7, 6}}},
      {"gather", {"f32[2,7,3]", "i32[5]"}, {{"axis", integer(1)}}, {{-3, 3}, {-7, 6}}},
      {"gather", {"f16[N,7]", "i64[]"}, {{"axis", integer(1)}}, {{-3, 3}, {-7, 6}}, {{"N", 2}}},
      {"gather_elements", {"f32[6,4]", "i64[3,4]"}, {}, {{-3, 3}, {-6, 5}}},
      {"gather_elements", {"f32[3,6]", "i32[2,9]"}, {{"axis", integer(1)}}, {{-3, 3}, {-6, 5}}},
      {"iota", {}, {{"shape", dims("[3,4]")}, {"axis", integer(1)}}},
      {"iota", {}, {{"shape", dims("[3,4]")}, {"axis", integer(0)}, {"dtype", kF16}}},
      {"dims", {}, {{"values", dims("[N,2*M,7,N]")}}, {}, {{"N", 2}, {"M", 3}}},
      {"dims", {}, {{"values", dims("[]")}}},
  };
  for (const char* type : {"f32", "f16", "i32", "bool"}) {
    const std::string x = fmt::format("{}[4,5]", type), value = fmt::format("{}[]", type);
    cases.push_back({"pad", {x}, pad("[1,2]", "[0,3]", "constant")});
    cases.push_back({"pad", {x, value}, pad("[1,2]", "[0,3]", "constant")});
    cases.push_back({"pad", {x, value}, pad("[-1,2]", "[2,-3]", "constant")});
    cases.push_back({"pad", {x}, pad("[1,2]", "[0,6]", "edge")});
    cases.push_back({"pad", {x}, pad("[3,0]", "[2,4]", "reflect")});
    cases.push_back({"pad", {x}, pad("[-1,2]", "[3,-1]", "reflect")});
  }
  cases.push_back({"pad", {"f32[0,2]", "f32[]"}, pad("[1,0]", "[1,1]", "constant")});
  cases.push_back({"pad", {"f32[N,2]"}, pad("[M,0]", "[1,0]", "constant"), {}, {{"N", 3}, {"M", 2}}});
  return cases;
}

std::vector<Pulled> all_cases() {
  std::vector<Pulled> cases;
  for (const auto& some : {elementwise_cases(), conversion_cases(), reshape_cases(), movement_cases()}) {
    cases.insert(cases.end(), some.begin(), some.end());
  }
  return cases;
}

TEST(OpPull, Elementwise) {
  for (const Pulled& c : elementwise_cases()) expect_pull_is_reference(c);
}

TEST(OpPull, Conversions) {
  for (const Pulled& c : conversion_cases()) expect_pull_is_reference(c);
}

TEST(OpPull, Reshape) {
  for (const Pulled& c : reshape_cases()) expect_pull_is_reference(c);
}

TEST(OpPull, Movement) {
  for (const Pulled& c : movement_cases()) expect_pull_is_reference(c);
}

TEST(OpPull, EveryPullHasACase) {
  std::set<std::string_view> covered;
  for (const Pulled& c : all_cases()) covered.insert(c.op);
  for (const OpRecord& op : op_table()) {
    if (op.pull) {
      EXPECT_TRUE(covered.contains(op.name)) << op.name;
    }
  }
}

/// The number of divisions and remainders in the element of a reshape.
int divisions(const char* from, const char* to) {
  const OneNode one("reshape", {fmt::format("f32{}", from)}, {{"shape", dims(to)}});
  int count = 0;
  std::vector<Expr> index;
  for (const Dim& dim : one.node->result()->type.shape) index.push_back(kernel::var(static_cast<int>(index.size()), kernel::from_dim(dim)));
  LoadOperands operands;
  visit(one.node->op().pull(operands, *one.node, index), [&](const kernel::ExprNode& node) {
    if (node.kind == kernel::ExprKind::binary) count += node.op == kernel::Op::index_div || node.op == kernel::Op::index_mod;
  });
  return count;
}

TEST(OpPull, ReshapeDividesOnlyWhereItMust) {
  EXPECT_EQ(divisions("[N,12,64,64]", "[N,12,64,64,1]"), 0);
  EXPECT_EQ(divisions("[N,S,768]", "[N,S,12,64]"), 0);
  EXPECT_EQ(divisions("[N,12,S]", "[N,3,4,S]"), 0);
  // Merged again, the row-major offset needs no division either.
  EXPECT_EQ(divisions("[N,S,12,64]", "[N,S,768]"), 0);
}

TEST(OpPull, GatherChecksItsIndex) {
  const OneNode one("gather", {"f32[3]", "i64[1]"});
  const kernel::Kernel kernel = kernel_of(one);
  for (const auto& [index, is_valid] : {std::pair(2, true), {-3, true}, {3, false}, {-4, false}}) {
    std::vector<Tensor> buffers{Tensor(DType::f32, {3}), Tensor::of<std::int64_t>(DType::i64, {1}, {index}), Tensor(DType::f32, {1})};
    if (is_valid) {
      EXPECT_NO_THROW(interpret(kernel, buffers, {})) << index;
    } else {
      EXPECT_THROW(interpret(kernel, buffers, {}), CheckFailed) << index;
    }
  }
}

TEST(OpPull, CastRoundsEvenWhereComputationGoesOn) {
  const OneNode one("cast", {"f32[1]"}, {{"to", kF16}});
  LoadOperands operands;
  const Expr element = one.node->op().pull(operands, *one.node, {kernel::index_constant(0)});
  ASSERT_EQ(element->dtype, DType::f32);
  ASSERT_EQ(element->kind, kernel::ExprKind::cast);
  EXPECT_EQ(element->args[0]->dtype, DType::f16);
}

TEST(OpPull, ReluKeepsNan) {
  const OneNode one("relu", {"f32[1]"});
  std::vector<Tensor> buffers{Tensor::of<float>(DType::f32, {1}, {std::nanf("")}), Tensor(DType::f32, {1})};
  interpret(kernel_of(one), buffers, {});
  EXPECT_TRUE(std::isnan(buffers[1].span<float>()[0]));
}

}  // namespace
}  // namespace intaglio::testing
