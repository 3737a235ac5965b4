// What an import function sees of its ONNX node: inputs as values, attributes by name, contents of shape operands, and the builder to write with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "onnx/onnx_pb.h"

namespace intaglio {

/// The results of an import function, in the order of the ONNX node's outputs. May be fewer: outputs that nobody reads need none.
using Values = std::vector<Value*>;

class NodeContext {
 public:
  /// `inputs` has one entry an input of `proto`, null for an absent one; `wanted[i]`: somebody reads output i.
  NodeContext(onnx::NodeProto& proto, std::string label, int opset, Graph& graph, Origins origins, Values inputs, std::vector<bool> wanted)
      : b(graph, std::move(origins)),
        proto_(proto),
        label_(std::move(label)),
        opset_(opset),
        inputs_(std::move(inputs)),
        wanted_(std::move(wanted)) {}

  /// Adds core operators with this node as their origin.
  Builder b;

  const std::string& op_type() const { return proto_.op_type(); }
  int opset() const { return opset_; }

  /// Refuses the node; the importer adds which one it is.
  [[noreturn]] void fail(std::string message, std::string expected = {}, std::string got = {}, std::string help = {}) const;
  void require(bool condition, std::string message, std::string expected = {}, std::string got = {}) const {
    if (!condition) fail(std::move(message), std::move(expected), std::move(got));
  }
  /// Two extents that the operator needs to be equal: decided now if both are constants, else checked when shapes are bound.
  void require_equal(const Dim& got, const Dim& expected, const std::string& what);

  int input_count() const { return static_cast<int>(inputs_.size()); }
  /// Input `i`, null if it is absent.
  Value* optional_input(int i) const { return i < input_count() ? inputs_[i] : nullptr; }
  /// Input `i`, which must be there.
  Value* input(int i) const;
  const Shape& shape(int i) const { return input(i)->type.shape; }
  int rank(int i) const { return input(i)->type.rank(); }
  DType dtype(int i) const { return input(i)->type.dtype; }

  int output_count() const { return proto_.output_size(); }
  bool wants_output(int i) const { return i < static_cast<int>(wanted_.size()) && wanted_[i]; }

  /// Attributes by name; a wrong type is refused. Without a fallback, nothing stands for a missing one.
  bool has_attribute(std::string_view name) const { return find(name) != nullptr; }
  std::int64_t integer(std::string_view name, std::int64_t fallback) const;
  double real(std::string_view name, double fallback) const;
  std::string string(std::string_view name, std::string_view fallback) const;
  std::optional<std::vector<std::int64_t>> integers(std::string_view name) const;
  std::optional<std::vector<double>> reals(std::string_view name) const;
  /// The data of a tensor attribute; taken out of the model, so it can be asked for once.
  std::optional<Tensor> tensor(std::string_view name) const;
  /// The element type that attribute `name` holds by its ONNX number; nothing if it is missing or 0.
  std::optional<DType> dtype_attribute(std::string_view name) const;

  /// The elements of integer input `i`, as expressions over the symbols of the model's inputs. Refuses what depends on data.
  std::vector<Dim> contents(int i) const;
  /// The same where only constants will do.
  std::vector<std::int64_t> constant_contents(int i) const;
  /// The one element of integer input `i`.
  Dim scalar_contents(int i) const;

  /// `axis` counted from the front.
  int axis(std::int64_t axis, int rank) const;
  /// Axes counted from the front; each may be there once.
  std::vector<std::int64_t> axes(std::vector<std::int64_t> axes, int rank) const;
  /// The axes of an operator that takes them as an attribute before `input_since`, as optional input 1 from then on; nothing if absent.
  std::optional<std::vector<std::int64_t>> axes_by_opset(int input_since) const;

 private:
  onnx::AttributeProto* find(std::string_view name) const;
  /// The attribute, checked to be of `type`; null if missing.
  onnx::AttributeProto* find(std::string_view name, onnx::AttributeProto::AttributeType type) const;
  std::string input_text(int i) const;

  onnx::NodeProto& proto_;
  std::string label_;
  int opset_;
  Values inputs_;
  std::vector<bool> wanted_;
};

}  // namespace intaglio
