// A kernel that a back end has chosen but not yet compiled.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "codegen/library_product.h"
#include "intaglio/tensor.h"
#include "ir/dim.h"

namespace llvm {
class Module;
}

namespace intaglio {

/// A view of a buffer of which a CUDA kernel copies boxes into shared memory (TMA); what is outside of it is copied as 0. Dimensions are
/// innermost first, 1 to 5 of them.
struct TensorMap {
  int buffer = 0;  ///< in the order of the ABI
  DType dtype = DType::f16;
  Dim offset = 0;              ///< bytes
  std::vector<Dim> extents;    ///< elements
  std::vector<Dim> strides;    ///< bytes, of all dimensions but the innermost
  std::vector<int> steps;      ///< between the elements that are copied
  int swizzle = 128;           ///< bytes
  std::vector<int> box;        ///< elements a dimension; empty in im2col mode, where dimensions are channels, spatial ones, images:
  std::vector<Dim> lower;      ///< offset of the first base pixel from the first pixel, one a spatial dimension
  std::vector<Dim> upper;      ///< offset of the last base pixel from the last pixel
  int channels = 0;            ///< copied of a pixel
  int pixels = 0;              ///< copied at once
};

struct KernelPlan {
  std::string kind;                  ///< "conv", "matmul", "loops" ..: for layers.json
  std::string text;                  ///< everything that the code depends on: equal text, equal code
  std::string name;                  ///< of the function
  std::vector<std::string> symbols;  ///< in the order of the ABI
  Dim tasks = 1;                     ///< calls on a CPU, blocks on a GPU
  Dim scratch_bytes = 0;             ///< per worker (CPU)
  Dim flops = 0;
  std::string multiplies;            ///< "f16", "tf32", "i8" ..: what a GPU's contraction multiplies, to know how many it could in a second; else empty
  int packed_operand = -1;           ///< the operand whose constant must go through pack_weights
  int packed_with = -1;              ///< another constant operand that this puts into the same tensor: the kernel is given that for both

  // What the code is made of: one of these, as the back end goes.
  std::function<void(llvm::Module&)> emit;  ///< CPU
  std::string source;                       ///< CUDA C++
  int block_threads = 0;                    ///< CUDA
  int shared_bytes = 0;                     ///< CUDA: dynamic shared memory of a block
  bool overlaps = false;                    ///< CUDA: the kernel itself waits for the kernels before it, so it may be started early
  std::vector<TensorMap> tensor_maps;       ///< CUDA: parameters after the status
  std::optional<LibraryProduct> product;    ///< CUDA: what cuBLASLt computes where it is at hand, instead of the code
};

/// The limit of an alternative that has none.
inline constexpr std::int64_t kAnySize = std::numeric_limits<std::int64_t>::max();

/// One of the kernels that can compute a node.
struct Alternative {
  KernelPlan kernel;
  std::int64_t up_to = kAnySize;  ///< the largest size for which it is taken
};

/// What computes a node: one kernel, or several of which the runtime takes one when shapes are bound, the first that goes up to their size. All read the
/// same operands, packed in the same way.
struct KernelChoice {
  KernelChoice() = default;
  KernelChoice(KernelPlan kernel) { alternatives.push_back({std::move(kernel)}); }  // NOLINT: one kernel is a choice

  Dim size = 0;
  std::vector<Alternative> alternatives;  ///< in ascending order of their limits; the last one has none
};

}  // namespace intaglio
