// matmul: products of stacks of matrices.
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {
namespace {

std::vector<Type> infer_matmul(InferContext& context) {
  require_number(context, 0, "C1");
  const DType dtype = context.operand(0).dtype;
  const bool bytes = is_byte(dtype) && is_byte(context.operand(1).dtype);
  if (!bytes) require_equal_dtypes(context, "C1");
  const Shape& a = context.operand(0).shape;
  const Shape& b = context.operand(1).shape;
  context.require(a.size() >= 2 && b.size() >= 2, "C2", "an operand is not a matrix");
  context.require_equal(a[a.size() - 1], b[b.size() - 2], "C3", "the columns of a and the rows of b");
  Shape result = context.broadcast(Shape(a.begin(), a.end() - 2), Shape(b.begin(), b.end() - 2), "C4");
  result.push_back(a[a.size() - 2]);
  result.push_back(b[b.size() - 1]);
  return {{product_dtype(dtype), result}};
}

}  // namespace

OpRecord matmul_record() {
  return {
      .name = "matmul",
      .op_class = OpClass::contraction,
      .doc = "The matrix product of the last two axes of a (..,M,K) and b (..,K,N); the leading axes broadcast. Of u8 or i8 it is i32, of f8e4m3fn f32.",
      .min_operands = 2,
      .max_operands = 2,
      .attributes = {},
      .constraints = {"C1: a and b hold numbers of one dtype, or each u8 or i8", "C2: both have at least 2 dimensions",
                      "C3: the last extent of a is the second last of b", "C4: the leading axes broadcast to each other"},
      .infer = infer_matmul,
      .evaluate = [](const Node&, const std::vector<Tensor>& operands,
                     const auto&) { return std::vector{host::matmul(operands[0], operands[1])}; },
  };
}

}  // namespace intaglio::ops
