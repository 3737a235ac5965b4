// See elementwise_cases.h.
#include "tests/codegen/elementwise_cases.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "ir/op.h"
#include "support/diagnostics.h"
#include "support/elements.h"

namespace intaglio::testing {
namespace {

constexpr DType kStored[] = {DType::f16, DType::bf16, DType::f32, DType::f64, DType::i8,  DType::i16,    DType::i32,
                             DType::i64, DType::u8,   DType::u16, DType::u32, DType::u64, DType::boolean};
/// What models hold in memory and convert, but do not compute with. Those of 4 bits are read, not written.
constexpr DType kPacked[] = {DType::f8e4m3fn, DType::f8e5m2, DType::i4, DType::u4};

/// Adds the case unless inference refuses the operands.
void add_case(std::vector<ElementwiseCase>& cases, std::string_view op, const std::vector<DType>& operands,
              const Attributes& attributes = {}) {
  auto region = std::make_unique<Graph>("g");
  std::vector<Value*> values;
  std::string text;
  for (DType dtype : operands) {
    values.push_back(region->add_argument({dtype, {*parse_dim("N")}}, fmt::format("x{}", values.size())));
    text += fmt::format("{}{}", text.empty() ? "" : ", ", dtype_name(dtype));
  }
  Node* node = nullptr;
  try {
    node = region->add_node(op, values, attributes);
  } catch (const CompileError&) {
    return;
  }
  region->add_result(node->result(), "y");
  const std::string result(dtype_name(node->result()->type.dtype));
  cases.push_back({fmt::format("{}({}) -> {}", op, text, result), std::string(op), wrap_group(std::move(region))});
}

void add_cases(std::vector<ElementwiseCase>& cases, const OpRecord& op, DType dtype) {
  const Attribute axis = std::int64_t{0};
  if (op.name == "batch_norm") return;
  if (op.name == "cast") {
    for (DType to : kStored) add_case(cases, op.name, {dtype}, {{"to", to}});
  } else if (op.name == "quantize") {
    for (DType to : kStored) add_case(cases, op.name, {dtype, dtype, to}, {{"to", to}, {"axis", axis}});
  } else if (op.name == "dequantize") {
    for (DType scale : kStored) add_case(cases, op.name, {dtype, scale, dtype}, {{"axis", axis}});
  } else if (op.name == "mod") {
    for (std::int64_t fmod : {0, 1}) add_case(cases, op.name, {dtype, dtype}, {{"fmod", fmod}});
  } else if (op.name == "where") {
    add_case(cases, op.name, {DType::boolean, dtype, dtype});
  } else {
    add_case(cases, op.name, std::vector<DType>(static_cast<std::size_t>(op.min_operands), dtype));
  }
}

void add_packed_cases(std::vector<ElementwiseCase>& cases, const OpRecord& op, DType dtype) {
  const bool is_written = dtype_bits(dtype) == 8;
  const Attribute axis = std::int64_t{0};
  for (DType other : {DType::f32, DType::f16, DType::i32, DType::i8}) {
    if (op.name == "cast") {
      add_case(cases, op.name, {dtype}, {{"to", other}});
      if (is_written) add_case(cases, op.name, {other}, {{"to", dtype}});
    }
    if (op.name == "quantize" && is_written) add_case(cases, op.name, {other, other}, {{"to", dtype}, {"axis", axis}});
    if (op.name == "dequantize") add_case(cases, op.name, {dtype, other, dtype}, {{"axis", axis}});
  }
}

std::vector<double> float_edges() {
  std::vector<double> values;
  for (double v : {0.0,     0.5,     0.75, 1.0,  1.5,    2.0,  2.5,    3.25,   100.0, 127.5, 255.5,  2049.0,
                   65519.9, 65520.0, 3e9,  1e19, 3.3e38, 6e-8, 2.9e-8, 6.1e-5, 1e-38, 1e-41, 1e-310, 1.7e308}) {
    values.push_back(v);
    values.push_back(-v);
  }
  values.push_back(std::numeric_limits<double>::infinity());
  values.push_back(-std::numeric_limits<double>::infinity());
  values.push_back(std::nan(""));
  return values;
}

Tensor edges(DType dtype) {
  if (is_float(dtype)) {
    const std::vector<double> values = float_edges();
    Tensor tensor(dtype, {static_cast<std::int64_t>(values.size())});
    for (std::int64_t i = 0; i < tensor.elements(); ++i) set_real(tensor, i, values[static_cast<std::size_t>(i)]);
    return tensor;
  }
  const std::int64_t high = is_signed_integer(dtype) ? std::numeric_limits<std::int64_t>::max() >> (64 - dtype_bits(dtype)) : -1;
  const std::vector<std::int64_t> values{0, 1, 2, 3, 7, -1, -2, -3, 100, -100, high, high - 1, -high - 1, -high, high / 2 + 1, 31, 64};
  Tensor tensor(dtype, {static_cast<std::int64_t>(values.size())});
  for (std::int64_t i = 0; i < tensor.elements(); ++i) set_integer(tensor, i, values[static_cast<std::size_t>(i)]);
  return tensor;
}

}  // namespace

std::vector<ElementwiseCase> elementwise_cases() {
  std::vector<ElementwiseCase> cases;
  for (const OpRecord& op : op_table()) {
    if (op.op_class != OpClass::elementwise) continue;
    for (DType dtype : kStored) add_cases(cases, op, dtype);
    for (DType dtype : kPacked) add_packed_cases(cases, op, dtype);
  }
  return cases;
}

std::vector<Tensor> edge_inputs(const ElementwiseCase& c, std::int64_t length, std::int64_t first) {
  std::vector<Tensor> inputs;
  std::int64_t period = 1;
  for (const auto& argument : c.group.region().arguments()) {
    const Tensor values = edges(argument->type.dtype);
    const std::size_t bytes = static_cast<std::size_t>(dtype_bits(values.dtype()) / 8);
    Tensor tensor(values.dtype(), {length});
    for (std::int64_t i = 0; i < length; ++i) {
      if (bytes == 0) {
        set_integer(tensor, i, get_integer(values, (first + i) / period % values.elements()));
        continue;
      }
      const auto from = static_cast<std::size_t>((first + i) / period % values.elements());
      std::memcpy(static_cast<std::byte*>(tensor.mutable_data()) + static_cast<std::size_t>(i) * bytes,
                  static_cast<const std::byte*>(values.data()) + from * bytes, bytes);
    }
    inputs.push_back(tensor);
    // The second operand moves on when the first has been through; a third one in between.
    period = period == 1 ? values.elements() : 5;
  }
  return inputs;
}

}  // namespace intaglio::testing
