// Activations, written out in core operators; fusion makes one kernel of each.
#include <cmath>
#include <numbers>

#include <fmt/format.h>

#include "frontend/onnx/importers.h"

namespace intaglio {
namespace {

/// Constants of the input's type, and the operators that read better as calls.
class Formula {
 public:
  explicit Formula(NodeContext& node) : b_(node.b), dtype_(node.dtype(0)) {}

  Value* number(double value) { return b_.scalar(dtype_, value); }
  Value* times(double factor, Value* x) { return b_.mul(x, number(factor)); }
  Value* plus(Value* x, double term) { return b_.add(x, number(term)); }
  Value* exp(Value* x) { return b_.op("exp", {x}); }
  Value* clamp(Value* x, double low, double high) { return b_.op("min", {b_.op("max", {x, number(low)}), number(high)}); }
  Value* max(Value* x, double low) { return b_.op("max", {x, number(low)}); }
  Value* min(Value* x, double high) { return b_.op("min", {x, number(high)}); }
  Value* where_negative(Value* x, Value* then, Value* otherwise) { return b_.op("where", {b_.op("less", {x, number(0)}), then, otherwise}); }

  /// log(1 + exp(x)), without overflow for large x: max(x, 0) + log(1 + exp(-|x|)).
  Value* softplus(Value* x) {
    Value* small = exp(b_.op("neg", {b_.op("abs", {x})}));
    return b_.add(max(x, 0), b_.op("log", {plus(small, 1)}));
  }

 private:
  Builder& b_;
  DType dtype_;
};

}  // namespace

Values import_gelu(NodeContext& node) {
  Formula f(node);
  Value* x = node.input(0);
  const std::string approximate = node.string("approximate", "none");
  Value* inner = nullptr;
  if (approximate == "none") {
    inner = node.b.op("erf", {f.times(1 / std::numbers::sqrt2, x)});
  } else if (approximate == "tanh") {
    Value* cube = node.b.mul(node.b.mul(x, x), x);
    inner = node.b.op("tanh", {f.times(std::sqrt(2 / std::numbers::pi), node.b.add(x, f.times(0.044715, cube)))});
  } else {
    node.fail("unknown approximation of gelu", "'none' or 'tanh'", fmt::format("'{}'", approximate));
  }
  return {node.b.mul(f.times(0.5, x), f.plus(inner, 1))};
}

Values import_hard_sigmoid(NodeContext& node) {
  Formula f(node);
  const double alpha = node.real("alpha", 0.2f);
  const double beta = node.real("beta", 0.5f);
  return {f.clamp(f.plus(f.times(alpha, node.input(0)), beta), 0, 1)};
}

Values import_hard_swish(NodeContext& node) {
  Formula f(node);
  Value* x = node.input(0);
  return {node.b.mul(x, f.clamp(f.plus(f.times(1.0 / 6, x), 0.5), 0, 1))};
}

Values import_leaky_relu(NodeContext& node) {
  Formula f(node);
  Value* x = node.input(0);
  return {f.where_negative(x, f.times(node.real("alpha", 0.01f), x), x)};
}

Values import_thresholded_relu(NodeContext& node) {
  Formula f(node);
  Value* x = node.input(0);
  Value* above = node.b.op("greater", {x, f.number(node.real("alpha", 1))});
  return {node.b.op("where", {above, x, f.number(0)})};
}

Values import_elu(NodeContext& node) {
  Formula f(node);
  Value* x = node.input(0);
  return {f.where_negative(x, f.times(node.real("alpha", 1), f.plus(f.exp(x), -1)), x)};
}

Values import_selu(NodeContext& node) {
  Formula f(node);
  Value* x = node.input(0);
  const double alpha = node.real("alpha", 1.67326319217681884765625);
  const double gamma = node.real("gamma", 1.05070102214813232421875);
  return {f.where_negative(x, f.times(alpha * gamma, f.plus(f.exp(x), -1)), f.times(gamma, x))};
}

Values import_celu(NodeContext& node) {
  Formula f(node);
  Value* x = node.input(0);
  const double alpha = node.real("alpha", 1);
  node.require(alpha != 0, "celu divides by alpha", "alpha != 0", "alpha = 0");
  Value* negative = f.min(f.times(alpha, f.plus(f.exp(node.b.div(x, f.number(alpha))), -1)), 0);
  return {node.b.add(f.max(x, 0), negative)};
}

Values import_softplus(NodeContext& node) { return {Formula(node).softplus(node.input(0))}; }

Values import_softsign(NodeContext& node) {
  Value* x = node.input(0);
  return {node.b.div(x, Formula(node).plus(node.b.op("abs", {x}), 1))};
}

Values import_prelu(NodeContext& node) {
  Value* x = node.input(0);
  return {Formula(node).where_negative(x, node.b.mul(x, node.input(1)), x)};
}

Values import_swish(NodeContext& node) {
  Value* x = node.input(0);
  const double alpha = node.real("alpha", 1);
  Value* scaled = alpha == 1 ? x : Formula(node).times(alpha, x);
  return {node.b.mul(x, node.b.op("sigmoid", {scaled}))};
}

Values import_mish(NodeContext& node) {
  Value* x = node.input(0);
  return {node.b.mul(x, node.b.op("tanh", {Formula(node).softplus(x)}))};
}

}  // namespace intaglio
