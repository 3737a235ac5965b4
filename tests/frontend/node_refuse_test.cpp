// One case for each way in which a node can be wrong: the model is refused with this sentence about this node.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "models.h"
#include "node_case.h"

namespace intaglio::test {
TEST_P(RefusedNode, IsNamedWithTheReason) {
  const NodeCase& c = GetParam();
  EXPECT_EQ(refusal(model(c.graph, c.opset)), fmt::format("error: m.onnx: node 'n' ({}, opset {}): {}", c.op, c.opset, c.error));
}

namespace {

const NodeCase kInputs[] = {
    {"MissingInput", "Add", "(float[4] x) => (float[4] y) { [n] y = Add(x) }", "input 1 is missing"},
    {"AbsentInput", "Add", "(float[4] x) => (float[4] y) { [n] y = Add(\"\", x) }", "input 0 is missing"},
    {"InputFromNowhere", "Add", "(float[4] x) => (float[4] y) { [n] y = Add(x, z) }",
     "input 'z' is defined nowhere before\n  expected: nodes in an order where each value is computed before it is read\n  help:     sort the model's nodes"},
    {"Cycle", "Add", "(float[4] x) => (float[4] y) { [n] a = Add(x, b)  b = Relu(a)  y = Relu(b) }",
     "input 'b' is defined nowhere before\n  expected: nodes in an order where each value is computed before it is read\n  help:     sort the model's nodes"},
    {"ItsOwnResult", "Add", "(float[4] x) => (float[4] y) { [n] y = Add(x, y) }",
     "input 'y' is defined nowhere before\n  expected: nodes in an order where each value is computed before it is read\n  help:     sort the model's nodes"},
    {"DefinedTwice", "Relu", "(float[4] x) => (float[4] y) { y = Abs(x)  [n] y = Relu(x) }", "output 'y' is defined twice\n  expected: each value once\n  help:     rename one of them"},
    {"DefinesAnInput", "Relu", "(float[4] x) => (float[4] x) { [n] x = Relu(x) }", "output 'x' is defined twice\n  expected: each value once\n  help:     rename one of them"},
    {"MoreOutputsThanThereAre", "Relu", "(float[4] x) => (float[4] y, float[4] z) { [n] y, z = Relu(x) }", "output 1 of this operator is not supported yet"},
    {"WrongDtype", "Add", "(float[4] x, int64[4] i) => (float[4] y) { [n] y = Add(x, i) }",
     "operands 0 and 1 have different dtypes (add, C1)\n  expected: a and b hold numbers of one dtype\n  got:      f32[4], i64[4]"},
    {"WrongShape", "Add", "(float[4] x, float[3] z) => (float[4] y) { [n] y = Add(x, z) }",
     "the shapes do not broadcast (add, C2)\n  expected: the shapes broadcast to each other\n  got:      [4] and [3]   (f32[4], f32[3])"},
    {"WrongChannels", "Conv", "(float[1,4,8,8] x, float[6,3,3,3] w) => (float[1,6,6,6] y) { [n] y = Conv(x, w) }",
     "weight has the wrong number of input channels (conv, C4)\n  expected: weight.shape[1] * group == input.shape[1] = 4\n  got:      weight.shape[1] = 3, group = 1   (f32[1,4,8,8], f32[6,3,3,3])"},
    {"WrongInnerExtent", "MatMul", "(float[2,4] x, float[3,5] w) => (float[2,5] y) { [n] y = MatMul(x, w) }",
     "the columns of a and the rows of b differ (matmul, C3)\n  expected: the last extent of a is the second last of b\n  got:      4 and 3   (f32[2,4], f32[3,5])"},
};
INSTANTIATE_TEST_SUITE_P(Inputs, RefusedNode, testing::ValuesIn(kInputs), case_name);

const NodeCase kAttributes[] = {
    {"WrongType", "Softmax", "(float[4] x) => (float[4] y) { [n] y = Softmax<axis: float = 0.5>(x) }", "attribute 'axis' has the wrong type\n  expected: INT\n  got:      FLOAT"},
    {"WrongTypeReal", "LeakyRelu", "(float[4] x) => (float[4] y) { [n] y = LeakyRelu<alpha: int = 1>(x) }", "attribute 'alpha' has the wrong type\n  expected: FLOAT\n  got:      INT"},
    {"WrongTypeString", "Gelu", "(float[4] x) => (float[4] y) { [n] y = Gelu<approximate: int = 1>(x) }", "attribute 'approximate' has the wrong type\n  expected: STRING\n  got:      INT", 20},
    {"WrongTypeIntegers", "Transpose", "(float[4] x) => (float[4] y) { [n] y = Transpose<perm: int = 0>(x) }", "attribute 'perm' has the wrong type\n  expected: INTS\n  got:      INT"},
    {"WrongTypeReals", "Constant", "() => (float[1] y) { [n] y = Constant<value_floats: float = 1.0>() }", "attribute 'value_floats' has the wrong type\n  expected: FLOATS\n  got:      FLOAT"},
    {"WrongTypeTensor", "Constant", "() => (float y) { [n] y = Constant<value: float = 1.0>() }", "attribute 'value' has the wrong type\n  expected: TENSOR\n  got:      FLOAT"},
    {"AxisOutOfRange", "Softmax", "(float[2,4] x) => (float[2,4] y) { [n] y = Softmax<axis: int = 2>(x) }", "the axis is out of range\n  expected: -2 <= axis < 2, for rank 2\n  got:      axis = 2"},
    {"AxisTooNegative", "Concat", "(float[2,4] x) => (float[2,4] y) { [n] y = Concat<axis: int = -3>(x) }", "the axis is out of range\n  expected: -2 <= axis < 2, for rank 2\n  got:      axis = -3"},
    {"AxisOfScalar", "Gather", "(float x, int64[2] i) => (float[2] y) { [n] y = Gather(x, i) }", "the axis is out of range\n  expected: -0 <= axis < 0, for rank 0\n  got:      axis = 0"},
    {"AxisTwice", "ReduceSum", "(float[2,4] x) => (float[1,4] y) <int64[2] a = {0,-2}> { [n] y = ReduceSum(x, a) }", "axis 0 is named twice"},
    {"FlattenAxis", "Flatten", "(float[2,4] x) => (float[8] y) { [n] y = Flatten<axis: int = 3>(x) }", "the axis is out of range\n  expected: -2 <= axis < 2, for rank 2\n  got:      axis = 3"},
    {"PermutationTooShort", "Transpose", "(float[2,4] x) => (float[4,2] y) { [n] y = Transpose<perm: ints = [1]>(x) }",
     "attribute 'perm' is not a permutation of the axes (transpose, C1)\n  expected: perm is a permutation of the axes of x\n  got:      perm = [1]   (f32[2,4])"},
};
INSTANTIATE_TEST_SUITE_P(Attributes, RefusedNode, testing::ValuesIn(kAttributes), case_name);

const NodeCase kElementwise[] = {
    {"GeluApproximation", "Gelu", "(float[4] x) => (float[4] y) { [n] y = Gelu<approximate: string = \"exp\">(x) }", "unknown approximation of gelu\n  expected: 'none' or 'tanh'\n  got:      'exp'", 20},
    {"CeluOfZero", "Celu", "(float[4] x) => (float[4] y) { [n] y = Celu<alpha: float = 0.0>(x) }", "celu divides by alpha\n  expected: alpha != 0\n  got:      alpha = 0"},
    {"CastToNothing", "Cast", "(float[4] x) => (float[4] y) { [n] y = Cast(x) }", "attribute 'to' names no element type"},
    {"CastToString", "Cast", "(float[4] x) => (float[4] y) { [n] y = Cast<to: int = 8>(x) }", "tensors of strings are not supported yet"},
    {"CastToUnknown", "Cast", "(float[4] x) => (float[4] y) { [n] y = Cast<to: int = 99>(x) }", "unknown element type\n  expected: a number of TensorProto.DataType\n  got:      99"},
    {"CastUnsaturated", "Cast", "(float[4] x) => (float[4] y) { [n] y = Cast<to: int = 17, saturate: int = 0>(x) }",
     "casts that do not saturate are not supported yet\n  expected: saturate = 1\n  got:      saturate = 0", 19},
    {"CastRounding", "CastLike", "(float[4] x, float[1] z) => (float[4] y) { [n] y = CastLike<round_mode: string = \"down\">(x, z) }",
     "this rounding of casts to f8e8m0 is not supported yet\n  expected: round_mode = 'up'\n  got:      'down'", 25},
    {"DropoutInTraining", "Dropout", "(float[4] x) => (float[4] y) <float r = {0.5}, bool t = {1}> { [n] y = Dropout(x, r, t) }",
     "dropout in training is not supported\n  expected: training_mode = false, or absent\n  got:      bool[]\n  help:     export the model in inference mode"},
    {"DropoutPerhapsInTraining", "Dropout", "(float[4] x, bool t) => (float[4] y) <float r = {0.5}> { [n] y = Dropout(x, r, t) }",
     "dropout in training is not supported\n  expected: training_mode = false, or absent\n  got:      bool[]\n  help:     export the model in inference mode"},
};
INSTANTIATE_TEST_SUITE_P(Elementwise, RefusedNode, testing::ValuesIn(kElementwise), case_name);

const NodeCase kConstants[] = {
    {"ConstantOfNothing", "Constant", "() => (float y) { [n] y = Constant() }",
     "a constant holds one value\n  expected: one of value, sparse_value, value_int, value_ints, value_float, value_floats, value_string, value_strings\n  got:      0 of them"},
    {"ConstantOfTwo", "Constant", "() => (float y) { [n] y = Constant<value_int: int = 1, value_float: float = 1.0>() }",
     "a constant holds one value\n  expected: one of value, sparse_value, value_int, value_ints, value_float, value_floats, value_string, value_strings\n  got:      2 of them"},
    {"ConstantString", "Constant", "() => (float y) { [n] y = Constant<value_string: string = \"a\">() }", "tensors of strings are not supported yet"},
    {"ConstantStrings", "Constant", "() => (float y) { [n] y = Constant<value_strings: strings = [\"a\"]>() }", "tensors of strings are not supported yet"},
    {"FillOfTwo", "ConstantOfShape", "(int64[1] s) => (float[2] y) <int64[1] d = {2}> { [n] y = ConstantOfShape<value: tensor = float[2] {1,2}>(d) }",
     "attribute 'value' must have one element\n  expected: 1 element\n  got:      2"},
    {"FillOfNegativeShape", "ConstantOfShape", "(int64[1] s) => (float[2] y) <int64[1] d = {-1}> { [n] y = ConstantOfShape(d) }", "the shape has a negative extent\n  expected: 0 or more\n  got:      [-1]"},
    {"FillBeyondAnyMemory", "ConstantOfShape", "(int64[1] s) => (float[2] y) <int64[2] d = {4611686018427387904,4}> { [n] y = ConstantOfShape(d) }",
     "the shape is too large\n  expected: at most 281474976710656 elements\n  got:      [4611686018427387904,4]"},
    {"ShapeFromData", "ConstantOfShape", "(int64[1] s) => (float[2] y) { [n] y = ConstantOfShape(s) }",
     "the values of input 0 decide about shapes here, and are not known when compiling\n  expected: a constant, or integers computed from shapes\n  got:      's' i64[1]\n"
     "  help:     shapes that depend on data are not supported yet"},
    {"ShapeOfFloats", "Reshape", "(float[4] x) => (float[4] y) <float[1] s = {4}> { [n] y = Reshape(x, s) }", "input 1 must hold integers\n  expected: i64\n  got:      's' f32[1]"},
    {"RangeOfTwoTypes", "Range", "(float[4] x) => (float[4] y) <float a = {0}, int64 b = {4}> { [n] y = Range(a, b, b) }", "start, limit and delta must have one type"},
    {"RangeStepOfZero", "Range", "(float[4] x) => (int64[4] y) <int64 a = {0}, int64 b = {4}> { [n] y = Range(a, b, a) }", "the step of the range is 0"},
    {"RangeStepOfZeroReal", "Range", "(float[4] x) => (float[4] y) <float a = {0}, float b = {4}> { [n] y = Range(a, b, a) }", "the range has no end\n  expected: at most 2147483647 numbers\n  got:      inf"},
    {"RangeStepFromShape", "Range", "(float[N] x) => (int64[4] y) <int64 a = {0}> { s = Size(x)  [n] y = Range(a, s, s) }", "the step of the range must be constant\n  expected: an integer\n  got:      N"},
    {"RangeFromData", "Range", "(float x) => (float[4] y) <float a = {0}> { [n] y = Range(a, x, a) }",
     "input 1 decides about the shape of the result, and is not known when compiling\n  expected: a constant\n  got:      f32[]\n  help:     shapes that depend on data are not supported yet"},
    {"RangeOfVectors", "Range", "(float[4] x) => (int64[4] y) <int64[2] a = {0,1}, int64 b = {4}> { [n] y = Range(a, b, b) }", "input 0 must have one element\n  expected: 1 element\n  got:      'a' i64[2]"},
};
INSTANTIATE_TEST_SUITE_P(Constants, RefusedNode, testing::ValuesIn(kConstants), case_name);

const NodeCase kContractions[] = {
    {"ConvRanks", "Conv", "(float[1,4,8] x, float[6,4,3,3] w) => (float[1,6,6] y) { [n] y = Conv(x, w) }",
     "weight and input must have equally many dimensions\n  expected: [1,4,8]\n  got:      [6,4,3,3]"},
    {"ConvSymbolicKernel", "Conv", "(float[1,4,8] x, float[6,4,K] w) => (float[1,6,L] y) { [n] y = Conv(x, w) }", "a kernel of symbolic size is not supported yet\n  expected: a constant extent\n  got:      K"},
    {"ConvKernelContradicts", "Conv", "(float[1,4,8] x, float[6,4,3] w) => (float[1,6,L] y) { [n] y = Conv<kernel_shape: ints = [5]>(x, w) }", "attribute 'kernel_shape' contradicts the weight's shape"},
    {"ConvOfFourDimensions", "Conv", "(float[1,4,8,8,8,8] x, float[6,4,3,3,3,3] w) => (float[1] y) { [n] y = Conv(x, w) }",
     "the input must have 1 to 3 spatial dimensions\n  expected: [N,C,..]\n  got:      [1,4,8,8,8,8]"},
    {"ConvGroups", "Conv", "(float[1,4,8] x, float[6,4,3] w) => (float[1,6,L] y) { [n] y = Conv<group: int = 0>(x, w) }",
     "attribute 'group' is out of range (conv, C3)\n  expected: strides and dilations have one entry for each spatial axis or none, pads two or none; pads >= 0, the others and group >= 1\n  got:      group = 0   (f32[1,4,8], f32[6,4,3])"},
    {"GemmRanks", "Gemm", "(float[4] x, float[4,3] w) => (float[3] y) { [n] y = Gemm(x, w) }", "both factors must be matrices\n  expected: [M,K] and [K,N]\n  got:      [4] and [4,3]"},
    {"MatMulOfScalar", "MatMul", "(float x, float[4,3] w) => (float[3] y) { [n] y = MatMul(x, w) }", "a scalar has no matrix product"},
};
INSTANTIATE_TEST_SUITE_P(Contractions, RefusedNode, testing::ValuesIn(kContractions), case_name);

}  // namespace
}  // namespace intaglio::test
