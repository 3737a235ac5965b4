// See tensor_map.h.

#include "runtime/cuda/tensor_map.h"

#include "intaglio/tensor.h"
#include "runtime/cuda/view_bounds.h"
#include "support/diagnostics.h"

namespace intaglio::runtime::cuda {
namespace {

/// CUtensorMapDataType. Integers of a size are alike: their elements are only moved.
int map_dtype(DType dtype) {
  switch (dtype) {
    case DType::f16: return 6;
    case DType::f32: return 7;
    case DType::f64: return 8;
    case DType::bf16: return 9;
    default: break;
  }
  switch (dtype_bits(dtype)) {
    case 16: return 1;
    case 32: return 2;
    case 64: return 4;
    default: return 0;
  }
}

/// CUtensorMapSwizzle.
int map_swizzle(std::uint32_t bytes) { return bytes == 32 ? 1 : bytes == 64 ? 2 : bytes == 128 ? 3 : 0; }

constexpr int kNoInterleave = 0, kFillZero = 0, kPromoteTo128 = 2;

template <typename T>
std::vector<T> evaluated(const flatbuffers::Vector<flatbuffers::Offset<plan::Dim>>& dims, const Binding& binding) {
  std::vector<T> values;
  for (const auto* dim : dims) values.push_back(static_cast<T>(binding.evaluate(*dim)));
  return values;
}

CUtensorMap encode(const plan::TensorMap& from, CUdeviceptr pointer, std::int64_t bytes, const Binding& binding, const std::string& step_name) {
  const auto refuse = [&](const std::string& what, const std::string& got) {
    throw CompileError(ErrorCode::invalid, Diagnostic{step_name, what, "", got, "compile the model again"});
  };
  const auto dtype = static_cast<DType>(from.dtype());
  const std::int64_t offset = binding.evaluate(*from.offset());
  const auto extents = evaluated<std::int64_t>(*from.extents(), binding), strides = evaluated<std::int64_t>(*from.strides(), binding);
  if (!lies_within(offset, extents, strides, static_cast<std::int64_t>(dtype_bits(dtype) / 8), bytes))
    refuse("a tensor map reaches beyond its buffer", fmt::format("a buffer of {} bytes", bytes));
  const std::vector<std::uint64_t> map_extents(extents.begin(), extents.end()), map_strides(strides.begin(), strides.end());
  const auto rank = static_cast<std::uint32_t>(extents.size());
  const CUdeviceptr base = pointer + static_cast<CUdeviceptr>(offset);
  CUtensorMap map;
  CUresult result = 0;
  if (from.box()) {
    result = driver().encode_tiled(&map, map_dtype(dtype), rank, base, map_extents.data(), map_strides.data(), from.box()->data(), from.steps()->data(),
                                   kNoInterleave, map_swizzle(from.swizzle()), kPromoteTo128, kFillZero);
  } else {
    const auto lower = evaluated<int>(*from.lower(), binding), upper = evaluated<int>(*from.upper(), binding);
    result = driver().encode_im2col(&map, map_dtype(dtype), rank, base, map_extents.data(), map_strides.data(), lower.data(), upper.data(),
                                    from.channels(), from.pixels(), from.steps()->data(), kNoInterleave, map_swizzle(from.swizzle()), kPromoteTo128,
                                    kFillZero);
  }
  if (result != 0) refuse("the driver does not accept a tensor map", fmt::format("error {}", result));
  return map;
}

}  // namespace

std::vector<CUtensorMap> encode_maps(const plan::Step& from, const plan::Alternative& chosen, const std::vector<CUdeviceptr>& pointers, const Binding& binding,
                                     std::uint32_t step) {
  std::vector<CUtensorMap> maps;
  const auto* described = binding.plan().kernels()->Get(chosen.kernel())->tensor_maps();
  if (!described) return maps;
  for (const auto* map : *described) {
    const std::int64_t bytes = binding.buffer_bytes(from.buffers()->Get(map->buffer()));
    maps.push_back(encode(*map, pointers[map->buffer()], bytes, binding, binding.model().step_name(step)));
  }
  return maps;
}

}  // namespace intaglio::runtime::cuda
