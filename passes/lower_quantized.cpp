// Computes contractions of dequantized operands in the stored numbers. Of integers, with x = (qx - zx) sx and w = qw sw
//   contraction(x, w) + bias = (contraction(qx, qw) - zx sum(qw) + bias / (sx sw)) (sx sw)
// whose first factor is an exact i32: zx and a quantized bias are one constant for each output channel. Where the result is quantized by sy, perhaps
// after a relu, the two scales are one number for each channel, sx sw / sy computed in f64 and rounded once. docs/quantization.md has the whole meaning.
// 8-bit floats have scales alone: contraction(x, w) = contraction(qx, qw) (sx sw), summed in f32.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "ir/op.h"
#include "passes/match.h"
#include "passes/passes.h"
#include "support/elements.h"

namespace intaglio {
namespace {

/// What a bias that is not known yet adds at most: what insert_quantization lets it.
constexpr std::int64_t kLargestBias = std::int64_t{1} << 30;

struct Activation {
  Value* stored = nullptr;
  double scale = 1;
  std::int64_t zero_point = 0;
};

bool is_byte(const Value& value) { return value.type.dtype == DType::u8 || value.type.dtype == DType::i8; }
bool is_small_float(const Value& value) { return value.type.dtype == DType::f8e4m3fn; }
std::int64_t channel_axis(const Node& node) { return node.is("conv") ? 0 : node.operand(1)->type.rank() - 1; }

/// The zero point that all elements share, or nothing.
std::optional<std::int64_t> common_zero_point(const Node& node) {
  if (!node.operand(2)) return 0;
  const auto value = splat(node.operand(2));
  return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
}

std::optional<Activation> activation_of(const Node& node) {
  const Node* dequantize = node.operand(0)->producer("dequantize");
  if (!dequantize || is_constant_expression(*dequantize->operand(0))) return std::nullopt;
  if (!is_byte(*dequantize->operand(0)) && !is_small_float(*dequantize->operand(0))) return std::nullopt;
  const auto scale = splat(dequantize->operand(1));
  const auto zero_point = common_zero_point(*dequantize);
  if (!scale || !zero_point || !is_single_element(dequantize->operand(1)->type)) return std::nullopt;
  return Activation{dequantize->operand(0), *scale, *zero_point};
}

class Lowering {
 public:
  Lowering(Node& node, const Activation& activation) : node_(node), x_(activation) {}

  /// Empty if the node can be lowered, else why it stays in float.
  std::string find_operands() {
    if (node_.result()->type.dtype != DType::f32) return fmt::format("the model computes it in {}", dtype_name(node_.result()->type.dtype));
    const Value& weight = *node_.operand(1);
    const Node* dequantize = weight.producer("dequantize");
    if (!dequantize || !is_constant_expression(weight)) return "its weights are not quantized constants";
    const bool same_kind = floats() ? is_small_float(*dequantize->operand(0)) : is_byte(*dequantize->operand(0));
    if (!same_kind || dequantize->integer("block_size") > 0) return "its weights have no scale for a whole channel of 8-bit numbers";
    if (node_.is("matmul") && weight.type.rank() != 2) return "stacks of weights have no channels";
    weights_ = dequantize->operand(0);
    scale_ = dequantize->operand(1);
    if (!is_single_element(scale_->type) && dequantize->integer("axis") != channel_axis(node_)) return "the scales of its weights are not those of output channels";
    if (floats()) return "";
    const auto zero_point = common_zero_point(*dequantize);
    if (!zero_point || !fits_i8(*zero_point)) return "its weights less their zero points take more than 8 bits";
    zero_point_ = *zero_point;
    return fits_i32() ? "" : "its sum may exceed 31 bits";
  }

  void lower() {
    last_ = node_with_bias();
    b_.emplace(*node_.graph(), last_ == &node_ ? node_.origins : merge(node_.origins, last_->origins), last_);
    Value* sum = accumulated();
    Node* quantize = requantization();
    const double by = quantize ? *splat(quantize->operand(1)) : 1;
    Value* real = b_->mul(floats() ? sum : b_->cast(sum, DType::f32), per_channel(factor(by)));
    if (float_bias()) real = b_->add(real, per_channel(float_bias()));
    if (quantize) {
      // The values in between are no longer those of the ONNX model, but multiples of the step.
      for (Node* node = last_; node != quantize; node = node->result()->uses()[0].user) node->result()->origin.clear();
      quantize->set_operand(1, b_->scalar(DType::f32, 1));
    }
    last_->result()->replace_all_uses_with(real);
    erase_with_dead_operands(last_);
  }

 private:
  /// 8-bit floats, not integers.
  bool floats() const { return is_small_float(*x_.stored); }

  /// True if the weights less their zero point are known to fit.
  bool fits_i8(std::int64_t zero_point) const {
    if (weights_->type.dtype == DType::i8 && zero_point == 0) return true;
    if (!weights_->is_constant()) return false;
    for (std::int64_t i = 0; i < weights_->constant().elements(); ++i) {
      const std::int64_t value = get_integer(weights_->constant(), i) - zero_point;
      if (value < -128 || value > 127) return false;
    }
    return true;
  }

  bool fits_i32() const {
    const auto channels = weights_->type.shape[static_cast<std::size_t>(channel_axis(node_))].constant();
    const auto elements = element_count(weights_->type.shape).constant();
    if (!channels || !elements || *channels == 0) return false;
    return *elements / *channels * 255 * 128 <= std::numeric_limits<std::int32_t>::max() - kLargestBias;
  }

  /// A bias in units of sx sw, or null.
  Value* integer_bias(const Value* bias) const {
    const Node* dequantize = bias ? bias->producer("dequantize") : nullptr;
    if (!dequantize || dequantize->operand(0)->type.dtype != DType::i32 || common_zero_point(*dequantize) != 0) return nullptr;
    return is_product_of_scales(*dequantize->operand(1)) ? dequantize->operand(0) : nullptr;
  }

  bool is_product_of_scales(const Value& scale) const {
    const Node* mul = scale.producer("mul");
    if (mul && mul->operand(0) == scale_ && is_splat(mul->operand(1), x_.scale)) return true;
    if (!scale.is_constant() || !scale_->is_constant() || scale_->constant().elements() != scale.constant().elements()) return false;
    for (std::int64_t i = 0; i < scale.constant().elements(); ++i) {
      const double expected = get_real(scale_->constant(), i) * x_.scale;
      if (std::fabs(get_real(scale.constant(), i) - expected) > std::fabs(expected) * std::numeric_limits<float>::epsilon()) return false;
    }
    return true;
  }

  /// The other operand of an addition to a product.
  static Value* addend(const Node& add, const Value* product) { return add.operand(add.operand(0) == product ? 1 : 0); }

  /// The node itself, or the addition of an integer bias behind a product.
  Node* node_with_bias() const {
    Node* add = node_.is("matmul") && node_.result()->has_one_use() ? node_.result()->uses()[0].user : nullptr;
    if (!add || !add->is("add")) return &node_;
    const Value* bias = addend(*add, node_.result());
    return bias->type.rank() == 1 && integer_bias(bias) ? add : &node_;
  }

  /// What is added behind the factor.
  Value* float_bias() const { return node_.is("conv") && !integer_bias(node_.operand(2)) ? node_.operand(2) : nullptr; }

  /// The sum, exact of integers, with what is the same for all positions.
  Value* accumulated() {
    if (floats()) return node_.is("conv") ? b_->op("conv", {x_.stored, weights_}, node_.attributes) : b_->op("matmul", {x_.stored, weights_});
    if (weights_->type.dtype != DType::i8 || zero_point_ != 0) {
      Value* wide = b_->sub(b_->cast(weights_, DType::i32), b_->scalar(DType::i32, static_cast<double>(zero_point_)));
      weights_ = b_->cast(wide, DType::i8);
    }
    const bool is_conv = node_.is("conv");
    Value* bias = integer_bias(is_conv ? node_.operand(2) : last_ != &node_ ? addend(*last_, node_.result()) : nullptr);  // (M)
    if (x_.zero_point != 0) {
      std::vector<std::int64_t> summed(static_cast<std::size_t>(weights_->type.rank()));
      std::iota(summed.begin(), summed.end(), 0);
      summed.erase(summed.begin() + channel_axis(node_));
      Value* columns = b_->op("reduce_sum", {b_->cast(weights_, DType::i32)}, {{"axes", summed}, {"keepdims", std::int64_t{0}}});  // (M)
      Value* shift = b_->mul(columns, b_->scalar(DType::i32, static_cast<double>(-x_.zero_point)));
      bias = bias ? b_->add(bias, shift) : shift;
    }
    if (!is_conv) {
      Value* product = b_->op("matmul", {x_.stored, weights_});
      return bias ? b_->add(product, bias) : product;
    }
    std::vector<Value*> operands{x_.stored, weights_};
    if (bias) operands.push_back(bias);
    Attributes attributes = node_.attributes;
    attributes["pad_value"] = x_.zero_point;
    return b_->op("conv", std::move(operands), std::move(attributes));
  }

  /// What quantizes the result by one step, perhaps after a relu; null if something else reads it, or needs it in float.
  Node* requantization() const {
    if (float_bias()) return nullptr;
    const auto only_user = [](const Value& value) { return value.has_one_use() ? value.uses()[0].user : nullptr; };
    Node* user = only_user(*last_->result());
    while (user && user->is("relu")) user = only_user(*user->result());
    const bool is_quantize = user && user->is("quantize") && is_single_element(user->operand(1)->type) && splat(user->operand(1));
    return is_quantize ? user : nullptr;
  }

  /// sx sw / by.
  Value* factor(double by) {
    Value* scale = is_single_element(scale_->type) ? b_->reshape(scale_, {}) : scale_;
    return b_->cast(b_->mul(b_->cast(scale, DType::f64), b_->scalar(DType::f64, x_.scale / by)), DType::f32);
  }

  /// (M) in the shape that broadcasts to the result.
  Value* per_channel(Value* value) {
    if (value->type.rank() == 0 || node_.is("matmul")) return value;
    Shape shape(static_cast<std::size_t>(node_.result()->type.rank() - 1), Dim(1));
    shape[0] = value->type.shape[0];
    return b_->reshape(value, std::move(shape));
  }

  Node& node_;
  const Activation x_;
  Value* weights_ = nullptr;
  Value* scale_ = nullptr;  ///< f32, one or (M)
  std::int64_t zero_point_ = 0;
  Node* last_ = nullptr;  ///< the last node of the model that the integers stand for
  std::optional<Builder> b_;
};

}  // namespace

bool lower_quantized(Graph& graph, const PassContext& context) {
  bool changed = false;
  for (Node* node : graph.nodes()) {
    if (node->op().op_class != OpClass::contraction || is_dead(*node)) continue;
    const auto activation = activation_of(*node);
    if (!activation) continue;
    Lowering lowering(*node, *activation);
    if (const std::string reason = lowering.find_operands(); !reason.empty()) {
      if (context.stays_in_float) context.stays_in_float(*node, reason);
      continue;
    }
    lowering.lower();
    changed = true;
  }
  return changed;
}

}  // namespace intaglio
