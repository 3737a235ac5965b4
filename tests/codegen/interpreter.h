// Executes kernel IR element by element: the plainest meaning of a kernel, which lowering and the emitters are tested against.
#pragma once

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "intaglio/tensor.h"
#include "ir/kernel/kernel.h"
#include "ir/type.h"

namespace intaglio::testing {

using SymbolValues = std::map<std::string, std::int64_t>;

/// What stops a kernel: an index outside of its buffer (a bug), or a failed `checked` (data-dependent).
struct BadAccess : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct CheckFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Runs every task of `kernel`. `buffers` are in memory order, one for each of the kernel's, with as many elements as it says; what it
/// writes is written in place. Tasks and the lanes of vector loops run from last to first, so that anything that relies on their order
/// fails.
void interpret(const kernel::Kernel& kernel, std::vector<Tensor>& buffers, const SymbolValues& symbols);

/// The value of one expression without loops and loads.
double interpret_scalar(const kernel::Expr& e, const std::map<int, std::int64_t>& variables, const SymbolValues& symbols);

/// `logical` (row-major) rearranged to the memory order that `layout` gives, as a tensor of the same shape; and back.
Tensor to_memory_order(const Tensor& logical, const Layout& layout);
Tensor from_memory_order(const Tensor& memory, const Layout& layout);

/// One element as a double, and the other way round; any dtype that kernels store. 64-bit integers beyond 2^53 are rounded.
double element_at(const Tensor& tensor, std::int64_t i);
void set_element(Tensor& tensor, std::int64_t i, double value);

}  // namespace intaglio::testing
