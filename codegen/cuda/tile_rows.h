// How the results of a contraction become matrices: what tensor-core kernels cut into tiles.
#pragma once

#include <string>
#include <vector>

#include "codegen/cuda/source.h"
#include "codegen/schedule/contraction.h"

namespace intaglio::cuda {

/// A contraction as independent products: all positions that share `b` are the rows of one.
struct TileRows {
  std::vector<Axis> products;  ///< batch axes that `b` depends on (groups, the batch of a batched matmul)
  std::vector<Axis> rows;      ///< the other batch axes, y and x, outermost first

  explicit TileRows(const Contraction& spec);
  Dim product_count() const;
  Dim row_count() const;
};

/// An extent as an int: rows, columns and steps of a tile are counted in 32 bits, whatever offsets need.
std::string int_extent(Source& source, const Dim& dim);

/// Lines that define the variables of `axes`, outermost first, of element number `number` (an expression in int) of their product.
void split_number(Source& source, const std::vector<Axis>& axes, const std::string& number);

}  // namespace intaglio::cuda
