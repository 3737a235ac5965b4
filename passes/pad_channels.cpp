// Adds channels of zeros to the input of a convolution that has too few for the target to copy them as one word: the three colours of an image, say.
#include "passes/passes.h"

namespace intaglio {
namespace {

constexpr int kChannelAxis = 1;

/// How many channels `conv` lacks.
std::int64_t missing_channels(const Node& conv, std::int64_t multiple) {
  const Type& x = conv.operand(0)->type;
  const auto channels = x.shape[kChannelAxis].constant();
  // Elements of 32 bits are words of their own.
  if (!channels || dtype_bits(x.dtype) > 16 || conv.integer("group") != 1 || !conv.operand(1)->is_constant()) return 0;
  // With more channels the copy that this makes costs more than it saves.
  return *channels < multiple ? multiple - *channels : 0;
}

Value* with_channels(Builder& builder, Value* value, std::int64_t added) {
  const Shape none(value->type.shape.size(), Dim(0));
  Shape ends = none;
  ends[kChannelAxis] = added;
  return builder.op("pad", {value}, {{"begins", none}, {"ends", ends}});
}

}  // namespace

bool pad_channels(Graph& graph, const PassContext& context) {
  bool changed = false;
  for (Node* conv : graph.nodes("conv")) {
    const std::int64_t missing = missing_channels(*conv, context.target.least_channels);
    if (missing <= 0) continue;
    Builder builder(graph, conv->origins, conv);
    conv->set_operand(0, with_channels(builder, conv->operand(0), missing));
    conv->set_operand(1, with_channels(builder, conv->operand(1), missing));
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
