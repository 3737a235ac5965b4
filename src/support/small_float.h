// Floats of 16 bits and less as bit patterns: decoding, and encoding with round to nearest even.
#pragma once

#include <cstdint>

#include "intaglio/tensor.h"

namespace intaglio {

/// The value of a bit pattern of f16, bf16, one of the f8 kinds, f4e2m1 or f8e8m0.
double decode_small_float(DType dtype, std::uint32_t bits);

/// The nearest value's bit pattern, halves to even. What is too large becomes infinity where the format has one, else NaN (f8e4m3fn, the fnuz kinds);
/// with `saturate` it becomes the largest finite value instead, as ONNX's Cast and QuantizeLinear do. f4e2m1 always saturates and takes NaN as its largest value.
std::uint32_t encode_small_float(DType dtype, double value, bool saturate = false);

}  // namespace intaglio
