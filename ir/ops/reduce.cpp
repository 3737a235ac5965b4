// Reductions over any axes.
#include <algorithm>

#include "ir/ops/contents.h"
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {
namespace {

using ReduceKernel = Tensor (*)(const Tensor&, const std::vector<std::int64_t>&, bool);
using ContentsFunction = Contents (*)(const Node&, const OperandContents&);

template <ReduceKernel kernel_function>
std::vector<Tensor> evaluate_reduce(const Node& node, const std::vector<Tensor>& operands, const std::vector<Type>&) {
  return {kernel_function(operands[0], node.integers("axes"), node.integer("keepdims") != 0)};
}

std::vector<Type> infer_reduced(InferContext& context) {
  const Type& x = context.operand(0);
  const auto axes = axes_attribute(context, x.rank(), "C2");
  const std::int64_t keepdims = context.node().integer("keepdims");
  context.require(keepdims == 0 || keepdims == 1, "C3", "attribute 'keepdims' is neither 0 nor 1", {},
                  fmt::format("keepdims = {}", keepdims));
  Type result{x.dtype, {}};
  for (int d = 0; d < x.rank(); ++d) {
    const bool is_reduced = std::binary_search(axes.begin(), axes.end(), d);
    if (!is_reduced) result.shape.push_back(x.shape[d]);
    if (is_reduced && keepdims) result.shape.push_back(1);
  }
  return {result};
}

std::vector<Type> infer_number(InferContext& context) {
  require_number(context, 0, "C1");
  return infer_reduced(context);
}

std::vector<Type> infer_number_or_boolean(InferContext& context) {
  if (context.operand(0).dtype != DType::boolean) require_number(context, 0, "C1");
  return infer_reduced(context);
}

template <ReduceKernel kernel_function>
OpRecord reduce_record(std::string_view name, std::string_view doc, ContentsFunction contents) {
  return {
      .name = name,
      .op_class = OpClass::reduction,
      .doc = doc,
      .min_operands = 1,
      .max_operands = 1,
      .attributes = {{"axes", AttributeKind::integers, {}, "the axes to fold; none: x itself"},
                     {"keepdims", AttributeKind::integer, std::int64_t{1}, "1: reduced axes stay with extent 1; 0: they are dropped"}},
      .constraints = {"C1: x holds numbers", "C2: axes are distinct, each 0 <= axis < rank of x", "C3: keepdims is 0 or 1"},
      .infer = infer_number,
      .evaluate = evaluate_reduce<kernel_function>,
      .contents = contents,
  };
}

template <ReduceKernel kernel_function>
OpRecord extreme_record(std::string_view name, std::string_view doc, ContentsFunction contents) {
  OpRecord record = reduce_record<kernel_function>(name, doc, contents);
  record.constraints[0] = "C1: x holds numbers or booleans";
  record.infer = infer_number_or_boolean;
  return record;
}

Contents total(const Node& node, const OperandContents& operands) {
  return folded_contents(node, operands, [](const Dim& a, const Dim& b) { return a + b; });
}
Contents product(const Node& node, const OperandContents& operands) {
  return folded_contents(node, operands, [](const Dim& a, const Dim& b) { return a * b; });
}
Contents largest(const Node& node, const OperandContents& operands) { return folded_contents(node, operands, Dim::max); }
Contents smallest(const Node& node, const OperandContents& operands) { return folded_contents(node, operands, Dim::min); }

}  // namespace

OpRecord reduce_sum_record() { return reduce_record<host::reduce_sum>("reduce_sum", "The sum; of nothing 0.", total); }
OpRecord reduce_prod_record() { return reduce_record<host::reduce_prod>("reduce_prod", "The product; of nothing 1.", product); }
OpRecord reduce_mean_record() {
  return reduce_record<host::reduce_mean>("reduce_mean", "The sum divided by the number of elements; of integers truncated.", nullptr);
}
OpRecord reduce_max_record() {
  return extreme_record<host::reduce_max>("reduce_max", "The largest element, NaN if there is one; of nothing the smallest number.",
                                          largest);
}
OpRecord reduce_min_record() {
  return extreme_record<host::reduce_min>("reduce_min", "The smallest element, NaN if there is one; of nothing the largest number.",
                                          smallest);
}

}  // namespace intaglio::ops
