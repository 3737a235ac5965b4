// Scalars of any number type.

#include "ir/graph.h"
#include "support/elements.h"

namespace intaglio {

Value* Builder::scalar(DType dtype, double value) {
  Tensor tensor(dtype, {});
  set_real(tensor, 0, value);
  return constant(std::move(tensor));
}

}  // namespace intaglio
