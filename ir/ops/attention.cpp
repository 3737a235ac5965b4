// attention: scaled dot-product attention of one or many heads.
#include "ir/ops/infer.h"
#include "ir/ops/ops.h"
#include "runtime/host/host.h"

namespace intaglio::ops {
namespace {

std::vector<Type> infer_attention(InferContext& context) {
  require_float(context, 0, "C1");
  require_equal_dtypes(context, "C1");
  const Shape& q = context.operand(0).shape;
  const Shape& k = context.operand(1).shape;
  const Shape& v = context.operand(2).shape;
  const std::size_t rank = q.size();
  context.require(rank >= 2 && k.size() == rank && v.size() == rank, "C2", "q, k and v are not stacks of matrices of one rank");
  for (std::size_t d = 0; d + 2 < rank; ++d) {
    context.require_equal(q[d], k[d], "C3", "the leading extents of q and k");
    context.require_equal(q[d], v[d], "C3", "the leading extents of q and v");
  }
  context.require_equal(q[rank - 1], k[rank - 1], "C4", "the columns of q and k");
  context.require_equal(k[rank - 2], v[rank - 2], "C5", "the rows of k and v");
  Shape scores(q.begin(), q.end() - 1);
  scores.push_back(k[rank - 2]);
  if (context.has_operand(3)) require_broadcastable(context, context.operand(3).shape, scores, "C6", "the mask");
  Shape result(q.begin(), q.end() - 1);
  result.push_back(v[rank - 1]);
  return {{context.operand(0).dtype, result}};
}

}  // namespace

OpRecord attention_record() {
  return {
      .name = "attention",
      .op_class = OpClass::contraction,
      .doc =
          "softmax(scale * q k^T + mask) v, the softmax along the rows of k; operands q (..,S,D), k (..,T,D), v (..,T,E), mask (optional). "
          "Nothing is rounded before the result.",
      .min_operands = 3,
      .max_operands = 4,
      .attributes = {{"scale", AttributeKind::real, 1.0, "what the products of q and k are multiplied by"}},
      .constraints = {"C1: all operands hold floats of one dtype", "C2: q, k and v have one rank, at least 2", "C3: their leading extents are equal",
                      "C4: the last extents of q and k are equal", "C5: the second last extents of k and v are equal", "C6: mask broadcasts to (..,S,T)"},
      .infer = infer_attention,
      .evaluate =
          [](const Node& node, const std::vector<Tensor>& x, const auto&) {
            return std::vector{host::attention(x[0], x[1], x[2], x.size() > 3 ? x[3] : Tensor(), node.real("scale"))};
          },
  };
}

}  // namespace intaglio::ops
