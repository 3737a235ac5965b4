// Models that are refused as a whole, for an input, a constant or a result, with the sentence that says so.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "models.h"

namespace intaglio::test {
namespace {

const char* const kRelu = "(float[4] x) => (float[4] y) { y = Relu(x) }";

/// The model with `change` made to its protobuf.
template <typename F>
std::string refusal_after(const char* graph, F change) {
  onnx::ModelProto changed = model(graph);
  change(changed);
  return refusal(changed);
}

TEST(RefusedModel, IsNotWhatIsRight) { EXPECT_EQ(refusal(model(kRelu)), ""); }

TEST(RefusedModel, Opset) {
  for (int opset : {0, 6, 29, 1000000}) {
    EXPECT_EQ(refusal(model(kRelu, opset)),
              fmt::format("error: m.onnx: opset {} is not supported\n  expected: opsets 7 to 28\n  got:      opset {}\n  help:     export the model with another opset_version", opset, opset));
  }
  EXPECT_EQ(refusal_after(kRelu, [](onnx::ModelProto& m) { m.clear_opset_import(); }),
            "error: m.onnx: opset 0 is not supported\n  expected: opsets 7 to 28\n  got:      opset 0\n  help:     export the model with another opset_version");
  EXPECT_NE(refusal_after(kRelu, [](onnx::ModelProto& m) { m.mutable_opset_import(0)->set_version(std::int64_t{17} << 40); }), "");
}

TEST(RefusedModel, Functions) {
  EXPECT_EQ(refusal_after(kRelu, [](onnx::ModelProto& m) { m.add_functions()->set_name("f"); }),
            "error: m.onnx: models with functions of their own are not supported yet\n  expected: operators only\n  got:      1 functions\n  help:     inline them before export");
}

TEST(RefusedModel, SparseConstants) {
  EXPECT_EQ(refusal_after(kRelu, [](onnx::ModelProto& m) { m.mutable_graph()->add_sparse_initializer(); }), "error: m.onnx: sparse constants are not supported yet");
}

TEST(RefusedModel, NoOutputs) {
  EXPECT_EQ(refusal_after(kRelu, [](onnx::ModelProto& m) { m.mutable_graph()->clear_output(); }), "error: m.onnx: the model has no outputs");
}

TEST(RefusedModel, OutputThatNoNodeComputes) {
  EXPECT_EQ(refusal(model("(float[4] x) => (float[4] y, float[4] z) { y = Relu(x) }")), "error: m.onnx: output 'z': no node computes it");
}

std::string unknown(const std::string& name, const std::string& count, const std::string& first) {
  return fmt::format("error: m.onnx: operator {} of opset 17 is not supported\n  expected: an operator of docs/operators.md\n  got:      {}, the first is '{}'\n"
                     "  help:     rewrite the model without it, or export it with another opset",
                     name, count, first);
}

TEST(RefusedModel, UnknownOperatorsAllAtOnce) {
  const char* const graph = "(float[4] x) => (float[4] y) { a = Einsum(x)  [det] b = Det(a)  c = com.acme.Magic(b)  d = Einsum(c)  y = Add(d, x) }";
  EXPECT_EQ(refusal(model(graph)), unknown("Det", "1 node", "det") + "\n" + unknown("Einsum", "2 nodes", "Einsum_0") + "\n" + unknown("com.acme.Magic", "1 node", "Magic_2"));
}

TEST(RefusedModel, ControlFlow) {
  const char* const branches = "(bool c, float[4] x) => (float[4] y) { [if] y = If(c) <then_branch = g1 () => (float[4] a) { a = Relu(x) }, else_branch = g2 () => (float[4] b) { b = Abs(x) }> }";
  EXPECT_EQ(refusal(model(branches)), unknown("If", "1 node", "if"));
  const char* const loop = "(int64 n, bool c, float[4] x) => (float[4] y) { [loop] y = Loop(n, c, x) <body = g1 (int64 i, bool d, float[4] a) => (bool e, float[4] b) { e = Identity(d)  b = Relu(a) }> }";
  EXPECT_EQ(refusal(model(loop)), unknown("Loop", "1 node", "loop"));
  const char* const scan = "(float[4] x) => (float[4] y) { [scan] y = Scan(x) <num_scan_inputs: int = 1, body = g1 (float a) => (float b) { b = Relu(a) }> }";
  EXPECT_EQ(refusal(model(scan)), unknown("Scan", "1 node", "scan"));
}

// What depends on a refused value is passed over; what does not is told as well.
TEST(RefusedModel, EachProblemOnce) {
  const char* const graph = "(float[4] x, float[3] z) => (float[4] y, float[4] w) { [first] a = Add(x, z)  b = Relu(a)  y = Softmax<axis: int = 9>(b)  [second] w = Softmax<axis: int = 9>(x) }";
  const std::string text = refusal(model(graph));
  EXPECT_NE(text.find("node 'first' (Add, opset 17): the shapes do not broadcast"), std::string::npos) << text;
  EXPECT_NE(text.find("node 'second' (Softmax, opset 17): the axis is out of range"), std::string::npos) << text;
  EXPECT_EQ(text.find("Softmax_2"), std::string::npos) << text;
}

TEST(RefusedModel, AttributeOfAFunction) {
  const char* const graph = "(float[4] x) => (float[4] y) { [n] y = Softmax<axis: int = 0>(x) }";
  EXPECT_EQ(refusal_after(graph, [](onnx::ModelProto& m) { m.mutable_graph()->mutable_node(0)->mutable_attribute(0)->set_ref_attr_name("a"); }),
            "error: m.onnx: node 'n' (Softmax, opset 17): attribute 'axis' refers to an attribute of a function\n  expected: a value");
}

TEST(RefusedModel, SparseValue) {
  EXPECT_EQ(refusal_after("() => (float y) { [n] y = Constant() }",
                          [](onnx::ModelProto& m) {
                            auto* attribute = m.mutable_graph()->mutable_node(0)->add_attribute();
                            attribute->set_name("sparse_value");
                            attribute->set_type(onnx::AttributeProto::SPARSE_TENSOR);
                          }),
            "error: m.onnx: node 'n' (Constant, opset 17): sparse tensors are not supported yet");
}

/// Refusals of input 'x' after `change` of its type.
template <typename F>
std::string refused_input(F change) {
  return refusal_after(kRelu, [&](onnx::ModelProto& m) { change(*m.mutable_graph()->mutable_input(0)->mutable_type()); });
}

TEST(RefusedInput, ThatIsNoTensor) {
  EXPECT_EQ(refused_input([](onnx::TypeProto& type) { type.mutable_sequence_type(); }),
            "error: m.onnx: input 'x': only tensors are supported yet\n  expected: a tensor\n  got:      a sequence, map, optional or sparse tensor");
}

TEST(RefusedInput, OfAnElementTypeThatIsNotSupported) {
  const auto with_type = [](int type) { return refused_input([&](onnx::TypeProto& t) { t.mutable_tensor_type()->set_elem_type(type); }); };
  EXPECT_EQ(with_type(onnx::TensorProto::UNDEFINED), "error: m.onnx: input 'x': the element type is missing");
  EXPECT_EQ(with_type(onnx::TensorProto::STRING), "error: m.onnx: input 'x': tensors of strings are not supported yet");
  EXPECT_EQ(with_type(onnx::TensorProto::COMPLEX64), "error: m.onnx: input 'x': tensors of complex numbers are not supported yet");
  EXPECT_EQ(with_type(onnx::TensorProto::UINT4).rfind("error: m.onnx: input 'x': u4 is not supported for inputs and outputs yet\n  expected: booleans", 0), 0U);
  EXPECT_EQ(with_type(onnx::TensorProto::FLOAT8E5M2FNUZ).rfind("error: m.onnx: input 'x': f8e5m2fnuz is not supported for inputs and outputs yet", 0), 0U);
  EXPECT_EQ(with_type(1000), "error: m.onnx: input 'x': unknown element type\n  expected: a number of TensorProto.DataType\n  got:      1000");
  EXPECT_EQ(with_type(-1), "error: m.onnx: input 'x': unknown element type\n  expected: a number of TensorProto.DataType\n  got:      -1");
}

TEST(RefusedInput, OfAnImpossibleShape) {
  EXPECT_EQ(refused_input([](onnx::TypeProto& type) { type.mutable_tensor_type()->clear_shape(); }),
            "error: m.onnx: input 'x': an input of unknown rank is not supported yet\n  expected: a shape, whose dimensions may be symbolic\n  got:      no shape\n"
            "  help:     give the input a shape before export");
  const auto with_extent = [](std::int64_t extent) {
    return refused_input([&](onnx::TypeProto& type) {
      for (int i = 0; i < 2; ++i) type.mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_value(extent);
    });
  };
  EXPECT_EQ(with_extent(-1), "error: m.onnx: input 'x': dimension 1 is negative\n  expected: at least 0\n  got:      -1");
  EXPECT_EQ(with_extent(std::int64_t{1} << 31), "error: m.onnx: input 'x': the dimensions are too large\n  expected: at most 281474976710656 elements\n  got:      f32[4,2147483648,2147483648]");
  EXPECT_EQ(with_extent(std::int64_t{1} << 62), "error: m.onnx: input 'x': the dimensions are too large\n  expected: at most 281474976710656 elements\n"
                                               "  got:      f32[4,4611686018427387904,4611686018427387904]");
}

TEST(RefusedInput, OfANameThatIsTaken) {
  EXPECT_EQ(refusal(model("(float[4] x, float[4] x) => (float[4] y) { y = Relu(x) }")),
            "error: m.onnx: input 'x': the name is defined twice\n  expected: each value once\n  help:     rename one of them");
}

TEST(RefusedInput, ShapesThatContradictTheModel) {
  const auto with_shape = [](const char* graph, const std::string& name, Shape shape) { return refusal(model(graph), {"m.onnx", {{name, std::move(shape)}}}); };
  const char* const graph = "(float[N,4] x) => (float[N,4] y) { y = Relu(x) }";
  EXPECT_EQ(with_shape(graph, "x", {2, 4}), "");
  EXPECT_EQ(with_shape(graph, "x", {2, 5}),
            "error: m.onnx: input 'x': the shape given with --shapes contradicts the model\n  expected: f32[N,4]\n  got:      [2,5]\n  help:     only symbolic dimensions can be replaced");
  EXPECT_EQ(with_shape(graph, "x", {2}),
            "error: m.onnx: input 'x': the shape given with --shapes contradicts the model\n  expected: f32[N,4]\n  got:      [2]\n  help:     only symbolic dimensions can be replaced");
  EXPECT_EQ(with_shape(graph, "z", {2}), "error: m.onnx: --shapes names input 'z', which the model does not have\n  expected: x\n  got:      z");
}

/// Refusals of constant 'w' after `change`.
template <typename F>
std::string refused_constant(F change) {
  return refusal_after("(float[2] x) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }", [&](onnx::ModelProto& m) { change(*m.mutable_graph()->mutable_initializer(0)); });
}

TEST(RefusedConstant, InAnotherFile) {
  EXPECT_EQ(refused_constant([](onnx::TensorProto& w) {
              w.set_data_location(onnx::TensorProto::EXTERNAL);
              auto* entry = w.add_external_data();
              entry->set_key("location");
              entry->set_value("weights.bin");
            }),
            "error: m.onnx: constant 'w': the tensor's data is in another file, 'weights.bin': external data is not supported yet\n"
            "  help:     save the model as one file: onnx.save(onnx.load(path), path, save_as_external_data=False)");
}

TEST(RefusedConstant, InSegments) {
  EXPECT_EQ(refused_constant([](onnx::TensorProto& w) { w.mutable_segment()->set_begin(0); }), "error: m.onnx: constant 'w': a tensor in segments is not supported yet");
}

TEST(RefusedConstant, OfAnElementTypeThatIsNotSupported) {
  EXPECT_EQ(refused_constant([](onnx::TensorProto& w) { w.clear_data_type(); }), "error: m.onnx: constant 'w': the element type is missing");
  EXPECT_EQ(refused_constant([](onnx::TensorProto& w) { w.set_data_type(onnx::TensorProto::STRING); }), "error: m.onnx: constant 'w': tensors of strings are not supported yet");
  EXPECT_EQ(refused_constant([](onnx::TensorProto& w) { w.set_data_type(12345); }),
            "error: m.onnx: constant 'w': unknown element type\n  expected: a number of TensorProto.DataType\n  got:      12345");
}

TEST(RefusedConstant, OfAnImpossibleShape) {
  EXPECT_EQ(refused_constant([](onnx::TensorProto& w) { w.set_dims(0, -2); }), "error: m.onnx: constant 'w': the tensor has a negative dimension\n  expected: dimensions of 0 or more\n  got:      -2");
  EXPECT_EQ(refused_constant([](onnx::TensorProto& w) {
              w.set_dims(0, std::int64_t{1} << 40);
              w.add_dims(std::int64_t{1} << 40);
            }),
            "error: m.onnx: constant 'w': the tensor's dimensions are too large\n  expected: at most 281474976710656 elements\n  got:      [1099511627776,1099511627776]");
}

TEST(RefusedConstant, WithoutAllItsData) {
  EXPECT_EQ(refused_constant([](onnx::TensorProto& w) { w.set_dims(0, 3); }),
            "error: m.onnx: constant 'w': the tensor's 'float_data' does not have as many entries as its dimensions say\n  expected: 3 entries for f32[3]\n  got:      2 entries");
  // Refused before memory for it is asked for.
  EXPECT_EQ(refused_constant([](onnx::TensorProto& w) { w.set_dims(0, std::int64_t{1} << 47); }),
            "error: m.onnx: constant 'w': the tensor's 'float_data' does not have as many entries as its dimensions say\n  expected: 140737488355328 entries for f32[140737488355328]\n"
            "  got:      2 entries");
  EXPECT_EQ(refused_constant([](onnx::TensorProto& w) {
              w.clear_float_data();
              w.set_raw_data(std::string(7, '\0'));
            }),
            "error: m.onnx: constant 'w': the tensor's data does not have the size of its dimensions\n  expected: 8 bytes for f32[2]\n  got:      7 bytes");
  EXPECT_EQ(refused_constant([](onnx::TensorProto& w) { w.set_raw_data(std::string(8, '\0')); }),
            "error: m.onnx: constant 'w': the tensor holds its data twice, as raw bytes and in a typed field");
}

TEST(RefusedConstant, WithTheFieldOfAnotherType) {
  for (const auto& [type, field, name] : {std::tuple{onnx::TensorProto::DOUBLE, "double_data", "f64"}, {onnx::TensorProto::INT64, "int64_data", "i64"}, {onnx::TensorProto::INT32, "int32_data", "i32"},
                                          {onnx::TensorProto::UINT64, "uint64_data", "u64"}, {onnx::TensorProto::UINT32, "uint64_data", "u32"}, {onnx::TensorProto::FLOAT16, "int32_data", "f16"},
                                          {onnx::TensorProto::INT8, "int32_data", "i8"}}) {
    EXPECT_EQ(refused_constant([&, t = type](onnx::TensorProto& w) { w.set_data_type(t); }),
              fmt::format("error: m.onnx: constant 'w': the tensor's '{}' does not have as many entries as its dimensions say\n  expected: 2 entries for {}[2]\n  got:      0 entries", field, name));
  }
}

TEST(RefusedConstant, OfANameThatIsTaken) {
  EXPECT_EQ(refusal(model("(float[2] x) => (float[2] y) <float[2] w = {1, 2}, float[2] w = {3, 4}> { y = Add(x, w) }")),
            "error: m.onnx: constant 'w': the name is defined twice\n  expected: each value once\n  help:     rename one of them");
}

// Models of IR version 3 list their constants among the inputs.
TEST(RefusedConstant, IsNotOneThatIsAnInputToo) { EXPECT_EQ(refusal(model("(float[2] x, float[2] w) => (float[2] y) <float[2] w = {1, 2}> { y = Add(x, w) }")), ""); }

}  // namespace
}  // namespace intaglio::test
