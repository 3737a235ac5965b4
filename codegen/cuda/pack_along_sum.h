// Constant operands as tensor-core kernels read them.
#pragma once

#include "codegen/schedule/contraction.h"
#include "intaglio/tensor.h"

namespace intaglio::cuda {

/// A line's length in packed weights is a multiple of this.
inline constexpr int kPackedLineBytes = 64;

/// How many elements of `dtype` a packed line has for each column.
Dim packed_line(const Contraction& spec, DType dtype);

/// `b` of a contraction with a constant one, as [group][n][line]: the elements r, s, c of a column side by side, then zeros.
Tensor pack_along_sum(const Node& kernel_node);

/// The contraction whose buffer `constant_b` holds pack_along_sum: c alone counts the elements of a line.
Contraction with_packed_lines(Contraction spec);

}  // namespace intaglio::cuda
