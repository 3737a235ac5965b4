// Element types and the host tensor that every stage shares: importer, constant folding, reference kernels, tools.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace intaglio {

/// The element type of a tensor. The numbers are those of ONNX's TensorProto.DataType.
enum class DType : std::uint8_t {
  undefined = 0,
  f32 = 1,
  u8 = 2,
  i8 = 3,
  u16 = 4,
  i16 = 5,
  i32 = 6,
  i64 = 7,
  string = 8,
  boolean = 9,
  f16 = 10,
  f64 = 11,
  u32 = 12,
  u64 = 13,
  c64 = 14,
  c128 = 15,
  bf16 = 16,
  f8e4m3fn = 17,
  f8e4m3fnuz = 18,
  f8e5m2 = 19,
  f8e5m2fnuz = 20,
  u4 = 21,
  i4 = 22,
  f4e2m1 = 23,
  f8e8m0 = 24,
  u2 = 25,
  i2 = 26,
};

/// The name used in IR text, messages and manifests: "f32", "bool", "i64" ..
std::string_view dtype_name(DType dtype);
/// The inverse of dtype_name; nothing for an unknown name.
std::optional<DType> parse_dtype(std::string_view name);
/// Storage bits of one element; 0 for string and undefined.
int dtype_bits(DType dtype);
bool is_float(DType dtype);
bool is_signed_integer(DType dtype);
bool is_unsigned_integer(DType dtype);
inline bool is_integer(DType dtype) { return is_signed_integer(dtype) || is_unsigned_integer(dtype); }

/// A concrete shape. The empty shape is a scalar of one element.
using Extents = std::vector<std::int64_t>;

/// Most elements of a tensor: far above any memory, far below where products of extents and bits overflow.
inline constexpr std::int64_t kMostElements = std::int64_t{1} << 48;

/// The product of the extents: 1 for a scalar.
std::int64_t element_count(std::span<const std::int64_t> extents);
/// Strides in elements of a dense row-major tensor.
Extents row_major_strides(std::span<const std::int64_t> extents);

/// A dense row-major tensor in host memory. Copies share the bytes; elements under a byte are packed, low bits first.
class Tensor {
 public:
  Tensor() = default;
  /// Allocates zeroed memory, aligned to 64 bytes; std::bad_alloc for more than any machine has.
  Tensor(DType dtype, Extents shape);
  /// A tensor over memory that `owner` keeps alive.
  Tensor(DType dtype, Extents shape, std::shared_ptr<const void> owner, const void* data);

  /// Builds a tensor from values of the C++ type that matches `dtype` (float for f32, std::int64_t for i64, bool as std::uint8_t ..).
  template <typename T>
  static Tensor of(DType dtype, Extents shape, const std::vector<T>& values);

  DType dtype() const { return dtype_; }
  const Extents& shape() const { return shape_; }
  int rank() const { return static_cast<int>(shape_.size()); }
  std::int64_t elements() const { return element_count(shape_); }
  std::size_t bytes() const { return (static_cast<std::size_t>(elements()) * dtype_bits(dtype_) + 7) / 8; }
  bool defined() const { return dtype_ != DType::undefined; }

  const void* data() const { return data_; }
  /// Writing is for whoever has just allocated the tensor: the bytes are shared by its copies.
  void* mutable_data() { return const_cast<void*>(data_); }
  template <typename T>
  std::span<const T> span() const {
    return {static_cast<const T*>(data_), bytes() / sizeof(T)};
  }
  template <typename T>
  std::span<T> mutable_span() {
    return {static_cast<T*>(mutable_data()), bytes() / sizeof(T)};
  }

  /// The same bytes under another shape with as many elements.
  Tensor reshaped(Extents shape) const;

 private:
  DType dtype_ = DType::undefined;
  Extents shape_;
  std::shared_ptr<const void> owner_;
  const void* data_ = nullptr;
};

template <typename T>
Tensor Tensor::of(DType dtype, Extents shape, const std::vector<T>& values) {
  Tensor tensor(dtype, std::move(shape));
  std::copy(values.begin(), values.end(), tensor.mutable_span<T>().begin());
  return tensor;
}

}  // namespace intaglio
