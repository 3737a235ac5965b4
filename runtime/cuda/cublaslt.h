// cuBLASLt, opened when a plan has products for it: without it the plan's own kernels compute them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "runtime/cuda/driver.h"

namespace intaglio::runtime::cuda {

// Of cublasLt.h what is used here; these types and numbers are part of the library's stable binary interface.
using CublasStatus = int;
using CublasHandle = struct CublasLtContext*;
using CublasOperation = struct CublasLtMatmulDesc*;
using CublasLayout = struct CublasLtMatrixLayout*;
using CublasPreference = struct CublasLtMatmulPreference*;
struct CublasAlgorithm {
  std::uint64_t opaque[8];
};
struct CublasChoice {
  CublasAlgorithm algorithm;
  std::size_t workspace_bytes;
  CublasStatus state;
  float waves;
  int reserved[4];
};

struct CublasLt {
  CublasStatus (*create)(CublasHandle*);
  CublasStatus (*destroy)(CublasHandle);
  CublasStatus (*operation_create)(CublasOperation*, int compute_type, int scale_type);
  CublasStatus (*operation_destroy)(CublasOperation);
  CublasStatus (*operation_set)(CublasOperation, int attribute, const void* value, std::size_t bytes);
  CublasStatus (*layout_create)(CublasLayout*, int dtype, std::uint64_t rows, std::uint64_t columns, std::int64_t leading_dimension);
  CublasStatus (*layout_destroy)(CublasLayout);
  CublasStatus (*layout_set)(CublasLayout, int attribute, const void* value, std::size_t bytes);
  CublasStatus (*preference_create)(CublasPreference*);
  CublasStatus (*preference_destroy)(CublasPreference);
  CublasStatus (*preference_set)(CublasPreference, int attribute, const void* value, std::size_t bytes);
  CublasStatus (*choose)(CublasHandle, CublasOperation, CublasLayout a, CublasLayout b, CublasLayout c, CublasLayout d, CublasPreference, int most,
                         CublasChoice* choices, int* count);
  CublasStatus (*multiply)(CublasHandle, CublasOperation, const void* alpha, CUdeviceptr a, CublasLayout, CUdeviceptr b, CublasLayout,
                           const void* beta, CUdeviceptr c, CublasLayout, CUdeviceptr d, CublasLayout, const CublasAlgorithm*,
                           CUdeviceptr workspace, std::size_t workspace_bytes, CUstream);
};

/// The library, if it is at hand; otherwise null, and `why_not` says what is missing.
const CublasLt* find_cublaslt(std::string& why_not);

/// The library on a device. Shared by all contexts of a model.
class CublasLibrary {
 public:
  /// Of the device whose context is current. Null, with a note on stderr once a process, where the library is missing or does not start.
  static std::unique_ptr<CublasLibrary> open();
  ~CublasLibrary();
  CublasLibrary(const CublasLibrary&) = delete;
  CublasLibrary& operator=(const CublasLibrary&) = delete;
  const CublasLt& functions() const { return functions_; }
  CublasHandle handle() const { return handle_; }

 private:
  CublasLibrary(const CublasLt& functions, CublasHandle handle) : functions_(functions), handle_(handle) {}
  const CublasLt& functions_;
  CublasHandle handle_;
};

}  // namespace intaglio::runtime::cuda
