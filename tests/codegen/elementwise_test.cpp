// Machine code of every elementwise operator and dtype, at lengths around the vectors', on numbers where arithmetic changes its ways.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "ir/op.h"
#include "support/diagnostics.h"
#include "support/elements.h"
#include "tests/codegen/elementwise_cases.h"
#include "tests/codegen/emulated_gpu.h"

namespace intaglio::testing {
namespace {

/// The relative error that results may have; 0: they must be equal.
double relative_error(const ElementwiseCase& c, DType result) {
  static const std::set<std::string> approximated{"cos", "erf", "exp", "log", "pow", "sigmoid", "sin", "tanh"};
  if (!approximated.contains(c.op) || !is_float(result)) return 0;
  switch (result) {
    case DType::f16:
      return 0x1p-10;
    case DType::bf16:
      return 0x1p-7;
    case DType::f32:
      return 8e-7;
    // Of a logarithm of up to 710 with 53 bits.
    default:
      return c.op == "pow" ? 2e-13 : 1e-14;
  }
}

/// Half of the smallest denormal and a bit: where results underflow, neighbours are equal enough.
double smallest_difference(DType dtype) {
  switch (dtype) {
    case DType::f16:
      return 0x1.1p-24;
    case DType::bf16:
      return 0x1.1p-133;
    case DType::f32:
      return 0x1.1p-149;
    default:
      return 0x1p-1074;
  }
}

/// Beyond 2^30 sin and cos promise no more than a number from -1 to 1.
bool is_beyond_period(const ElementwiseCase& c, double x) {
  return (c.op == "sin" || c.op == "cos") && std::isfinite(x) && std::fabs(x) > 0x1p30;
}

::testing::AssertionResult are_near(const ElementwiseCase& c, const Tensor& actual, const Tensor& expected,
                                    const std::vector<Tensor>& inputs) {
  const DType dtype = actual.dtype();
  const double relative = relative_error(c, dtype);
  if (dtype != expected.dtype() || actual.shape() != expected.shape()) return ::testing::AssertionFailure() << "another type";
  const auto difference = [&](std::int64_t i) {
    std::string text = fmt::format("element {}: {} instead of {}, from", i, get_real(actual, i), get_real(expected, i));
    for (const Tensor& input : inputs) text += fmt::format(" {}", get_real(input, i));
    return ::testing::AssertionFailure() << text;
  };
  for (std::int64_t i = 0; i < actual.elements(); ++i) {
    if (!is_float(dtype)) {
      if (get_integer(actual, i) != get_integer(expected, i)) return difference(i);
      continue;
    }
    const double a = get_real(actual, i), e = get_real(expected, i);
    if (a == e || (std::isnan(a) && std::isnan(e))) continue;
    if (is_beyond_period(c, get_real(inputs[0], i))) {
      if (!(std::fabs(a) <= 1)) return difference(i);
      continue;
    }
    const double allowed = relative == 0 ? 0 : relative * std::fabs(e) + smallest_difference(dtype);
    if (!std::isfinite(e) || !(std::fabs(a - e) <= allowed)) return difference(i);
  }
  return ::testing::AssertionSuccess();
}

/// `machine` runs the case's code, as Machine does.
template <typename Code>
void expect_code_is_reference(const ElementwiseCase& c, const Code& machine) {
  SCOPED_TRACE(c.text);
  std::int64_t first = 0;
  for (std::int64_t length : {0, 1, 7, 8, 15, 16, 17, 31, 32, 33, static_cast<int>(kEdgePairs)}) {
    const std::vector<Tensor> inputs = edge_inputs(c, length, first);
    const Tensor expected = evaluate(c.group.region(), inputs).at(0);
    for (Guard guard : {Guard::before, Guard::after}) {
      ASSERT_TRUE(are_near(c, machine.run(inputs, {{"N", length}}, guard).at(0), expected, inputs));
    }
    first += length;
  }
}

void expect_machine_code_is_reference(const ElementwiseCase& c, const CodegenOptions& options) {
  const Machine machine(*c.group.graph, options);
  ASSERT_EQ(machine.undefined_symbols(), std::vector<std::string>());
  expect_code_is_reference(c, machine);
}

/// What has no code yet; the compiler says so.
bool is_known_to_be_missing(const ElementwiseCase& c) {
  static const std::set<std::string> only_f32{"cos", "erf", "mod", "sin", "tanh"};
  return c.dtype() == DType::f64 && only_f32.contains(c.op);
}

class Elementwise : public ::testing::TestWithParam<CodegenOptions> {};

TEST_P(Elementwise, CodeIsReference) {
  for (const ElementwiseCase& c : elementwise_cases()) {
    if (is_known_to_be_missing(c)) {
      EXPECT_THROW(Machine(*c.group.graph, GetParam()), CompileError) << c.text;
    } else {
      expect_machine_code_is_reference(c, GetParam());
    }
  }
}

std::string cpu_name(const ::testing::TestParamInfo<CodegenOptions>& variant) {
  std::string name = variant.param.cpu;
  std::ranges::replace(name, '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(, Elementwise, ::testing::ValuesIn(options_to_test()), cpu_name);

TEST(ElementwiseChecked, CodeIsReference) {
  for (const ElementwiseCase& c : elementwise_cases()) {
    const bool is_chosen = c.dtype() == DType::f32 || c.dtype() == DType::i8 || c.dtype() == DType::boolean;
    if (is_chosen) expect_machine_code_is_reference(c, options_to_test(true).front());
  }
}

TEST(ElementwiseCuda, CodeIsReference) {
  for (const ElementwiseCase& c : elementwise_cases()) {
    if (!is_known_to_be_missing(c)) expect_code_is_reference(c, EmulatedGpu(*c.group.graph, {}, "sm_90a"));
  }
}

TEST(ElementwiseCases, CoverEveryOperatorAndDtype) {
  std::set<std::string> operators;
  std::set<DType> dtypes;
  for (const ElementwiseCase& c : elementwise_cases()) {
    operators.insert(c.op);
    for (const auto& argument : c.group.region().arguments()) dtypes.insert(argument->type.dtype);
  }
  EXPECT_EQ(dtypes.size(), 17u);
  for (const OpRecord& op : op_table()) {
    const bool is_expected = op.op_class == OpClass::elementwise && op.name != "batch_norm";
    EXPECT_EQ(operators.contains(std::string(op.name)), is_expected) << op.name;
  }
}

}  // namespace
}  // namespace intaglio::testing
