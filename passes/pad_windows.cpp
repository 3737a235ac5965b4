// Lays out the input of a convolution of few channels so that the taps of a row are one piece of memory that begins and ends where the target copies whole
// words: zero channels, so that a step from window to window is whole words; zero taps before the first, so that a row of a window is; and the padding of the
// image in memory. The generator then sees a convolution of one tap a row, whose channels are the row.
#include <numeric>

#include "passes/passes.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

constexpr std::size_t kChannels = 1, kHeight = 2, kWidth = 3;

/// What the convolution becomes; in elements.
struct Layout {
  std::int64_t channels = 0;
  std::int64_t taps = 0;            ///< of a row
  std::int64_t begin = 0, end = 0;  ///< what is added to each row of the image; cropped where negative
};

/// Nothing for what the generator takes as it is, or would not take anyhow.
std::optional<Layout> layout_for(const Node& conv, const PassContext& context) {
  const Type &x = conv.operand(0)->type, &w = conv.operand(1)->type;
  // Elements of 32 bits are words of their own.
  if (x.shape.size() != 4 || dtype_bits(x.dtype) > 16 || conv.integer("group") != 1 || !conv.operand(1)->is_constant()) return std::nullopt;
  const auto channels = x.shape[kChannels].constant(), width = x.shape[kWidth].constant();
  // With more channels the copy that this makes costs more than it saves.
  if (!channels || !width || *channels >= context.target.least_channels) return std::nullopt;
  const auto attribute = [&](const char* name, std::size_t i, std::int64_t fallback) {
    const auto& given = conv.integers(name);
    return given.empty() ? fallback : given[i];
  };
  // The taps of a row lie apart.
  if (attribute("dilations", 1, 1) != 1) return std::nullopt;
  const std::int64_t word = context.target.window_word * 8 / dtype_bits(x.dtype), stride = attribute("strides", 1, 1), taps = w.shape[kWidth].value();
  Layout layout;
  const std::int64_t channel_multiple = word / std::gcd(word, stride);
  layout.channels = (*channels + channel_multiple - 1) / channel_multiple * channel_multiple;
  const std::int64_t tap_multiple = word / std::gcd(word, layout.channels);
  layout.taps = (taps + tap_multiple - 1) / tap_multiple * tap_multiple;
  if (layout.taps * layout.channels > context.target.longest_window * 8 / dtype_bits(x.dtype)) return std::nullopt;
  layout.begin = attribute("pads", 1, 0) + layout.taps - taps;
  const std::int64_t windows = (*width + attribute("pads", 1, 0) + attribute("pads", 3, 0) - taps) / stride + 1;
  layout.end = (windows - 1) * stride + layout.taps - *width - layout.begin;
  return layout;
}

Value* padded_image(Builder& b, Node& conv, const Layout& layout) {
  Value* x = conv.operand(0);
  const auto& pads = conv.integers("pads");
  Shape begins(4, Dim(0)), ends(4, Dim(0));
  ends[kChannels] = Dim(layout.channels) - x->type.shape[kChannels];
  if (!pads.empty()) begins[kHeight] = pads[0], ends[kHeight] = pads[2];
  begins[kWidth] = layout.begin, ends[kWidth] = layout.end;
  std::vector<Value*> operands{x};
  if (const auto value = conv.integer("pad_value"); value != 0) operands.push_back(b.scalar(x->type.dtype, static_cast<double>(value)));
  return b.op("pad", std::move(operands), {{"begins", begins}, {"ends", ends}});
}

Value* padded_weights(Builder& b, Value* weights, const Layout& layout) {
  Shape begins(4, Dim(0)), ends(4, Dim(0));
  ends[kChannels] = Dim(layout.channels) - weights->type.shape[kChannels];
  begins[kWidth] = Dim(layout.taps) - weights->type.shape[kWidth];
  return b.op("pad", {weights}, {{"begins", begins}, {"ends", ends}});
}

}  // namespace

bool pad_windows(Graph& graph, const PassContext& context) {
  bool changed = false;
  if (context.target.window_word == 0) return false;
  for (Node* conv : graph.nodes("conv")) {
    const auto layout = layout_for(*conv, context);
    if (!layout) continue;
    Builder b(graph, conv->origins, conv);
    conv->set_operand(0, padded_image(b, *conv, *layout));
    conv->set_operand(1, padded_weights(b, conv->operand(1), *layout));
    conv->attributes["pads"] = std::vector<std::int64_t>(4, 0);
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
