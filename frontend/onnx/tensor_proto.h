// From ONNX's TensorProto to a host tensor: every element type, from raw bytes and from the typed fields.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "intaglio/tensor.h"
#include "onnx/onnx_pb.h"

namespace intaglio {

/// The element type of an ONNX number; CompileError without subject for one that ONNX does not know or that is not supported.
DType import_dtype(std::int64_t onnx_type);

/// The tensor that `proto` holds. Raw bytes are taken out of `proto`, not copied. CompileError without subject if dims, type and data do not agree.
Tensor import_tensor(onnx::TensorProto& proto);

/// The elements of an integer or boolean tensor; nothing for other types.
std::optional<std::vector<std::int64_t>> integer_elements(const Tensor& tensor);

/// The elements of an f32, f64, integer or boolean tensor; nothing for other types.
std::optional<std::vector<double>> real_elements(const Tensor& tensor);

}  // namespace intaglio
