// What a kernel stands on when the CPU runs it: CUDA's own words, and prelude_asm.cuh with each instruction as a call. prelude.cuh follows it as it is.
#pragma once

#include "tests/codegen/emulator/device_calls.h"

#define __device__
#define __host__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __launch_bounds__(...)
#define __cluster_dims__(...)
#define __grid_constant__
#define __constant__ static const
#define __align__(bytes) __attribute__((aligned(bytes)))
#define __restrict__ __restrict
#define __global__ __attribute__((visibility("default")))
// One block runs at a time. The section tells where all of it lies.
#define __shared__ static __attribute__((section("shared_memory")))

using int8 = signed char;
using int16 = short;
using int32 = int;
using int64 = long long;
using uint8 = unsigned char;
using uint16 = unsigned short;
using uint32 = unsigned int;
using uint64 = unsigned long long;

struct float16 {
  uint16 bits;
};
struct bfloat16 {
  uint16 bits;
};

struct __attribute__((aligned(8))) float2 { float x, y; };
struct __attribute__((aligned(16))) float4 { float x, y, z, w; };
struct __attribute__((aligned(16))) double2 { double x, y; };
struct __attribute__((aligned(8))) int2 { int x, y; };
struct __attribute__((aligned(16))) int4 { int x, y, z, w; };
struct __attribute__((aligned(8))) uint2 { unsigned x, y; };
struct __attribute__((aligned(16))) uint4 { unsigned x, y, z, w; };
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline int2 make_int2(int x, int y) { return {x, y}; }
inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

// Of the C library: its header takes longer to compile than a kernel.
extern "C" {
float ceilf(float), cosf(float), erff(float), exp2f(float), expf(float), fabsf(float), floorf(float), log2f(float), logf(float), rintf(float);
float roundf(float), sinf(float), sqrtf(float), tanhf(float), truncf(float);
float fmaf(float, float, float), fmaxf(float, float), fminf(float, float), fmodf(float, float), ldexpf(float, int), powf(float, float);
double ceil(double), cos(double), erf(double), exp(double), exp2(double), fabs(double), floor(double), log(double), log2(double), rint(double);
double round(double), sin(double), sqrt(double), tanh(double), trunc(double);
double fma(double, double, double), fmax(double, double), fmin(double, double), fmod(double, double), ldexp(double, int), pow(double, double);
int abs(int);
}

namespace emulated = intaglio::testing::emulated;

#define threadIdx emulated::thread_index
#define blockIdx emulated::block_index
#define blockDim emulated::block_extent
#define gridDim emulated::grid_extent

template <typename To, typename From>
inline To emulated_bits(From from) {
  static_assert(sizeof(From) <= sizeof(To));
  To to = {};
  __builtin_memcpy(&to, &from, sizeof from);
  return to;
}
template <typename T>
inline T emulated_from_word(uint64 word) {
  T value;
  __builtin_memcpy(&value, &word, sizeof value);
  return value;
}

inline float __int_as_float(int x) { return emulated_bits<float>(x); }
inline float __uint_as_float(unsigned x) { return emulated_bits<float>(x); }
inline int __float_as_int(float x) { return emulated_bits<int>(x); }
inline unsigned __float_as_uint(float x) { return emulated_bits<unsigned>(x); }
inline double __longlong_as_double(long long x) { return emulated_bits<double>(x); }
inline float __expf(float x) { return expf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline float __frcp_rn(float x) { return 1.0f / x; }
inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline int __float2int_rn(float x) { return x != x ? 0 : x >= 2147483648.0f ? 2147483647 : x < -2147483648.0f ? -2147483647 - 1 : int(rintf(x)); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline long long max(long long a, long long b) { return a > b ? a : b; }

// Of the bytes x (0 to 3) and y (4 to 7), those that the digits of `selector` name; the sign of one where the digit has 8 added.
inline unsigned __byte_perm(unsigned x, unsigned y, unsigned selector) {
  const uint64 bytes = uint64(y) << 32 | x;
  unsigned result = 0;
  for (int i = 0; i < 4; ++i) {
    const unsigned digit = selector >> (4 * i) & 15;
    unsigned byte = unsigned(bytes >> (8 * (digit & 7))) & 255;
    if (digit & 8) byte = byte & 128 ? 255 : 0;
    result |= byte << (8 * i);
  }
  return result;
}
inline int __dp4a(int a, int b, int sum) {
  for (int i = 0; i < 32; i += 8) sum += int(int8(a >> i)) * int(int8(b >> i));
  return sum;
}

template <typename T>
inline T __ldg(const T* pointer) {
  return *pointer;
}
template <typename T>
inline T atomicCAS(T* at, T expected, T desired) {
  const T old = *at;
  if (old == expected) *at = desired;
  return old;
}
template <typename T>
inline T atomicAdd(T* at, T value) {
  const T old = *at;
  *at = old + value;
  return old;
}

inline void __syncthreads() { emulated::sync(0, 0); }
inline void __syncwarp(unsigned mask = 0xffffffff) { emulated::sync_warp(mask); }
inline void __threadfence() {}
inline void __threadfence_block() {}
template <typename T>
inline T __shfl_sync(unsigned mask, T value, int source, int width = 32) {
  const int first = int(threadIdx.x % 32) / width * width;
  return emulated_from_word<T>(emulated::shuffle(mask, emulated_bits<uint64>(value), unsigned(first + source % width)));
}
template <typename T>
inline T __shfl_xor_sync(unsigned mask, T value, int distance, int width = 32) {
  const int lane = int(threadIdx.x % 32), source = lane ^ distance;
  return emulated_from_word<T>(emulated::shuffle(mask, emulated_bits<uint64>(value), unsigned(source / width <= lane / width ? source : lane)));
}
template <typename T>
inline T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32) {
  const int lane = int(threadIdx.x % 32), source = lane + int(distance);
  return emulated_from_word<T>(emulated::shuffle(mask, emulated_bits<uint64>(value), unsigned(source / width == lane / width ? source : lane)));
}
template <typename T>
inline T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32) {
  const int lane = int(threadIdx.x % 32), source = lane - int(distance);
  return emulated_from_word<T>(emulated::shuffle(mask, emulated_bits<uint64>(value), unsigned(source >= lane / width * width ? source : lane)));
}
inline unsigned __ballot_sync(unsigned mask, int value) { return emulated::vote(mask, value != 0); }
inline int __any_sync(unsigned mask, int value) { return emulated::vote(mask, value != 0) != 0; }
inline int __all_sync(unsigned mask, int value) { return emulated::vote(mask, value != 0) == mask; }

#include "tests/codegen/emulator/device_asm.h"
#include "codegen/cuda/prelude.cuh"
#include "codegen/cuda/prelude_tile.cuh"

// Calls a kernel with its parameters as the driver takes them: a pointer to each.
template <int... kIndex>
struct EmulatedIndices {};
template <typename... P, int... kIndex>
inline void emulated_call(void (*kernel)(P...), void** parameters, EmulatedIndices<kIndex...>) {
  kernel(*static_cast<P*>(parameters[kIndex])...);
}
template <typename... P>
inline void emulated_call(void (*kernel)(P...), void** parameters) {
  emulated_call(kernel, parameters, EmulatedIndices<__integer_pack(sizeof...(P))...>());
}

extern char __start_shared_memory[] __attribute__((weak, visibility("hidden")));
extern char __stop_shared_memory[] __attribute__((weak, visibility("hidden")));
