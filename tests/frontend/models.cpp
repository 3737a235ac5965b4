// See models.h.
#include "models.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "onnx/defs/parser.h"
#include "support/diagnostics.h"

namespace intaglio::test {
namespace {

std::string refusal_of_bytes(const std::string& bytes, const ImportOptions& options) {
  try {
    const auto graph = import_onnx_bytes(bytes, options);
    verify(*graph);
    return "";
  } catch (const CompileError& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid);
    return error.what();
  }
}

}  // namespace

onnx::ModelProto model(const std::string& graph, int opset) {
  onnx::ModelProto result;
  const std::string text = fmt::format("<ir_version: 10, opset_import: [\"\" : {}]> g {}", opset, graph);
  const auto status = onnx::OnnxParser::Parse(result, text.c_str());
  if (!status.IsOK()) throw std::runtime_error(status.ErrorMessage() + "\n" + text);
  return result;
}

std::string refusal(const onnx::ModelProto& model, const ImportOptions& options) { return refusal_of_bytes(model.SerializePartialAsString(), options); }

std::string refusal_of_bytes(const std::string& bytes) { return refusal_of_bytes(bytes, {"m.onnx"}); }

}  // namespace intaglio::test
