// Small ONNX models for the importer.
#pragma once

#include <string>

#include "frontend/onnx/import.h"
#include "onnx/onnx_pb.h"

namespace intaglio::test {

/// A model of a graph in ONNX's text form: "(float[N,4] x) => (float[N,4] y) <float[4] w = {..}> { [name] y = Add(x, w) }".
onnx::ModelProto model(const std::string& graph, int opset = 17);

/// The text of the error that importing ends with, under the file name m.onnx; it must be the model's fault. "" if nothing is refused.
std::string refusal(const onnx::ModelProto& model, const ImportOptions& options = {"m.onnx"});
std::string refusal_of_bytes(const std::string& bytes);

}  // namespace intaglio::test
