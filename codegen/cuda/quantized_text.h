// Conversions between 8-bit integers and floats as quantized models have them, which kernels compute without the slow instructions for it.
#pragma once

#include <optional>

#include "ir/kernel/kernel.h"

namespace intaglio::cuda {

/// saturate(round(x / step) + zero_point), x in f32.
struct Quantization {
  kernel::Expr x;
  float step = 1;
  double zero_point = 0;
};

/// `cast` as a quantization to 8 bits, if it is one whose zero point is known.
std::optional<Quantization> quantization_of(const kernel::ExprNode& cast);

/// True for an i32 that is known to lie within 22 bits: 8-bit integers, less zero points.
bool is_small_integer(const kernel::Expr& e);

}  // namespace intaglio::cuda
