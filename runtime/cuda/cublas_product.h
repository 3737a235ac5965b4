// A matrix product of a plan as cuBLASLt computes it: described to the library when shapes are bound, with the algorithm that its heuristic likes best.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/binding.h"
#include "runtime/cuda/cublaslt.h"

namespace intaglio::runtime::cuda {

/// What the library may use meanwhile.
struct CublasWorkspace {
  CUdeviceptr data = 0;
  std::size_t bytes = 0;
};

class CublasProduct {
 public:
  /// `from` is a product of `step`'s kernel, `pointers` are the step's buffers. Null where the library has no algorithm for these shapes.
  /// CompileError (invalid) if a matrix reaches beyond its buffer.
  static std::unique_ptr<CublasProduct> prepare(const CublasLibrary& library, const plan::Product& from, const plan::Step& step, const Binding& binding,
                                                const std::vector<CUdeviceptr>& pointers, const CublasWorkspace& workspace, const std::string& step_name);
  ~CublasProduct();
  CublasProduct(const CublasProduct&) = delete;
  CublasProduct& operator=(const CublasProduct&) = delete;

  CublasStatus start(CUstream stream) const;

 private:
  explicit CublasProduct(const CublasLibrary& library) : library_(library) {}
  friend class CublasDescriber;

  struct Operand {
    CUdeviceptr data = 0;
    CublasLayout layout = nullptr;
  };
  const CublasLibrary& library_;
  CublasOperation operation_ = nullptr;
  Operand a_, b_, c_, d_;
  float alpha_ = 1, beta_ = 0;
  CublasAlgorithm algorithm_ = {};
  CublasWorkspace workspace_;
};

}  // namespace intaglio::runtime::cuda
