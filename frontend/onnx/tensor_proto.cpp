// Tensor data: raw bytes are shared as they are, typed fields are narrowed to the element type.
#include "frontend/onnx/tensor_proto.h"

#include <bit>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include <fmt/format.h>

#include "support/diagnostics.h"

namespace intaglio {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian and is used as it is");

[[noreturn]] void refuse(std::string message, std::string expected = {}, std::string got = {}, std::string help = {}) {
  throw CompileError(ErrorCode::invalid, Diagnostic{"", std::move(message), std::move(expected), std::move(got), std::move(help)});
}

/// The extents, checked to be those of a tensor that fits into memory.
Extents import_extents(const onnx::TensorProto& proto) {
  Extents extents(proto.dims().begin(), proto.dims().end());
  std::int64_t elements = 1;
  for (const std::int64_t extent : extents) {
    if (extent < 0) refuse("the tensor has a negative dimension", "dimensions of 0 or more", fmt::format("{}", extent));
    if (__builtin_mul_overflow(elements, extent, &elements) || elements > kMostElements) {
      refuse("the tensor's dimensions are too large", fmt::format("at most {} elements", kMostElements), fmt::format("[{}]", fmt::join(extents, ",")));
    }
  }
  return extents;
}

std::size_t bytes_of(DType dtype, const Extents& extents) { return (static_cast<std::size_t>(element_count(extents)) * dtype_bits(dtype) + 7) / 8; }

Tensor from_raw_data(DType dtype, Extents extents, std::string bytes) {
  const std::size_t expected = bytes_of(dtype, extents);
  if (bytes.size() != expected) {
    refuse("the tensor's data does not have the size of its dimensions",
           fmt::format("{} bytes for {}[{}]", expected, dtype_name(dtype), fmt::join(extents, ",")), fmt::format("{} bytes", bytes.size()));
  }
  auto owner = std::make_shared<std::string>(std::move(bytes));
  // A short string lives inside its object, and may be less aligned than the elements.
  if (reinterpret_cast<std::uintptr_t>(owner->data()) % 16 == 0) return {dtype, std::move(extents), owner, owner->data()};
  Tensor tensor(dtype, std::move(extents));
  if (expected > 0) std::memcpy(tensor.mutable_data(), owner->data(), expected);
  return tensor;
}

/// Copies a typed field whose entries are wide enough for one element each, narrowing them to `Element`.
template <typename Element, typename Field>
Tensor from_field(DType dtype, Extents extents, const Field& field, std::string_view field_name) {
  // Elements under a byte are packed: as many entries as bytes.
  const std::size_t entries = bytes_of(dtype, extents) / sizeof(Element);
  if (static_cast<std::size_t>(field.size()) != entries) {
    refuse(fmt::format("the tensor's '{}' does not have as many entries as its dimensions say", field_name),
           fmt::format("{} entries for {}[{}]", entries, dtype_name(dtype), fmt::join(extents, ",")), fmt::format("{} entries", field.size()));
  }
  // Only now: a few bytes of a damaged model may name any dimensions.
  Tensor tensor(dtype, std::move(extents));
  const std::span<Element> elements = tensor.mutable_span<Element>();
  for (std::size_t i = 0; i < entries; ++i) elements[i] = static_cast<Element>(field.Get(static_cast<int>(i)));
  return tensor;
}

/// The typed field that each element type is stored in (onnx.proto, TensorProto).
Tensor from_typed_field(DType dtype, Extents extents, const onnx::TensorProto& proto) {
  switch (dtype) {
    case DType::f32:
      return from_field<float>(dtype, std::move(extents), proto.float_data(), "float_data");
    case DType::f64:
      return from_field<double>(dtype, std::move(extents), proto.double_data(), "double_data");
    case DType::i64:
      return from_field<std::int64_t>(dtype, std::move(extents), proto.int64_data(), "int64_data");
    case DType::u64:
      return from_field<std::uint64_t>(dtype, std::move(extents), proto.uint64_data(), "uint64_data");
    case DType::u32:
      return from_field<std::uint32_t>(dtype, std::move(extents), proto.uint64_data(), "uint64_data");
    case DType::i32:
      return from_field<std::int32_t>(dtype, std::move(extents), proto.int32_data(), "int32_data");
    case DType::i16:
    case DType::u16:
    case DType::f16:
    case DType::bf16:
      return from_field<std::uint16_t>(dtype, std::move(extents), proto.int32_data(), "int32_data");
    default:  // one byte, or several elements in one
      return from_field<std::uint8_t>(dtype, std::move(extents), proto.int32_data(), "int32_data");
  }
}

bool has_typed_data(const onnx::TensorProto& proto) {
  return proto.float_data_size() > 0 || proto.int32_data_size() > 0 || proto.int64_data_size() > 0 || proto.double_data_size() > 0 ||
         proto.uint64_data_size() > 0;
}

template <typename To, typename From>
std::vector<To> converted(const Tensor& tensor) {
  const std::span<const From> elements = tensor.span<From>();
  return {elements.begin(), elements.end()};
}

}  // namespace

DType import_dtype(std::int64_t onnx_type) {
  if (onnx_type == onnx::TensorProto::UNDEFINED) refuse("the element type is missing");
  if (onnx_type < 0 || onnx_type > static_cast<std::int64_t>(DType::i2)) {
    refuse("unknown element type", "a number of TensorProto.DataType", fmt::format("{}", onnx_type));
  }
  const auto dtype = static_cast<DType>(onnx_type);
  if (dtype == DType::string || dtype == DType::c64 || dtype == DType::c128) {
    refuse(fmt::format("tensors of {} are not supported yet", dtype == DType::string ? "strings" : "complex numbers"));
  }
  return dtype;
}

Tensor import_tensor(onnx::TensorProto& proto) {
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) {
    std::string location;
    for (const onnx::StringStringEntryProto& entry : proto.external_data()) {
      if (entry.key() == "location") location = entry.value();
    }
    refuse(fmt::format("the tensor's data is in another file, '{}': external data is not supported yet", location), {}, {},
           "save the model as one file: onnx.save(onnx.load(path), path, save_as_external_data=False)");
  }
  if (proto.has_segment()) refuse("a tensor in segments is not supported yet");
  const DType dtype = import_dtype(proto.data_type());
  Extents extents = import_extents(proto);
  if (proto.has_raw_data()) {
    if (has_typed_data(proto)) refuse("the tensor holds its data twice, as raw bytes and in a typed field");
    return from_raw_data(dtype, std::move(extents), std::move(*proto.mutable_raw_data()));
  }
  return from_typed_field(dtype, std::move(extents), proto);
}

std::optional<std::vector<std::int64_t>> integer_elements(const Tensor& tensor) {
  switch (tensor.dtype()) {
    case DType::i64:
      return converted<std::int64_t, std::int64_t>(tensor);
    case DType::i32:
      return converted<std::int64_t, std::int32_t>(tensor);
    case DType::i16:
      return converted<std::int64_t, std::int16_t>(tensor);
    case DType::i8:
      return converted<std::int64_t, std::int8_t>(tensor);
    case DType::u32:
      return converted<std::int64_t, std::uint32_t>(tensor);
    case DType::u16:
      return converted<std::int64_t, std::uint16_t>(tensor);
    case DType::u8:
    case DType::boolean:
      return converted<std::int64_t, std::uint8_t>(tensor);
    default:
      return std::nullopt;
  }
}

std::optional<std::vector<double>> real_elements(const Tensor& tensor) {
  if (tensor.dtype() == DType::f32) return converted<double, float>(tensor);
  if (tensor.dtype() == DType::f64) return converted<double, double>(tensor);
  const std::optional<std::vector<std::int64_t>> integers = integer_elements(tensor);
  if (!integers) return std::nullopt;
  return std::vector<double>(integers->begin(), integers->end());
}

}  // namespace intaglio
