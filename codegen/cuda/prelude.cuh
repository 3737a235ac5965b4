// What generated kernels stand on: the operators of kernel IR where C++'s own mean something else, folds over a block.
// NVRTC compiles it in front of every kernel, after prelude_asm.cuh and with no other header.

// 8-bit floats are storage: arithmetic is in float.
struct float8_e4m3 {
  uint8 bits;
};
struct float8_e5m2 {
  uint8 bits;
};

// The status of artifact.h: written by the first thread that fails.
struct Status {
  int32 code;
  int32 reserved;
  int64 value;
  int64 low;
  int64 high;
};

namespace op {

// 8-bit floats round to nearest even and saturate.
#if __CUDA_ARCH__ >= 890
__device__ __forceinline__ float to_float(float8_e4m3 x) { return to_float(float16{uint16(ptx::e4m3x2_to_f16x2(x.bits))}); }
__device__ __forceinline__ float to_float(float8_e5m2 x) { return to_float(float16{uint16(ptx::e5m2x2_to_f16x2(x.bits))}); }
__device__ __forceinline__ float8_e4m3 to_float8_e4m3(float x) { return {uint8(ptx::to_e4m3x2(0.0f, x))}; }
__device__ __forceinline__ float8_e5m2 to_float8_e5m2(float x) { return {uint8(ptx::to_e5m2x2(0.0f, x))}; }
#else
// f32's exponent is kRebias higher, and its mantissa kDropped bits longer.
template <int kDropped, uint32 kRebias>
__device__ __forceinline__ float decoded_float8(uint32 bits) {
  return __uint_as_float((bits & 0x7f) << kDropped) * __uint_as_float((127 + kRebias) << 23);
}
template <int kDropped, uint32 kRebias>
__device__ __forceinline__ uint8 encoded_float8(float x, uint32 largest) {
  const uint32 bits = __float_as_uint(x), magnitude = bits & 0x7fffffff;
  if (x != x) return 0x7f;
  uint32 result = (magnitude - (kRebias << 23) + (magnitude >> kDropped & 1) + (1u << (kDropped - 1)) - 1) >> kDropped;
  if (magnitude < (kRebias + 1) << 23) {
    // Below the normal numbers the last place is always worth the same: that of this number.
    const uint32 place = (kRebias + 1 + kDropped) << 23;
    result = __float_as_uint(__uint_as_float(magnitude) + __uint_as_float(place)) - place;
  }
  return uint8(result < largest ? result : largest) | uint8(bits >> 24 & 0x80);
}
__device__ __forceinline__ float to_float(float8_e4m3 x) {
  const float magnitude = (x.bits & 0x7f) == 0x7f ? __uint_as_float(0x7fc00000) : decoded_float8<20, 120>(x.bits);
  return x.bits & 0x80 ? -magnitude : magnitude;
}
__device__ __forceinline__ float to_float(float8_e5m2 x) {
  const uint32 not_finite = (x.bits & 0x7f) == 0x7c ? 0x7f800000 : 0x7fc00000;
  const float magnitude = (x.bits & 0x7f) >= 0x7c ? __uint_as_float(not_finite) : decoded_float8<21, 112>(x.bits);
  return x.bits & 0x80 ? -magnitude : magnitude;
}
__device__ __forceinline__ float8_e4m3 to_float8_e4m3(float x) { return {encoded_float8<20, 120>(x, 0x7e)}; }
__device__ __forceinline__ float8_e5m2 to_float8_e5m2(float x) { return {encoded_float8<21, 112>(x, 0x7b)}; }
#endif

// Element i of 4-bit integers, two a byte, the lower half first.
__device__ __forceinline__ int8 int4_at(const int8* pairs, int64 i) { return int8(pairs[i >> 1] << (i & 1 ? 0 : 4)) >> 4; }
__device__ __forceinline__ uint8 uint4_at(const uint8* pairs, int64 i) { return pairs[i >> 1] >> (i & 1 ? 4 : 0) & 15; }

template <typename T>
struct Limits;
template <>
struct Limits<int8> {
  static constexpr int64 low = -128, high = 127;
};
template <>
struct Limits<int16> {
  static constexpr int64 low = -32768, high = 32767;
};
template <>
struct Limits<int32> {
  static constexpr int64 low = -2147483648LL, high = 2147483647LL;
};
template <>
struct Limits<int64> {
  static constexpr int64 low = -9223372036854775807LL - 1, high = 9223372036854775807LL;
};
template <>
struct Limits<uint8> {
  static constexpr uint64 low = 0, high = 255;
};
template <>
struct Limits<uint16> {
  static constexpr uint64 low = 0, high = 65535;
};
template <>
struct Limits<uint32> {
  static constexpr uint64 low = 0, high = 4294967295ULL;
};
template <>
struct Limits<uint64> {
  static constexpr uint64 low = 0, high = 18446744073709551615ULL;
};

// Float to integer saturates, NaN becomes 0.
template <typename T, typename F>
__device__ __forceinline__ T saturated(F x) {
  if (x != x) return 0;
  if (x <= F(Limits<T>::low)) return T(Limits<T>::low);
  if (x >= F(Limits<T>::high)) return T(Limits<T>::high);
  return T(x);
}

// An integer of at most 22 bits as a float: it becomes the last bits of 1.5 * 2^23, since conversions pass through a unit that has a quarter of the lanes.
__device__ __forceinline__ float small_to_float(int32 x) { return __uint_as_float(0x4b400000u + uint32(x)) - 12582912.0f; }

// x / by, rounded as a division is, for quotients that 8 bits hold; larger ones nearly. `inverse` is 1 / by, rounded.
__device__ __forceinline__ float quotient(float x, float by, float inverse) {
  const float q = x * inverse, corrected = fmaf(fmaf(-q, by, x), inverse, q);
  return fabsf(q) < 1e6f ? corrected : q;
}

// round(x) + zero in 8 bits, halves to even, saturated, NaN as 0; `zero` is an integer. Between the bounds the sum with 1.5 * 2^23 ends in the rounded integer.
template <typename T>
__device__ __forceinline__ T quantized(float x, float zero) {
  if constexpr (Limits<T>::low < 0) x = x != x ? -zero : x;
  const float bounded = fminf(fmaxf(x, float(Limits<T>::low) - zero), float(Limits<T>::high) - zero);
  return T(__float_as_uint(bounded + 12582912.0f) + uint32(int32(zero)));
}

// Division towards zero: x / 0 = 0, and the least value over -1 wraps. The remainder of a division by 0 is 0.
template <typename T>
__device__ __forceinline__ T divide(T a, T b) {
  if (b == 0) return 0;
  if (T(-1) < T(0) && b == T(-1)) return T(0 - uint64(a));
  return a / b;
}
template <typename T>
__device__ __forceinline__ T remainder(T a, T b) {
  return b == 0 || (T(-1) < T(0) && b == T(-1)) ? T(0) : T(a % b);
}
__device__ __forceinline__ float remainder(float a, float b) { return fmodf(a, b); }
__device__ __forceinline__ double remainder(double a, double b) { return fmod(a, b); }
// The remainder with the divisor's sign.
template <typename T>
__device__ __forceinline__ T modulo(T a, T b) {
  const T rest = remainder(a, b);
  return rest != T(0) && (rest < T(0)) != (b < T(0)) ? T(rest + b) : rest;
}

// NaN in, NaN out.
template <typename T>
__device__ __forceinline__ T minimum(T a, T b) {
  return a != a ? a : b != b ? b : a < b ? a : b;
}
template <typename T>
__device__ __forceinline__ T maximum(T a, T b) {
  return a != a ? a : b != b ? b : a > b ? a : b;
}
template <typename To, typename From>
__device__ __forceinline__ To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  union {
    From from;
    To to;
  } both = {from};
  return both.to;
}

// `count` consecutive elements in accesses of `bytes` bytes each; the address is a multiple of `bytes`.
template <int bytes>
struct Word;
template <>
struct Word<16> {
  using Type = uint4;
};
template <>
struct Word<8> {
  using Type = uint2;
};
template <>
struct Word<4> {
  using Type = uint32;
};
template <>
struct Word<2> {
  using Type = uint16;
};
template <int bytes, typename T>
union Packed {
  typename Word<bytes>::Type word;
  T lane[bytes / sizeof(T)];
};
template <int bytes, typename T, int count>
__device__ __forceinline__ void load_lanes(T (&to)[count], const T* from) {
  constexpr int lanes = bytes / sizeof(T);
#pragma unroll
  for (int first = 0; first < count; first += lanes) {
    Packed<bytes, T> packed;
    packed.word = *reinterpret_cast<const typename Word<bytes>::Type*>(from + first);
#pragma unroll
    for (int i = 0; i < lanes; ++i) to[first + i] = packed.lane[i];
  }
}
// 4-bit integers, the first of which stands in the lower half of a byte.
template <int bytes, int count>
__device__ __forceinline__ void load_int4_lanes(int8 (&to)[count], const int8* from) {
  int8 pairs[count / 2];
  load_lanes<bytes>(pairs, from);
#pragma unroll
  for (int i = 0; i < count; ++i) to[i] = int8(pairs[i / 2] << (i % 2 ? 0 : 4)) >> 4;
}
// The same where `condition` holds; 0 elsewhere.
template <int bytes, typename T, int count>
__device__ __forceinline__ void load_lanes(T (&to)[count], const T* from, bool condition) {
  constexpr int lanes = bytes / sizeof(T);
#pragma unroll
  for (int first = 0; first < count; first += lanes) {
    Packed<bytes, T> packed;
    packed.word = ptx::load_if(condition, reinterpret_cast<const typename Word<bytes>::Type*>(from + first));
#pragma unroll
    for (int i = 0; i < lanes; ++i) to[first + i] = packed.lane[i];
  }
}
// Elements as they came from memory, until they are needed one by one.
template <int bytes, typename T, int count>
struct Fetched {
  typename Word<bytes>::Type words[count * sizeof(T) / bytes];
};
template <int bytes, typename T, int count>
__device__ __forceinline__ void fetch_lanes(Fetched<bytes, T, count>& to, const T* from) {
#pragma unroll
  for (int i = 0; i < int(count * sizeof(T) / bytes); ++i) to.words[i] = reinterpret_cast<const typename Word<bytes>::Type*>(from)[i];
}
template <int bytes, typename T, int count>
__device__ __forceinline__ void unpack_lanes(T (&to)[count], const Fetched<bytes, T, count>& from) {
  constexpr int lanes = bytes / sizeof(T);
#pragma unroll
  for (int i = 0; i < count; ++i) {
    Packed<bytes, T> packed;
    packed.word = from.words[i / lanes];
    to[i] = packed.lane[i % lanes];
  }
}
// The lanes of one access, of which `first` is the first.
template <int bytes, typename T, int count>
__device__ __forceinline__ auto packed_lanes(const T (&from)[count], int first) {
  Packed<bytes, T> packed;
#pragma unroll
  for (int i = 0; i < bytes / int(sizeof(T)); ++i) packed.lane[i] = from[first + i];
  return packed.word;
}
template <int bytes, typename T, int count>
__device__ __forceinline__ void store_lanes(T* to, const T (&from)[count]) {
#pragma unroll
  for (int first = 0; first < count; first += bytes / sizeof(T)) {
    *reinterpret_cast<typename Word<bytes>::Type*>(to + first) = packed_lanes<bytes>(from, first);
  }
}
// The same to global memory.
template <int bytes, typename T, int count>
__device__ __forceinline__ void store_lanes_global(T* to, const T (&from)[count]) {
#pragma unroll
  for (int first = 0; first < count; first += bytes / sizeof(T)) {
    ptx::store_global(reinterpret_cast<typename Word<bytes>::Type*>(to + first), packed_lanes<bytes>(from, first));
  }
}

// How values fold.
struct Add {
  template <typename T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a + b;
  }
};
struct Multiply {
  template <typename T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return a * b;
  }
};
struct Minimum {
  template <typename T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return minimum(a, b);
  }
};
struct Maximum {
  template <typename T>
  __device__ __forceinline__ T operator()(T a, T b) const {
    return maximum(a, b);
  }
};
struct And {
  __device__ __forceinline__ bool operator()(bool a, bool b) const { return a && b; }
};
struct Or {
  __device__ __forceinline__ bool operator()(bool a, bool b) const { return a || b; }
};

// `threads` neighbouring threads that share a task, a warp or a whole block, wait for each other.
template <int threads>
__device__ __forceinline__ void sync_threads() {
  if constexpr (threads == 32) {
    __syncwarp();
  } else {
    __syncthreads();
  }
}

// The fold of one value each of them, in fixed order, known to all.
template <int threads, typename Op, typename T>
__device__ __forceinline__ T fold_threads(T value) {
#pragma unroll
  for (int distance = 16; distance > 0; distance /= 2) value = Op()(value, T(__shfl_xor_sync(0xffffffff, value, distance)));
  if constexpr (threads > 32) {
    __shared__ T of_warp[threads / 32];
    if (threadIdx.x % 32 == 0) of_warp[threadIdx.x / 32] = value;
    __syncthreads();
    value = of_warp[0];
#pragma unroll
    for (int i = 1; i < threads / 32; ++i) value = Op()(value, of_warp[i]);
    __syncthreads();  // before the next fold writes there
  }
  return value;
}

// False, and the status written, where an index is outside of [0, extent).
__device__ __forceinline__ bool in_range(int64 value, int64 extent, int32 code, int64 low, Status* status) {
  if (uint64(value) < uint64(extent)) return true;
  if (atomicCAS(&status->code, 0, code) == 0) {
    status->value = value;
    status->low = low;
    status->high = extent;
  }
  return false;
}

}  // namespace op
