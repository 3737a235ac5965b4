// Dimensions by name: one name is one symbol, different names are different symbols.
#include <gtest/gtest.h>

#include "models.h"

namespace intaglio::test {
namespace {

/// The type of each input of a model whose inputs have one dimension each, named so; "" has no name.
std::vector<std::string> input_types(const std::vector<std::string>& dims) {
  onnx::ModelProto proto = model("(float[4] x) => (float[4] y) { y = Relu(x) }");
  proto.mutable_graph()->clear_input();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    auto* input = proto.mutable_graph()->add_input();
    input->set_name(i == 0 ? "x" : "x" + std::to_string(i));
    auto* tensor = input->mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(onnx::TensorProto::FLOAT);
    auto* dim = tensor->mutable_shape()->add_dim();
    if (!dims[i].empty()) dim->set_dim_param(dims[i]);
  }
  std::vector<std::string> types;
  const auto graph = import_onnx_bytes(proto.SerializeAsString());
  for (const auto& argument : graph->arguments()) types.push_back(to_text(argument->type));
  return types;
}

using Types = std::vector<std::string>;

TEST(Symbols, AreOneForEachName) { EXPECT_EQ(input_types({"batch", "batch", "length"}), (Types{"f32[batch]", "f32[batch]", "f32[length]"})); }

TEST(Symbols, StayApartWhereOnlyACharacterDiffers) {
  EXPECT_EQ(input_types({"seq.len", "seq_len", "seq len", "seq_len"}), (Types{"f32[seq_len]", "f32[seq_len_]", "f32[seq_len__]", "f32[seq_len_]"}));
  EXPECT_EQ(input_types({"1", "_1"}), (Types{"f32[_1]", "f32[_1_]"}));
}

TEST(Symbols, OfNoNameEqualNoOther) { EXPECT_EQ(input_types({"", "x_d0", ""}), (Types{"f32[x_d0]", "f32[x_d0_]", "f32[x2_d0]"})); }

}  // namespace
}  // namespace intaglio::test
