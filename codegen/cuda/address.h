// Where the elements of a contraction's operands lie: addresses as strides of loop variables.
#pragma once

#include <optional>
#include <vector>

#include "codegen/schedule/contraction.h"

namespace intaglio::cuda {

/// True if the contraction is a product of matrices: `a` is read at the positions of the result.
bool is_matrix_product(const Contraction& spec);

/// The axes of positions with the variables that they have in `a`.
std::vector<Axis> source_axes(const Contraction& spec, std::vector<Axis> axes);

/// An address as strides of loop variables, in elements: what is left when they are taken is the offset.
class Address {
 public:
  explicit Address(const kernel::Expr& load) : rest_(load->args[0]), element_bytes_(dtype_bits(load->dtype) / 8) {}

  /// The stride of a variable, which leaves the address; nothing if the address is not linear in it.
  std::optional<Dim> take(int var);
  /// The distance from one element to the next of all that `axes` count, outermost first, if it is the same everywhere; 0 of a single one.
  std::optional<Dim> take_line(const std::vector<Axis>& axes);
  std::optional<Dim> offset_bytes() const;
  Dim bytes(const Dim& stride) const { return stride * element_bytes_; }

 private:
  kernel::Expr rest_;
  std::int64_t element_bytes_;
};

}  // namespace intaglio::cuda
