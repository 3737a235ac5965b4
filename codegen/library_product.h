// A product of matrices that a library can compute in the place of a generated kernel.
#pragma once

#include <optional>

#include "intaglio/tensor.h"
#include "ir/dim.h"

namespace intaglio {

/// A matrix in a buffer, and in the same buffer those of the other products of a batch.
struct ProductMatrix {
  int buffer = 0;  ///< in the order of the kernel's ABI
  DType dtype = DType::f16;
  Dim offset = 0;  ///< bytes
  Dim line = 0;    ///< elements from one line to the next
  Dim next = 0;    ///< elements from the matrix of one product to that of the next
  bool transposed = false;  ///< lines are columns; else rows
};

/// d[i, j] = relu?(alpha * sum over k of a[i, k] * b[k, j] + c[i, j] + bias[j]), `count` times.
struct LibraryProduct {
  Dim count, rows, columns, sum;
  ProductMatrix a, b, d;
  std::optional<ProductMatrix> c;     ///< lies as d does
  std::optional<ProductMatrix> bias;  ///< one line
  double alpha = 1;
  bool relu = false;
  bool tf32 = false;  ///< f32 operands may be rounded
};

/// Of the arena, for the library's intermediate results while a product runs: what NVIDIA recommends for Hopper.
inline constexpr std::int64_t kLibraryWorkspaceBytes = 32 << 20;

}  // namespace intaglio
