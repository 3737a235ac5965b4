// Reads the bytes of an ONNX file into its protobuf, and says what is wrong with bytes that are none.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "onnx/onnx_pb.h"

namespace intaglio {

/// The content of a file; CompileError with code `environment` if it cannot be read. `name` is what messages call it.
std::string read_model_file(const std::string& path, const std::string& name);

/// Parses a model; CompileError with code `invalid` for bytes that are no ONNX model or only the beginning of one.
std::unique_ptr<onnx::ModelProto> parse_model(std::string_view bytes, const std::string& name);

}  // namespace intaglio
