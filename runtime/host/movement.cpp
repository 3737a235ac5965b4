// Reference kernels that move elements without looking at them, and those that choose or number them.
#include <algorithm>

#include "runtime/host/host.h"
#include "runtime/host/walk.h"
#include "support/diagnostics.h"

namespace intaglio::host {
namespace {

/// Elements that are whole bytes.
template <typename T>
struct WholeAccess {
  T get(const void* data, std::int64_t i) const { return static_cast<const T*>(data)[i]; }
  void set(void* data, std::int64_t i, T value) const { static_cast<T*>(data)[i] = value; }
};

/// Elements of 2 or 4 bits, low bits first.
struct PackedAccess {
  int bits;
  std::uint8_t get(const void* data, std::int64_t i) const {
    const int per_byte = 8 / bits;
    return static_cast<const std::uint8_t*>(data)[i / per_byte] >> (i % per_byte * bits) & ((1 << bits) - 1);
  }
  void set(void* data, std::int64_t i, std::uint8_t value) const {
    const int per_byte = 8 / bits;
    const int shift = static_cast<int>(i % per_byte) * bits;
    std::uint8_t& byte = static_cast<std::uint8_t*>(data)[i / per_byte];
    byte = static_cast<std::uint8_t>((byte & ~(((1 << bits) - 1) << shift)) | value << shift);
  }
};

/// Calls `f` with the access to elements of `dtype`'s size.
template <typename F>
void with_access(DType dtype, F f) {
  switch (const int bits = dtype_bits(dtype)) {
    case 2:
    case 4:
      return f(PackedAccess{bits});
    case 8:
      return f(WholeAccess<std::uint8_t>{});
    case 16:
      return f(WholeAccess<std::uint16_t>{});
    case 32:
      return f(WholeAccess<std::uint32_t>{});
    case 64:
      return f(WholeAccess<std::uint64_t>{});
    case 128:
      return f(WholeAccess<std::array<std::uint64_t, 2>>{});
    default:
      internal_check(false, "{} is not stored in tensors", dtype_name(dtype));
  }
}

/// Copies the elements that `from_strides` name in `from` to those that `to_strides` name in `to`, for all indices of `extents`.
void copy_elements(const Extents& extents, const Tensor& from, const Extents& from_strides, std::int64_t from_offset, Tensor& to,
                   const Extents& to_strides, std::int64_t to_offset) {
  const void* source = from.data();
  void* target = to.mutable_data();
  with_access(from.dtype(), [&](auto access) {
    walk<2>(extents, {from_strides, to_strides}, {from_offset, to_offset},
            [&](const auto& at) { access.set(target, at[1], access.get(source, at[0])); });
  });
}

/// The dense tensor of shape `shape` whose elements lie in `x` with these strides.
Tensor gathered_view(const Tensor& x, const Extents& shape, const Extents& strides, std::int64_t offset) {
  Tensor result(x.dtype(), shape);
  copy_elements(shape, x, strides, offset, result, row_major_strides(shape), 0);
  return result;
}

/// Where each element of a padded axis comes from; -1: nowhere.
std::vector<std::int64_t> pad_sources(std::int64_t extent, std::int64_t begin, std::int64_t end, std::string_view mode) {
  std::vector<std::int64_t> sources;
  for (std::int64_t i = -begin; i < extent + end; ++i) {
    std::int64_t source = i;
    if (mode == "edge") source = std::clamp<std::int64_t>(i, 0, extent - 1);
    if (mode == "reflect") source = i < 0 ? -i : i >= extent ? 2 * (extent - 1) - i : i;
    sources.push_back(source >= 0 && source < extent ? source : -1);
  }
  return sources;
}

/// The index tensor's elements as positions in an axis of `extent`.
std::vector<std::int64_t> positions(const Tensor& indices, std::int64_t extent) {
  std::vector<std::int64_t> result;
  if (indices.dtype() == DType::i64) {
    result.assign(indices.span<std::int64_t>().begin(), indices.span<std::int64_t>().end());
  } else {
    result.assign(indices.span<std::int32_t>().begin(), indices.span<std::int32_t>().end());
  }
  for (std::int64_t& index : result) {
    if (index < -extent || index >= extent) {
      throw CompileError(
          ErrorCode::invalid,
          {{}, "an index of gather is out of range", fmt::format("{} <= index < {}", -extent, extent), fmt::format("{}", index)});
    }
    if (index < 0) index += extent;
  }
  return result;
}

}  // namespace

Tensor transpose(const Tensor& x, const std::vector<std::int64_t>& perm) {
  const Extents from = row_major_strides(x.shape());
  Extents shape, strides;
  for (std::int64_t axis : perm) {
    shape.push_back(x.shape()[axis]);
    strides.push_back(from[axis]);
  }
  return gathered_view(x, shape, strides, 0);
}

Tensor expand(const Tensor& x, const Extents& shape) { return gathered_view(x, shape, broadcast_strides(x.shape(), shape), 0); }

Tensor slice(const Tensor& x, const Extents& starts, const Extents& sizes, const std::vector<std::int64_t>& steps) {
  Extents strides = row_major_strides(x.shape());
  std::int64_t offset = 0;
  for (std::size_t d = 0; d < strides.size(); ++d) {
    offset += starts[d] * strides[d];
    strides[d] *= steps[d];
  }
  return gathered_view(x, sizes, strides, offset);
}

Tensor concat(const std::vector<Tensor>& pieces, int axis) {
  Extents shape = pieces[0].shape();
  shape[axis] = 0;
  for (const Tensor& piece : pieces) shape[axis] += piece.shape()[axis];
  Tensor result(pieces[0].dtype(), shape);
  const Extents strides = row_major_strides(shape);
  std::int64_t begin = 0;
  for (const Tensor& piece : pieces) {
    copy_elements(piece.shape(), piece, row_major_strides(piece.shape()), 0, result, strides, begin * strides[axis]);
    begin += piece.shape()[axis];
  }
  return result;
}

Tensor gather(const Tensor& x, const Tensor& indices, int axis) {
  const std::int64_t extent = x.shape()[axis];
  const std::int64_t outer = count_between(x.shape(), 0, axis);
  const std::int64_t inner = count_between(x.shape(), axis + 1, x.shape().size());
  Extents shape(x.shape().begin(), x.shape().begin() + axis);
  shape.insert(shape.end(), indices.shape().begin(), indices.shape().end());
  shape.insert(shape.end(), x.shape().begin() + axis + 1, x.shape().end());
  Tensor result(x.dtype(), shape);
  const auto rows = positions(indices, extent);
  std::int64_t to = 0;
  for (std::int64_t o = 0; o < outer; ++o) {
    for (std::int64_t row : rows) {
      copy_elements({inner}, x, {1}, (o * extent + row) * inner, result, {1}, to);
      to += inner;
    }
  }
  return result;
}

Tensor gather_elements(const Tensor& x, const Tensor& indices, int axis) {
  Tensor result(x.dtype(), indices.shape());
  const auto rows = positions(indices, x.shape()[axis]);
  const std::int64_t axis_stride = row_major_strides(x.shape())[axis];
  Extents strides = row_major_strides(x.shape());
  strides[axis] = 0;  // what the index decides
  const void* source = x.data();
  void* target = result.mutable_data();
  with_access(x.dtype(), [&](auto access) {
    walk<2>(indices.shape(), {strides, row_major_strides(indices.shape())},
            [&](const auto& at) { access.set(target, at[1], access.get(source, at[0] + rows[at[1]] * axis_stride)); });
  });
  return result;
}

Tensor pad(const Tensor& x, const Tensor& value, const Extents& begins, const Extents& ends, std::string_view mode) {
  const Extents from_strides = row_major_strides(x.shape());
  Extents shape;
  std::vector<std::vector<std::int64_t>> sources;
  for (std::size_t d = 0; d < x.shape().size(); ++d) {
    sources.push_back(pad_sources(x.shape()[d], begins[d], ends[d], mode));
    shape.push_back(static_cast<std::int64_t>(sources[d].size()));
  }
  Tensor result(x.dtype(), shape);
  const Extents strides = row_major_strides(shape);
  void* target = result.mutable_data();
  with_access(x.dtype(), [&](auto access) {
    const auto fill = value.defined() ? access.get(value.data(), 0) : decltype(access.get(nullptr, 0)){};
    for (std::int64_t i = 0; i < result.elements(); ++i) {
      std::int64_t from = 0;
      bool inside = true;
      for (std::size_t d = 0; d < shape.size(); ++d) {
        const std::int64_t source = sources[d][i / strides[d] % shape[d]];
        inside = inside && source >= 0;
        from += source * from_strides[d];
      }
      access.set(target, i, inside ? access.get(x.data(), from) : fill);
    }
  });
  return result;
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  const Extents shape = broadcast_shape(condition.shape(), broadcast_shape(a.shape(), b.shape()));
  Tensor result(a.dtype(), shape);
  const auto choices = condition.span<std::uint8_t>();
  const auto strides = [&](const Tensor& operand) { return broadcast_strides(operand.shape(), shape); };
  with_access(a.dtype(), [&](auto access) {
    std::int64_t i = 0;
    walk<3>(shape, {strides(condition), strides(a), strides(b)}, [&](const auto& at) {
      access.set(result.mutable_data(), i++, choices[at[0]] ? access.get(a.data(), at[1]) : access.get(b.data(), at[2]));
    });
  });
  return result;
}

Tensor iota(const Extents& shape, int axis, DType dtype) {
  const std::int64_t inner = count_between(shape, axis + 1, shape.size());
  std::vector<std::int64_t> values(static_cast<std::size_t>(element_count(shape)));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int64_t>(i) / inner % shape[axis];
  return cast(Tensor::of<std::int64_t>(DType::i64, shape, values), dtype);
}

}  // namespace intaglio::host
