// See cublas_product.h. The library thinks in columns: a matrix of rows is to it the transposed one, so it is asked for d' = b' a'.

#include "runtime/cuda/cublas_product.h"

#include <algorithm>
#include <limits>

#include "intaglio/tensor.h"
#include "runtime/cuda/view_bounds.h"
#include "support/diagnostics.h"

namespace intaglio::runtime::cuda {
namespace {

// Of cublasLt.h and library_types.h.
enum : int {
  kOperationTransposeA = 3,  // cublasLtMatmulDescAttributes_t
  kOperationTransposeB = 4,
  kOperationEpilogue = 7,
  kOperationBiasPointer = 8,
  kOperationBiasType = 26,
  kLayoutBatchCount = 5,  // cublasLtMatrixLayoutAttribute_t
  kLayoutBatchStride = 6,
  kPreferenceWorkspaceBytes = 1,  // cublasLtMatmulPreferenceAttributes_t
  kPreferenceReductions = 3,
  kPreferenceAlignmentA = 5,
  kPreferenceAlignmentB = 6,
  kPreferenceAlignmentC = 7,
  kPreferenceAlignmentD = 8,
  kEpilogueDefault = 1,  // cublasLtEpilogue_t
  kEpilogueRelu = 2,
  kEpilogueBias = 4,
  kComputeF32 = 68,  // cublasComputeType_t
  kComputeTf32 = 77,
};
/// Parts of a sum meet in the workspace, in f32 and in one order: equal input, equal bits.
constexpr std::uint32_t kReductionInWorkspace = 2;

/// cudaDataType_t.
int library_dtype(DType dtype) { return dtype == DType::f16 ? 2 : dtype == DType::bf16 ? 14 : 0; }

/// The alignment that the library may rely on, of at most what it would assume.
std::uint32_t alignment(CUdeviceptr pointer) {
  constexpr CUdeviceptr kMost = 256;
  return static_cast<std::uint32_t>(std::min(kMost, pointer & (~pointer + 1)));
}

/// True where the library took what it was told.
bool accepted(CublasStatus status) { return status == 0; }

}  // namespace

/// Describes one product; every function is false where the library does not take it.
class CublasDescriber {
 public:
  CublasDescriber(const plan::Product& from, const plan::Step& step, const Binding& binding, const std::vector<CUdeviceptr>& pointers, const std::string& step_name)
      : from_(from), step_(step), binding_(binding), pointers_(pointers), step_name_(step_name) {
    count_ = binding.evaluate(*from.count());
    rows_ = binding.evaluate(*from.rows());
    columns_ = binding.evaluate(*from.columns());
    sum_ = binding.evaluate(*from.sum());
  }

  bool describe(CublasProduct& product) const {
    constexpr std::int64_t kMostProducts = std::numeric_limits<std::int32_t>::max();
    if (count_ <= 0 || rows_ <= 0 || columns_ <= 0 || sum_ <= 0 || count_ > kMostProducts) return false;
    const CublasLt& lt = product.library_.functions();
    product.alpha_ = from_.alpha();
    product.beta_ = from_.c() ? 1 : 0;
    if (!operand(lt, *from_.a(), rows_, sum_, product.a_) || !operand(lt, *from_.b(), sum_, columns_, product.b_) ||
        !operand(lt, *from_.d(), rows_, columns_, product.d_) || !operand(lt, from_.c() ? *from_.c() : *from_.d(), rows_, columns_, product.c_))
      return false;
    return operation(lt, product) && choose(lt, product);
  }

 private:
  CUdeviceptr checked(const plan::Matrix& matrix, std::int64_t lines, std::int64_t length, std::int64_t line, std::int64_t next) const {
    const std::int64_t element = dtype_bits(static_cast<DType>(matrix.dtype())) / 8, bytes = binding_.buffer_bytes(step_.buffers()->Get(matrix.buffer()));
    const std::int64_t offset = binding_.evaluate(*matrix.offset());
    const bool in_range = line >= 0 && line <= bytes && next >= 0 && next <= bytes;
    if (!in_range || offset % element != 0 || !lies_within(offset, {length, lines, count_}, {line * element, next * element}, element, bytes)) {
      throw CompileError(ErrorCode::invalid, Diagnostic{step_name_, "a matrix of a product reaches beyond its buffer", "", fmt::format("a buffer of {} bytes", bytes),
                                                        "compile the model again"});
    }
    return pointers_[matrix.buffer()] + static_cast<CUdeviceptr>(offset);
  }

  bool operand(const CublasLt& lt, const plan::Matrix& matrix, std::int64_t rows, std::int64_t columns, CublasProduct::Operand& into) const {
    const std::int64_t lines = matrix.transposed() ? columns : rows, length = matrix.transposed() ? rows : columns;
    const std::int64_t line = binding_.evaluate(*matrix.line()), next = binding_.evaluate(*matrix.next());
    into.data = checked(matrix, lines, length, line, next);
    const auto count = static_cast<std::int32_t>(count_);
    return accepted(lt.layout_create(&into.layout, library_dtype(static_cast<DType>(matrix.dtype())), static_cast<std::uint64_t>(length),
                                     static_cast<std::uint64_t>(lines), line)) &&
           accepted(lt.layout_set(into.layout, kLayoutBatchCount, &count, sizeof count)) && accepted(lt.layout_set(into.layout, kLayoutBatchStride, &next, sizeof next));
  }

  bool operation(const CublasLt& lt, CublasProduct& product) const {
    if (!accepted(lt.operation_create(&product.operation_, from_.tf32() ? kComputeTf32 : kComputeF32, library_dtype(DType::f32)))) return false;
    const auto set = [&](int attribute, auto value) { return accepted(lt.operation_set(product.operation_, attribute, &value, sizeof value)); };
    const auto epilogue = static_cast<std::uint32_t>((from_.relu() ? kEpilogueRelu : 0) | (from_.bias() ? kEpilogueBias : 0));
    // The factors change places, and their transpositions with them.
    if (!set(kOperationTransposeA, static_cast<std::int32_t>(from_.b()->transposed())) || !set(kOperationTransposeB, static_cast<std::int32_t>(from_.a()->transposed())) ||
        !set(kOperationEpilogue, epilogue ? epilogue : std::uint32_t{kEpilogueDefault}))
      return false;
    if (!from_.bias()) return true;
    const plan::Matrix& bias = *from_.bias();
    return set(kOperationBiasPointer, checked(bias, 1, columns_, 0, 0)) &&
           set(kOperationBiasType, static_cast<std::int32_t>(library_dtype(static_cast<DType>(bias.dtype()))));
  }

  static bool choose(const CublasLt& lt, CublasProduct& product) {
    CublasPreference preference = nullptr;
    if (!accepted(lt.preference_create(&preference))) return false;
    const auto set = [&](int attribute, auto value) { return accepted(lt.preference_set(preference, attribute, &value, sizeof value)); };
    CublasChoice choice = {};
    int found = 0;
    const bool chosen = set(kPreferenceWorkspaceBytes, product.workspace_.bytes) && set(kPreferenceReductions, kReductionInWorkspace) &&
                        set(kPreferenceAlignmentA, alignment(product.b_.data)) && set(kPreferenceAlignmentB, alignment(product.a_.data)) &&
                        set(kPreferenceAlignmentC, alignment(product.c_.data)) && set(kPreferenceAlignmentD, alignment(product.d_.data)) &&
                        accepted(lt.choose(product.library_.handle(), product.operation_, product.b_.layout, product.a_.layout, product.c_.layout, product.d_.layout,
                                           preference, 1, &choice, &found));
    lt.preference_destroy(preference);
    if (!chosen || found < 1 || !accepted(choice.state) || choice.workspace_bytes > product.workspace_.bytes) return false;
    product.algorithm_ = choice.algorithm;
    return true;
  }

  const plan::Product& from_;
  const plan::Step& step_;
  const Binding& binding_;
  const std::vector<CUdeviceptr>& pointers_;
  const std::string& step_name_;
  std::int64_t count_, rows_, columns_, sum_;
};

std::unique_ptr<CublasProduct> CublasProduct::prepare(const CublasLibrary& library, const plan::Product& from, const plan::Step& step, const Binding& binding,
                                                      const std::vector<CUdeviceptr>& pointers, const CublasWorkspace& workspace, const std::string& step_name) {
  std::unique_ptr<CublasProduct> product(new CublasProduct(library));
  product->workspace_ = workspace;
  if (!CublasDescriber(from, step, binding, pointers, step_name).describe(*product)) return nullptr;
  return product;
}

CublasProduct::~CublasProduct() {
  const CublasLt& lt = library_.functions();
  for (const Operand* operand : {&a_, &b_, &c_, &d_}) {
    if (operand->layout) lt.layout_destroy(operand->layout);
  }
  if (operation_) lt.operation_destroy(operation_);
}

CublasStatus CublasProduct::start(CUstream stream) const {
  return library_.functions().multiply(library_.handle(), operation_, &alpha_, b_.data, b_.layout, a_.data, a_.layout, &beta_, c_.data, c_.layout, d_.data, d_.layout,
                                       &algorithm_, workspace_.data, workspace_.bytes, stream);
}

}  // namespace intaglio::runtime::cuda
