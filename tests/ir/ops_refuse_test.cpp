// Refusals: for every constraint of every record, operands that break it and the message that cites it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tests/ir/ops_node.h"

namespace intaglio::testing {
namespace {

struct Refused {
  std::string_view op;
  std::string_view constraint;
  std::vector<std::string> operands;
  Attributes attributes = {};
};

void add_families(std::vector<Refused>& cases) {
  for (std::string_view op : {"ceil", "cos", "erf", "exp", "floor", "is_nan", "log", "round", "sigmoid", "sin", "sqrt", "tanh"}) {
    cases.push_back({op, "C1", {"i32[2]"}});
  }
  for (std::string_view op : {"neg", "relu"}) cases.push_back({op, "C1", {"u8[2]"}});
  cases.push_back({"abs", "C1", {"bool[2]"}});
  cases.push_back({"logical_not", "C1", {"i64[2]"}});
  for (std::string_view op : {"add", "sub", "mul", "div", "mod", "pow", "min", "max", "less", "less_equal", "greater", "greater_equal"}) {
    cases.push_back({op, "C1", {"f32[2]", "f64[2]"}});
    cases.push_back({op, "C1", {"bool[2]", "bool[2]"}});
    cases.push_back({op, "C2", {"i32[2]", "i32[3]"}});
  }
  cases.push_back({"equal", "C1", {"bool[2]", "i32[2]"}});
  cases.push_back({"equal", "C2", {"f32[2,2]", "f32[3]"}});
  for (std::string_view op : {"logical_and", "logical_or", "logical_xor"}) {
    cases.push_back({op, "C1", {"bool[2]", "i32[2]"}});
    cases.push_back({op, "C2", {"bool[2]", "bool[3]"}});
  }
  for (std::string_view op : {"reduce_sum", "reduce_mean", "reduce_max", "reduce_min", "reduce_prod"}) {
    cases.push_back({op, "C1", {"string[2]"}, {{"axes", ints({0})}}});
    cases.push_back({op, "C2", {"f32[2]"}, {{"axes", ints({1})}}});
    cases.push_back({op, "C2", {"f32[2]"}, {{"axes", ints({-1})}}});
    cases.push_back({op, "C2", {"f32[2,2]"}, {{"axes", ints({1, 1})}}});
    cases.push_back({op, "C3", {"f32[2]"}, {{"axes", ints({0})}, {"keepdims", integer(2)}}});
  }
}

void add_movement(std::vector<Refused>& cases) {
  const auto slice = [](std::string_view starts, std::string_view sizes, std::vector<std::int64_t> steps) {
    return Attributes{{"starts", dims(starts)}, {"sizes", dims(sizes)}, {"steps", ints(std::move(steps))}};
  };
  const auto pad = [](std::string_view begins, std::string_view ends, std::string mode) {
    return Attributes{{"begins", dims(begins)}, {"ends", dims(ends)}, {"mode", std::move(mode)}};
  };
  const std::vector<Refused> movement{
      {"const", "C1", {}, {{"value", Tensor()}}},
      {"iota", "C1", {}, {{"shape", dims("[3]")}, {"axis", integer(1)}}},
      {"iota", "C2", {}, {{"shape", dims("[3]")}, {"dtype", DType::boolean}}},
      {"reshape", "C1", {"f32[4]"}, {{"shape", dims("[2,-1]")}}},
      {"reshape", "C2", {"f32[4]"}, {{"shape", dims("[5]")}}},
      {"transpose", "C1", {"f32[2,3]"}, {{"perm", ints({0, 0})}}},
      {"transpose", "C1", {"f32[2,3]"}, {{"perm", ints({0})}}},
      {"expand", "C1", {"f32[2]"}, {{"shape", dims("[3]")}}},
      {"expand", "C1", {"f32[2,3]"}, {{"shape", dims("[3]")}}},
      {"slice", "C1", {"f32[4,4]"}, slice("[0]", "[1]", {1, 1})},
      {"slice", "C1", {"f32[4]"}, slice("[0]", "[1]", {1, 1})},
      {"slice", "C2", {"f32[4]"}, slice("[0]", "[-1]", {1})},
      {"slice", "C3", {"f32[4]"}, slice("[1]", "[4]", {1})},
      {"slice", "C3", {"f32[4]"}, slice("[1]", "[3]", {-1})},
      {"convert_layout", "C1", {"f32[2,3]"}, {{"layout", ints({0, 2})}}},
      {"concat", "C1", {"f32[2]", "f16[2]"}, {{"axis", integer(0)}}},
      {"concat", "C2", {"f32[2]", "f32[2]"}, {{"axis", integer(1)}}},
      {"concat", "C3", {"f32[2,3]", "f32[2,4]"}, {{"axis", integer(0)}}},
      {"concat", "C3", {"f32[2,3]", "f32[2]"}, {{"axis", integer(0)}}},
      {"gather", "C1", {"f32[2]", "f32[2]"}},
      {"gather", "C2", {"f32[2]", "i64[2]"}, {{"axis", integer(1)}}},
      {"gather_elements", "C1", {"f32[2]", "u8[2]"}},
      {"gather_elements", "C2", {"f32[2]", "i64[2]"}, {{"axis", integer(-1)}}},
      {"gather_elements", "C3", {"f32[2,2]", "i64[2]"}},
      {"gather_elements", "C3", {"f32[2,2]", "i64[2,3]"}},
      {"pad", "C1", {"f32[2,2]"}, pad("[1]", "[1]", "constant")},
      {"pad", "C2", {"f32[2]", "f64[]"}, pad("[1]", "[1]", "constant")},
      {"pad", "C2", {"f32[2]", "f32[1]"}, pad("[1]", "[1]", "constant")},
      {"pad", "C3", {"f32[2]"}, pad("[1]", "[1]", "wrap")},
      {"pad", "C4", {"f32[2]"}, pad("[2]", "[0]", "reflect")},
      {"pad", "C4", {"f32[0]"}, pad("[0]", "[1]", "edge")},
      {"pad", "C5", {"f32[2]"}, pad("[-2]", "[-1]", "constant")},
  };
  cases.insert(cases.end(), movement.begin(), movement.end());
}

void add_others(std::vector<Refused>& cases) {
  const auto to = [](DType dtype, std::int64_t axis = 1, std::int64_t block = 0) {
    return Attributes{{"to", dtype}, {"axis", axis}, {"block_size", block}};
  };
  const auto axis = [](std::int64_t value) { return Attributes{{"axis", value}}; };
  const auto block = [](std::int64_t value) { return Attributes{{"block_size", value}}; };
  const std::vector<Refused> others{
      {"cast", "C1", {"string[2]"}, {{"to", DType::f32}}},
      {"cast", "C1", {"f32[2]"}, {{"to", DType::c64}}},
      {"mod", "C3", {"i32[2]", "i32[2]"}, {{"fmod", integer(2)}}},
      {"mod", "C4", {"f32[2]", "f32[2]"}},
      {"where", "C1", {"i32[2]", "f32[2]", "f32[2]"}},
      {"where", "C2", {"bool[2]", "f32[2]", "i32[2]"}},
      {"where", "C3", {"bool[3]", "f32[2]", "f32[2]"}},
      {"batch_norm", "C1", {"f32[1,2]", "f16[2]", "f32[2]", "f32[2]", "f32[2]"}},
      {"batch_norm", "C2", {"f32[2]", "f32[2]", "f32[2]", "f32[2]", "f32[2]"}},
      {"batch_norm", "C3", {"f32[1,2]", "f32[2]", "f32[3]", "f32[2]", "f32[2]"}},
      {"batch_norm", "C3", {"f32[1,2]", "f32[2]", "f32[2]", "f32[2]", "f32[2,1]"}},
      {"quantize", "C1", {"i32[2,3]", "f32[]"}, to(DType::i8)},
      {"quantize", "C2", {"f32[2,3]", "f32[2]"}, to(DType::i8)},
      {"quantize", "C2", {"f32[2,3]", "f32[2,3]"}, to(DType::i8)},
      {"quantize", "C3", {"f32[2,3]", "f32[3]"}, to(DType::i8, 2)},
      {"quantize", "C4", {"f32[2,3]", "f32[2,3]"}, to(DType::i8, 1, 2)},
      {"quantize", "C4", {"f32[2,3]", "f32[2,2]"}, to(DType::i8, 1, -2)},
      {"quantize", "C5", {"f32[2,3]", "f32[3]", "i8[]"}, to(DType::i8)},
      {"quantize", "C6", {"f32[2,3]", "f32[]", "u8[]"}, to(DType::i8)},
      {"quantize", "C6", {"f32[2,3]", "f32[]"}, to(DType::i32)},
      {"dequantize", "C1", {"i64[2,3]", "f32[]"}},
      {"dequantize", "C1", {"i8[2,3]", "f32[]", "u8[]"}},
      {"dequantize", "C2", {"i8[2,3]", "f32[2]"}},
      {"dequantize", "C3", {"i8[2,3]", "f32[3]"}, axis(-1)},
      {"dequantize", "C4", {"i8[2,3]", "f32[3]"}, block(2)},
      {"dequantize", "C5", {"i8[2,3]", "f32[3]", "i8[2]"}},
      {"dequantize", "C6", {"i8[2,3]", "i32[]"}},
      {"softmax", "C1", {"i32[2]"}, axis(0)},
      {"softmax", "C2", {"f32[2]"}, axis(1)},
      {"layer_norm", "C1", {"f32[2,3]", "f16[3]"}, axis(1)},
      {"layer_norm", "C2", {"f32[2,3]", "f32[3]"}, axis(2)},
      {"layer_norm", "C3", {"f32[2,3]", "f32[2]"}, axis(1)},
      {"layer_norm", "C3", {"f32[2,3]", "f32[3]", "f32[1,1,3]"}, axis(1)},
      {"matmul", "C1", {"f32[2,2]", "f64[2,2]"}},
      {"matmul", "C1", {"bool[2,2]", "bool[2,2]"}},
      {"matmul", "C1", {"u8[2,2]", "i32[2,2]"}},
      {"matmul", "C2", {"f32[2]", "f32[2,2]"}},
      {"matmul", "C3", {"f32[2,3]", "f32[2,3]"}},
      {"matmul", "C4", {"f32[2,2,2]", "f32[3,2,2]"}},
      {"attention", "C1", {"f32[3,2]", "f32[3,2]", "f16[3,2]"}},
      {"attention", "C1", {"i32[3,2]", "i32[3,2]", "i32[3,2]"}},
      {"attention", "C2", {"f32[2]", "f32[2]", "f32[2]"}},
      {"attention", "C2", {"f32[1,3,2]", "f32[1,3,2]", "f32[3,2]"}},
      {"attention", "C3", {"f32[4,3,2]", "f32[1,3,2]", "f32[4,3,2]"}},
      {"attention", "C3", {"f32[4,3,2]", "f32[4,3,2]", "f32[1,3,2]"}},
      {"attention", "C4", {"f32[3,2]", "f32[3,4]", "f32[3,2]"}},
      {"attention", "C5", {"f32[3,2]", "f32[5,2]", "f32[3,2]"}},
      {"attention", "C6", {"f32[3,2]", "f32[5,2]", "f32[5,2]", "f32[5,3]"}},
      {"attention", "C6", {"f32[3,2]", "f32[5,2]", "f32[5,2]", "f32[1,3,5]"}},
      {"conv", "C1", {"f32[1,2,4]", "f16[2,2,1]"}},
      {"conv", "C1", {"i32[1,2,4]", "i32[2,2,1]"}},
      {"conv", "C1", {"u8[1,2,4]", "f32[2,2,1]"}},
      {"conv", "C1", {"u8[1,2,4]", "i8[2,2,1]", "f32[2]"}},
      {"conv", "C8", {"f32[1,2,4]", "f32[2,2,1]"}, {{"pad_value", integer(1)}}},
      {"conv", "C8", {"u8[1,2,4]", "i8[2,2,1]"}, {{"pad_value", integer(-1)}}},
      {"conv", "C8", {"i8[1,2,4]", "i8[2,2,1]"}, {{"pad_value", integer(128)}}},
      {"conv", "C2", {"f32[1,2]", "f32[2,2]"}},
      {"conv", "C2", {"f32[1,2,4,4]", "f32[2,2,1]"}},
      {"conv", "C3", {"f32[1,2,4]", "f32[2,2,1]"}, {{"strides", ints({1, 1})}}},
      {"conv", "C3", {"f32[1,2,4]", "f32[2,2,1]"}, {{"strides", ints({0})}}},
      {"conv", "C3", {"f32[1,2,4]", "f32[2,2,1]"}, {{"pads", ints({1})}}},
      {"conv", "C3", {"f32[1,2,4]", "f32[2,2,1]"}, {{"pads", ints({-1, 0})}}},
      {"conv", "C3", {"f32[1,2,4]", "f32[2,2,1]"}, {{"group", integer(0)}}},
      {"conv", "C4", {"f32[1,3,4]", "f32[2,2,1]"}},
      {"conv", "C5", {"f32[1,4,4]", "f32[3,2,1]"}, {{"group", integer(2)}}},
      {"conv", "C6", {"f32[1,2,4]", "f32[2,2,1]", "f32[3]"}},
      {"conv", "C6", {"f32[1,2,4]", "f32[2,2,1]", "f32[2,1]"}},
      {"conv", "C7", {"f32[1,2,4]", "f32[2,2,5]"}},
      {"max_pool", "C1", {"bool[1,2,4]"}, {{"kernel_shape", ints({2})}}},
      {"average_pool", "C1", {"i32[1,2,4]"}, {{"kernel_shape", ints({2})}}},
  };
  cases.insert(cases.end(), others.begin(), others.end());
  for (std::string_view op : {"max_pool", "average_pool"}) {
    cases.push_back({op, "C2", {"f32[1,2]"}, {{"kernel_shape", ints({})}}});
    cases.push_back({op, "C3", {"f32[1,2,4]"}, {{"kernel_shape", ints({2, 2})}}});
    cases.push_back({op, "C3", {"f32[1,2,4]"}, {{"kernel_shape", ints({0})}}});
    cases.push_back({op, "C3", {"f32[1,2,4]"}, {{"kernel_shape", ints({2})}, {"dilations", ints({0})}}});
    cases.push_back({op, "C4", {"f32[1,2,4]"}, {{"kernel_shape", ints({2})}, {"pads", ints({2, 0})}}});
    cases.push_back({op, "C5", {"f32[1,2,4]"}, {{"kernel_shape", ints({5})}}});
  }
}

std::vector<Refused> all_cases() {
  std::vector<Refused> cases;
  add_families(cases);
  add_movement(cases);
  add_others(cases);
  return cases;
}

TEST(OpRefuse, MessagesCiteTheConstraint) {
  for (const Refused& c : all_cases()) {
    const std::string message = refusal(c.op, c.operands, c.attributes);
    const std::string citation = fmt::format("({}, {})", c.op, c.constraint);
    EXPECT_NE(message.find(citation), std::string::npos)
        << c.op << "(" << fmt::format("{}", fmt::join(c.operands, ", ")) << ") breaks " << c.constraint << " but: " << message;
  }
}

/// `kernel`'s operands and region are one to one: nodes with regions are not made from types, so they are built by hand below.
TEST(OpRefuse, EveryConstraintHasACase) {
  std::map<std::string_view, std::set<std::string>> covered;
  for (const Refused& c : all_cases()) covered[c.op].insert(std::string(c.constraint));
  for (const OpRecord& op : op_table()) {
    if (op.op_class == OpClass::kernel) continue;
    for (std::size_t i = 0; i < op.constraints.size(); ++i) {
      EXPECT_TRUE(covered[op.name].contains(fmt::format("C{}", i + 1))) << op.name << ": " << op.constraints[i];
    }
  }
}

/// What inference says of a kernel node whose region adds two values of `inside` types, with operands of `outside` types.
std::string kernel_refusal(const std::vector<std::string>& outside, const std::vector<std::string>& inside) {
  auto region = std::make_unique<Graph>("region");
  std::vector<Value*> arguments;
  for (const std::string& type : inside) arguments.push_back(region->add_argument(type_of(type), "a" + std::to_string(arguments.size())));
  region->add_result(region->add_node("add", {arguments.front(), arguments.back()})->result(), "y");
  const Type result = region->results()[0]->type;
  Graph graph;
  std::vector<Value*> operands;
  for (const std::string& type : outside) operands.push_back(graph.add_argument(type_of(type), "x" + std::to_string(operands.size())));
  const Node* node = graph.add_node_typed("kernel", operands, {}, {result}, std::move(region));
  try {
    InferContext context(*node);
    EXPECT_EQ(node->op().infer(context), std::vector<Type>{result});
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

TEST(OpRefuse, KernelRegions) {
  EXPECT_EQ(kernel_refusal({"f32[N]", "f32[N]"}, {"f32[N]", "f32[N]"}), "");
  EXPECT_NE(kernel_refusal({"f32[N]"}, {"f32[N]", "f32[N]"}).find("(kernel, C1)"), std::string::npos);
  EXPECT_NE(kernel_refusal({"f32[N]", "f32[M]"}, {"f32[N]", "f32[N]"}).find("(kernel, C2)"), std::string::npos);
}

TEST(OpRefuse, MessagesSayWhatWasExpectedAndFound) {
  const std::string add = refusal("add", {"f32[2]", "f32[3]"});
  EXPECT_NE(add.find("expected: the shapes broadcast to each other"), std::string::npos) << add;
  EXPECT_NE(add.find("got:      [2] and [3]   (f32[2], f32[3])"), std::string::npos) << add;

  const std::string conv = refusal("conv", {"f32[1,64,56,56]", "f32[128,16,3,3]"}, {{"group", integer(2)}});
  EXPECT_NE(conv.find("weight has the wrong number of input channels"), std::string::npos) << conv;
  EXPECT_NE(conv.find("weight.shape[1] * group == input.shape[1] = 64"), std::string::npos) << conv;
  EXPECT_NE(conv.find("weight.shape[1] = 16, group = 2   (f32[1,64,56,56], f32[128,16,3,3])"), std::string::npos) << conv;
  EXPECT_NE(conv.find("group = 4 would match"), std::string::npos) << conv;
}

}  // namespace
}  // namespace intaglio::testing
