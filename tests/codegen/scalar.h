// Typed scalar values of the interpreter: what arithmetic, conversions and memory mean for each dtype.
#pragma once

#include <cstdint>

#include "intaglio/tensor.h"
#include "ir/kernel/expr.h"

namespace intaglio::testing {

/// A typed value: floats in `real`, rounded to their type, the rest in `integer`, wrapped to their type.
struct Scalar {
  DType dtype = DType::undefined;
  double real = 0;
  std::int64_t integer = 0;
};

/// A value of a float type, rounded to it, and of an integer type or boolean, wrapped to it.
Scalar of_real(DType dtype, double value);
Scalar of_integer(DType dtype, std::int64_t value);

/// A cast: from float to integer it saturates and NaN is 0.
Scalar converted(const Scalar& a, DType to);
/// The pattern of a value in memory as a value of another type of that width.
Scalar bitcast_scalar(const Scalar& a, DType to);
Scalar apply_unary(kernel::Op op, const Scalar& a);
/// std::domain_error for index_div and index_mod of negative operands or by 0.
Scalar apply_binary(kernel::Op op, const Scalar& a, const Scalar& b);
Scalar apply_compare(kernel::Op op, const Scalar& a, const Scalar& b);
/// What a fold with `op` starts from.
Scalar identity(kernel::Op op, DType dtype);

Scalar read_scalar(const Tensor& tensor, std::int64_t i);
void write_scalar(Tensor& tensor, std::int64_t i, const Scalar& value);

}  // namespace intaglio::testing
