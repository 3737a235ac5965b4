// Values without operands: const, dims, iota.
#include "ir/ops/contents.h"
#include "ir/ops/element.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {

using kernel::Expr;

OpRecord const_record() {
  return {
      .name = "const",
      .op_class = OpClass::constant,
      .doc = "A tensor known at compile time.",
      .min_operands = 0,
      .max_operands = 0,
      .attributes = {{"value", AttributeKind::tensor, {}, "the tensor"}},
      .constraints = {"C1: value is a defined tensor"},
      .infer = [](InferContext& context) -> std::vector<Type> {
        const auto& value = std::get<Tensor>(*context.node().find("value"));
        context.require(value.defined(), "C1", "the constant is undefined");
        return {{value.dtype(), to_shape(value.shape())}};
      },
      .evaluate = [](const Node& node, const auto&, const auto&) { return std::vector{std::get<Tensor>(*node.find("value"))}; },
      .contents = [](const Node& node, const OperandContents&) -> Contents { return contents_of(std::get<Tensor>(*node.find("value"))); },
  };
}

namespace {

/// The dimension at `index`, chosen among all.
Expr pull_dims(PullContext&, const Node& node, const Index& index) {
  const Shape& values = node.dims("values");
  if (values.empty()) return kernel::index_constant(0);  // nobody asks for an element of an empty vector
  Expr element = kernel::from_dim(values.back());
  for (std::size_t i = values.size() - 1; i-- > 0;) {
    const Expr here = kernel::compare(kernel::Op::eq, index[0], kernel::index_constant(static_cast<std::int64_t>(i)));
    element = kernel::select(here, kernel::from_dim(values[i]), element);
  }
  return element;
}

}  // namespace

OpRecord dims_record() {
  return {
      .name = "dims",
      .op_class = OpClass::movement,
      .doc = "A vector of extents that may be symbolic: what ONNX's Shape yields.",
      .min_operands = 0,
      .max_operands = 0,
      .attributes = {{"values", AttributeKind::dims, {}, "the elements, i64"}},
      .constraints = {},
      .infer = [](InferContext& context) -> std::vector<Type> {
        return {{DType::i64, {static_cast<std::int64_t>(context.node().dims("values").size())}}};
      },
      .evaluate =
          [](const Node& node, const auto&, const auto&) {
            const auto values = static_extents(node.dims("values"));
            return std::vector{Tensor::of<std::int64_t>(DType::i64, {static_cast<std::int64_t>(values.size())}, values)};
          },
      .pull = pull_dims,
      .contents = [](const Node& node, const OperandContents&) -> Contents { return node.dims("values"); },
  };
}

OpRecord iota_record() {
  return {
      .name = "iota",
      .op_class = OpClass::movement,
      .doc = "Each element is its index along `axis`.",
      .min_operands = 0,
      .max_operands = 0,
      .attributes = {{"shape", AttributeKind::dims, {}, "the result's shape"},
                     {"axis", AttributeKind::integer, std::int64_t{0}, "the axis that is counted along"},
                     {"dtype", AttributeKind::dtype, DType::i64, "the result's dtype"}},
      .constraints = {"C1: 0 <= axis < rank of shape", "C2: dtype is a number type"},
      .infer = [](InferContext& context) -> std::vector<Type> {
        const Node& node = context.node();
        axis_attribute(context, "axis", static_cast<int>(node.dims("shape").size()), "C1");
        context.require(is_number(node.dtype("dtype")), "C2", "the elements are no numbers", {},
                        std::string(dtype_name(node.dtype("dtype"))));
        return {{node.dtype("dtype"), node.dims("shape")}};
      },
      .evaluate =
          [](const Node& node, const auto&, const std::vector<Type>& types) {
            return std::vector{host::iota(static_extents(types[0].shape), static_cast<int>(node.integer("axis")), types[0].dtype)};
          },
      .pull = [](PullContext&, const Node& node,
                 const Index& index) { return kernel::cast(index[node.integer("axis")], compute_dtype(node.dtype("dtype"))); },
      .contents = [](const Node& node, const OperandContents&) -> Contents {
        return contents_of(host::iota(static_extents(node.dims("shape")), static_cast<int>(node.integer("axis")), DType::i64));
      },
  };
}

}  // namespace intaglio::ops
