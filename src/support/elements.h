// Single elements of any number type, widened: how constants are inspected and reference kernels read their operands.
#pragma once

#include <cstdint>

#include "intaglio/tensor.h"

namespace intaglio {

/// Element `i` of a tensor of numbers or booleans as a double; 64-bit integers round.
double get_real(const Tensor& tensor, std::int64_t i);
/// Element `i` of a tensor of integers or booleans; u64 as the same bits.
std::int64_t get_integer(const Tensor& tensor, std::int64_t i);

/// Stores into a float (rounded to nearest even; those of 8 bits saturate), an integer (truncated and saturated, NaN is 0) or a boolean (value != 0).
void set_real(Tensor& tensor, std::int64_t i, double value);
/// Stores into an integer (wrapped), a float (rounded) or a boolean (value != 0).
void set_integer(Tensor& tensor, std::int64_t i, std::int64_t value);

}  // namespace intaglio
