// The type of a value: dtype, shape, layout, quantization.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "intaglio/tensor.h"
#include "ir/dim.h"

namespace intaglio {

/// An order of the logical dimensions in memory, outermost first; empty means row-major. Operators are defined on the logical order
/// and never see it: only where a kernel computes an address does it matter. {0,2,3,1} on [N,C,H,W] is NHWC.
using Layout = std::vector<int>;

/// How stored integers or small floats stand for real numbers; scales and zero points are operands of quantize and dequantize.
struct QuantScheme {
  DType storage = DType::undefined;
  int axis = -1;        ///< -1: one scale for the whole tensor
  int block_size = 0;   ///< 0: one scale for each index of `axis`
  friend bool operator==(const QuantScheme&, const QuantScheme&) = default;
};

struct Type {
  DType dtype = DType::undefined;
  Shape shape;
  Layout layout = {};
  std::optional<QuantScheme> quant = {};

  int rank() const { return static_cast<int>(shape.size()); }
  bool is_row_major() const;
  friend bool operator==(const Type&, const Type&) = default;
};

/// "f32[N,64,56,56]", with a layout that is not row-major "f32[N,64,56,56]{0,2,3,1}".
std::string to_text(const Type& type);

/// False if the constant extents alone make more than kMostElements elements, or one of them is negative.
bool has_possible_size(const Shape& shape);
/// The order of the dimensions, outermost first, whatever way the layout is written.
Layout explicit_layout(const Type& type);
/// The strides in elements of each logical dimension.
std::vector<Dim> strides(const Type& type);
/// {0,2,3,..,1}: channels innermost.
Layout channels_last(int rank);

}  // namespace intaglio
