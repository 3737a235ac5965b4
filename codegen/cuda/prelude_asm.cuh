// The instructions that C++ has no word for, each a function. Inline assembly stands in this file only: tests run kernels on the CPU with
// functions of the same names in its place (tests/codegen/emulator/).
// NVRTC compiles it in front of prelude.cuh and every kernel, with no other header.

using int8 = signed char;
using int16 = short;
using int32 = int;
using int64 = long long;
using uint8 = unsigned char;
using uint16 = unsigned short;
using uint32 = unsigned int;
using uint64 = unsigned long long;

// 16-bit floats are storage: arithmetic is in float.
struct float16 {
  uint16 bits;
};
struct bfloat16 {
  uint16 bits;
};

namespace op {

__device__ __forceinline__ float to_float(float16 x) {
  float result;
  asm("cvt.f32.f16 %0, %1;" : "=f"(result) : "h"(x.bits));
  return result;
}
__device__ __forceinline__ float to_float(bfloat16 x) { return __uint_as_float(uint32(x.bits) << 16); }
__device__ __forceinline__ float16 to_float16(float x) {
  float16 result;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
  return result;
}
__device__ __forceinline__ bfloat16 to_bfloat16(float x) {
  bfloat16 result;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(result.bits) : "f"(x));
  return result;
}

// a / b within 2 units in the last place.
__device__ __forceinline__ float near_quotient(float a, float b) {
  float result;
  asm("div.full.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
// NaN in, NaN out.
__device__ __forceinline__ float minimum(float a, float b) {
  float result;
  asm("min.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}
__device__ __forceinline__ float maximum(float a, float b) {
  float result;
  asm("max.NaN.f32 %0, %1, %2;" : "=f"(result) : "f"(a), "f"(b));
  return result;
}

}  // namespace op

// Shared memory is named by its 32-bit address, as the instructions want it. Matrices of fragments are pairs of 16-bit, or fours of 8-bit
// elements in 32-bit registers, distributed over a warp as the PTX manual says of each instruction.
namespace ptx {

__device__ __forceinline__ uint32 shared_address(const void* pointer) { return uint32(__cvta_generic_to_shared(pointer)); }

// Starts a copy of 4, 8 or 16 bytes from global to shared memory; where not valid, zeros are written and nothing is read.
template <int kBytes>
__device__ __forceinline__ void copy_async(uint32 to, const void* from, bool valid = true) {
  const int bytes = valid ? kBytes : 0;
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(bytes) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(kBytes), "r"(bytes) : "memory");
  }
}
// The copies started since the last commit become a group; waits until at most kPending groups of this thread are under way.
__device__ __forceinline__ void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int kPending>
__device__ __forceinline__ void copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// 8 by 8 matrices of 16-bit elements (or rows of 16 bytes): lane i gives the address of row i % 8 of matrix i / 8.
__device__ __forceinline__ void load_matrix_x4(uint32* r, uint32 row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(row) : "memory");
}
__device__ __forceinline__ void load_matrix_x4_transposed(uint32* r, uint32 row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(row)
               : "memory");
}

// d += a * b, a of 16 rows, b of 8 columns.
__device__ __forceinline__ void mma_m16n8k16_f16(float* d, const uint32* a, const uint32* b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_m16n8k16_bf16(float* d, const uint32* a, const uint32* b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_m16n8k8_tf32(float* d, const uint32* a, const uint32* b) {
  asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_m16n8k32_s8(int32* d, const uint32* a, const uint32* b) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_m16n8k32_u8_s8(int32* d, const uint32* a, const uint32* b) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
__device__ __forceinline__ void mma_m16n8k32_u8(int32* d, const uint32* a, const uint32* b) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.u8.s32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+r"(d[0]), "+r"(d[1]), "+r"(d[2]), "+r"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
#if __CUDA_ARCH__ >= 890
__device__ __forceinline__ void mma_m16n8k32_e4m3(float* d, const uint32* a, const uint32* b) {
  asm volatile("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// Two 8-bit floats, the first argument in the upper half; they saturate.
__device__ __forceinline__ uint16 to_e4m3x2(float high, float low) {
  uint16 result;
  asm("cvt.rn.satfinite.e4m3x2.f32 %0, %1, %2;" : "=h"(result) : "f"(high), "f"(low));
  return result;
}
__device__ __forceinline__ uint16 to_e5m2x2(float high, float low) {
  uint16 result;
  asm("cvt.rn.satfinite.e5m2x2.f32 %0, %1, %2;" : "=h"(result) : "f"(high), "f"(low));
  return result;
}
// As two 16-bit floats, which is exact.
__device__ __forceinline__ uint32 e4m3x2_to_f16x2(uint16 x) {
  uint32 result;
  asm("cvt.rn.f16x2.e4m3x2 %0, %1;" : "=r"(result) : "h"(x));
  return result;
}
__device__ __forceinline__ uint32 e5m2x2_to_f16x2(uint16 x) {
  uint32 result;
  asm("cvt.rn.f16x2.e5m2x2 %0, %1;" : "=r"(result) : "h"(x));
  return result;
}
#endif
// Rounded to tf32, as the instruction wants its operands.
__device__ __forceinline__ uint32 to_tf32(float x) {
  uint32 result;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(result) : "f"(x));
  return result;
}

// Two floats as a pair of 16-bit elements, `low` in the lower half.
__device__ __forceinline__ uint32 pack_f16(float low, float high) {
  uint32 result;
  asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  return result;
}
__device__ __forceinline__ uint32 pack_bf16(float low, float high) {
  uint32 result;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(result) : "f"(high), "f"(low));
  return result;
}
// a * b + c of pairs, rounded once.
__device__ __forceinline__ uint32 fma_f16(uint32 a, uint32 b, uint32 c) {
  uint32 result;
  asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(c));
  return result;
}
__device__ __forceinline__ uint32 fma_bf16(uint32 a, uint32 b, uint32 c) {
  uint32 result;
  asm("fma.rn.bf16x2 %0, %1, %2, %3;" : "=r"(result) : "r"(a), "r"(b), "r"(c));
  return result;
}
// 2^x to about 2^-22, for weights that are rounded to 16 bits.
__device__ __forceinline__ float exp2(float x) {
  float result;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(result) : "f"(x));
  return result;
}

// A barrier of some warps of a block: `threads` is how many take part. Number 0 is __syncthreads.
__device__ __forceinline__ void sync_named(int number, int threads) { asm volatile("bar.sync %0, %1;" ::"r"(number), "r"(threads) : "memory"); }

// Barriers in shared memory (mbarrier): a phase ends when `count` threads have arrived and the bytes they expect have come.
__device__ __forceinline__ void barrier_init(uint32 barrier, uint32 count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}
// What this thread initialised is seen by the others and by asynchronous copies.
__device__ __forceinline__ void barrier_init_fence() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
__device__ __forceinline__ void barrier_arrive(uint32 barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(barrier) : "memory");
}
// Arrives, and expects bytes of asynchronous copies in this phase.
__device__ __forceinline__ void barrier_expect(uint32 barrier, uint32 bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(barrier), "r"(bytes) : "memory");
}
// Waits for the end of the phase of this parity: 0 for the first.
__device__ __forceinline__ void barrier_wait(uint32 barrier, uint32 parity) {
  asm volatile(
      "{\n .reg .pred done;\n again:\n mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n @done bra end;\n bra again;\n end:\n}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

// A descriptor that the driver encodes; a kernel takes it as `const __grid_constant__ TensorMap`.
struct alignas(64) TensorMap {
  uint64 words[16];
};
__device__ __forceinline__ void prefetch_map(const TensorMap* map) { asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory"); }

// One thread starts the copy of a box to shared memory. Coordinates begin with the innermost dimension.
__device__ __forceinline__ void tma_load(uint32 to, const TensorMap* map, uint32 barrier, int c0, int c1) {
  asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];" ::"r"(to), "l"(map), "r"(barrier),
               "r"(c0), "r"(c1)
               : "memory");
}
__device__ __forceinline__ void tma_load(uint32 to, const TensorMap* map, uint32 barrier, int c0, int c1, int c2) {
  asm volatile("cp.async.bulk.tensor.3d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5}], [%2];" ::"r"(to), "l"(map),
               "r"(barrier), "r"(c0), "r"(c1), "r"(c2)
               : "memory");
}
__device__ __forceinline__ void tma_load(uint32 to, const TensorMap* map, uint32 barrier, int c0, int c1, int c2, int c3) {
  asm volatile("cp.async.bulk.tensor.4d.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(to), "l"(map),
               "r"(barrier), "r"(c0), "r"(c1), "r"(c2), "r"(c3)
               : "memory");
}
// Rows of an NHWC image, each from the window's position (w, h) + (offset_w, offset_h), in the order of the positions.
__device__ __forceinline__ void tma_load_im2col(uint32 to, const TensorMap* map, uint32 barrier, int c, int w, int h, int n, uint16 offset_w, uint16 offset_h) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(to), "l"(map),
      "r"(barrier), "r"(c), "r"(w), "r"(h), "r"(n), "h"(offset_w), "h"(offset_h)
      : "memory");
}

// wgmma: four warps multiply tiles in shared memory. Accumulators belong to the hardware from the first multiplication to wgmma_wait.
__device__ __forceinline__ void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
__device__ __forceinline__ void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kPending>
__device__ __forceinline__ void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

#if defined(__CUDA_ARCH_FEAT_SM90_ALL)
// d = a * b (+ d where `add`) for 64 rows of `a` and as many columns as d has tiles of 8. A thread has in d[j] what mma_m16n8 gives it of columns 8j..8j+7.
// The texts count the registers of d in tens.
#define PTX_D(t, i) "%" #t #i
#define PTX_TWO(t) PTX_D(t, 0) ", " PTX_D(t, 1)
#define PTX_FOUR(t) PTX_TWO(t) ", " PTX_D(t, 2) ", " PTX_D(t, 3)
#define PTX_SIX(t) PTX_FOUR(t) ", " PTX_D(t, 4) ", " PTX_D(t, 5)
#define PTX_EIGHT(t) PTX_SIX(t) ", " PTX_D(t, 6) ", " PTX_D(t, 7)
#define PTX_TEN(t) PTX_EIGHT(t) ", " PTX_D(t, 8) ", " PTX_D(t, 9) ", "
#define PTX_D16 PTX_TEN() PTX_SIX(1)
#define PTX_D32 PTX_TEN() PTX_TEN(1) PTX_TEN(2) PTX_TWO(3)
#define PTX_D48 PTX_TEN() PTX_TEN(1) PTX_TEN(2) PTX_TEN(3) PTX_EIGHT(4)
#define PTX_D64 PTX_TEN() PTX_TEN(1) PTX_TEN(2) PTX_TEN(3) PTX_TEN(4) PTX_TEN(5) PTX_FOUR(6)
#define PTX_D96 PTX_TEN() PTX_TEN(1) PTX_TEN(2) PTX_TEN(3) PTX_TEN(4) PTX_TEN(5) PTX_TEN(6) PTX_TEN(7) PTX_TEN(8) PTX_SIX(9)
#define PTX_D128 \
  PTX_TEN() PTX_TEN(1) PTX_TEN(2) PTX_TEN(3) PTX_TEN(4) PTX_TEN(5) PTX_TEN(6) PTX_TEN(7) PTX_TEN(8) PTX_TEN(9) PTX_TEN(10) PTX_TEN(11) PTX_EIGHT(12)

#define PTX_TILE(c, j) c(d[j][0]), c(d[j][1]), c(d[j][2]), c(d[j][3])
#define PTX_TILES4(c, j) PTX_TILE(c, j), PTX_TILE(c, j + 1), PTX_TILE(c, j + 2), PTX_TILE(c, j + 3)
#define PTX_TILES8(c, j) PTX_TILES4(c, j), PTX_TILES4(c, j + 4)
#define PTX_R16(c) PTX_TILES4(c, 0)
#define PTX_R32(c) PTX_TILES8(c, 0)
#define PTX_R48(c) PTX_TILES8(c, 0), PTX_TILES4(c, 8)
#define PTX_R64(c) PTX_TILES8(c, 0), PTX_TILES8(c, 8)
#define PTX_R96(c) PTX_TILES8(c, 0), PTX_TILES8(c, 8), PTX_TILES8(c, 16)
#define PTX_R128(c) PTX_TILES8(c, 0), PTX_TILES8(c, 8), PTX_TILES8(c, 16), PTX_TILES8(c, 24)

// `n` columns in `r` registers; ra.. are the numbers of the operands after them.
#define PTX_WGMMA_F16(name, types, n, r, ra, rb, rp, rt)                                                                                       \
  template <int kTransposeB>                                                                                                                   \
  __device__ __forceinline__ void name(float (&d)[n / 8][4], uint64 a, uint64 b, bool add) {                                                   \
    asm volatile("{\n .reg .pred p;\n setp.ne.b32 p, %" #rp ", 0;\n wgmma.mma_async.sync.aligned.m64n" #n "k16.f32." types " {" PTX_D##r       \
                 "}, %" #ra ", %" #rb ", p, 1, 1, 0, %" #rt ";\n}"                                                                             \
                 : PTX_R##r(PTX_FLOAT)                                                                                                         \
                 : "l"(a), "l"(b), "r"(int(add)), "n"(kTransposeB));                                                                           \
  }
#define PTX_WGMMA_FLOAT(name, types, k, n, r, ra, rb, rp)                                                                                      \
  __device__ __forceinline__ void name(float (&d)[n / 8][4], uint64 a, uint64 b, bool add) {                                                   \
    asm volatile("{\n .reg .pred p;\n setp.ne.b32 p, %" #rp ", 0;\n wgmma.mma_async.sync.aligned.m64n" #n "k" #k ".f32." types " {" PTX_D##r   \
                 "}, %" #ra ", %" #rb ", p, 1, 1;\n}"                                                                                          \
                 : PTX_R##r(PTX_FLOAT)                                                                                                         \
                 : "l"(a), "l"(b), "r"(int(add)));                                                                                             \
  }
#define PTX_WGMMA_INT(name, types, n, r, ra, rb, rp)                                                                                           \
  __device__ __forceinline__ void name(int32 (&d)[n / 8][4], uint64 a, uint64 b, bool add) {                                                   \
    asm volatile("{\n .reg .pred p;\n setp.ne.b32 p, %" #rp ", 0;\n wgmma.mma_async.sync.aligned.m64n" #n "k32.s32." types " {" PTX_D##r       \
                 "}, %" #ra ", %" #rb ", p;\n}"                                                                                                \
                 : PTX_R##r(PTX_INT)                                                                                                           \
                 : "l"(a), "l"(b), "r"(int(add)));                                                                                             \
  }
#define PTX_FLOAT(x) "+f"(x)
#define PTX_INT(x) "+r"(x)
#define PTX_WGMMA_WIDTH(n, r, ra, rb, rp, rt)                            \
  PTX_WGMMA_F16(wgmma_f16, "f16.f16", n, r, ra, rb, rp, rt)              \
  PTX_WGMMA_F16(wgmma_bf16, "bf16.bf16", n, r, ra, rb, rp, rt)           \
  PTX_WGMMA_FLOAT(wgmma_tf32, "tf32.tf32", 8, n, r, ra, rb, rp)          \
  PTX_WGMMA_FLOAT(wgmma_e4m3, "e4m3.e4m3", 32, n, r, ra, rb, rp)         \
  PTX_WGMMA_INT(wgmma_s8, "s8.s8", n, r, ra, rb, rp)                     \
  PTX_WGMMA_INT(wgmma_u8_s8, "u8.s8", n, r, ra, rb, rp)
PTX_WGMMA_WIDTH(32, 16, 16, 17, 18, 19)
PTX_WGMMA_WIDTH(64, 32, 32, 33, 34, 35)
PTX_WGMMA_WIDTH(96, 48, 48, 49, 50, 51)
PTX_WGMMA_WIDTH(128, 64, 64, 65, 66, 67)
PTX_WGMMA_WIDTH(192, 96, 96, 97, 98, 99)
PTX_WGMMA_WIDTH(256, 128, 128, 129, 130, 131)
#endif

// Nothing that reads or writes these registers moves across this point.
__device__ __forceinline__ void settle(float& x) { asm volatile("" : "+f"(x)::"memory"); }
__device__ __forceinline__ void settle(int32& x) { asm volatile("" : "+r"(x)::"memory"); }
template <typename T, int kTiles>
__device__ __forceinline__ void wgmma_settle(T (&d)[kTiles][4]) {
#pragma unroll
  for (int i = 0; i < kTiles * 4; ++i) settle(d[i / 4][i % 4]);
}

// Clusters: blocks that run at once and read each other's shared memory. All threads of all its blocks meet; what they wrote before is seen after.
__device__ __forceinline__ void cluster_sync() {
  asm volatile("barrier.cluster.arrive.release.aligned;\n barrier.cluster.wait.acquire.aligned;" ::: "memory");
}
// The same in two halves: what stands between them need not be seen by the others.
__device__ __forceinline__ void cluster_arrive() { asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory"); }
__device__ __forceinline__ void cluster_wait() { asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory"); }
__device__ __forceinline__ int cluster_rank() {
  int rank;
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}
// Four floats at this address in the shared memory of block `rank` of the cluster.
__device__ __forceinline__ void load_from_block(float* to, uint32 address, int rank) {
  asm volatile("{\n .reg .b32 there;\n mapa.shared::cluster.u32 there, %4, %5;\n ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [there];\n}"
               : "=f"(to[0]), "=f"(to[1]), "=f"(to[2]), "=f"(to[3])
               : "r"(address), "r"(rank)
               : "memory");
}
__device__ __forceinline__ void load_from_block(int32* to, uint32 address, int rank) {
  asm volatile("{\n .reg .b32 there;\n mapa.shared::cluster.u32 there, %4, %5;\n ld.shared::cluster.v4.s32 {%0, %1, %2, %3}, [there];\n}"
               : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
               : "r"(address), "r"(rank)
               : "memory");
}
// 16 bytes of this block's shared memory.
__device__ __forceinline__ void store_shared(uint32 address, const float* from) {
  asm volatile("st.shared.v4.f32 [%0], {%1, %2, %3, %4};" ::"r"(address), "f"(from[0]), "f"(from[1]), "f"(from[2]), "f"(from[3]) : "memory");
}
__device__ __forceinline__ void store_shared(uint32 address, const int32* from) {
  asm volatile("st.shared.v4.s32 [%0], {%1, %2, %3, %4};" ::"r"(address), "r"(from[0]), "r"(from[1]), "r"(from[2]), "r"(from[3]) : "memory");
}

// Registers a thread of this warpgroup may use from here on.
template <int kRegisters>
__device__ __forceinline__ void raise_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
__device__ __forceinline__ void lower_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

// 16, 8, 4 or 2 bytes of global memory where `condition` holds, 0 elsewhere.
__device__ __forceinline__ uint4 load_if(bool condition, const uint4* from) {
  uint4 result;
  asm volatile("{\n .reg .pred given;\n setp.ne.b32 given, %5, 0;\n mov.b32 %0, 0;\n mov.b32 %1, 0;\n mov.b32 %2, 0;\n mov.b32 %3, 0;\n @given ld.global.v4.b32 {%0, %1, %2, %3}, [%4];\n}"
               : "=&r"(result.x), "=&r"(result.y), "=&r"(result.z), "=&r"(result.w)
               : "l"(from), "r"(int(condition))
               : "memory");
  return result;
}
__device__ __forceinline__ uint2 load_if(bool condition, const uint2* from) {
  uint2 result;
  asm volatile("{\n .reg .pred given;\n setp.ne.b32 given, %3, 0;\n mov.b32 %0, 0;\n mov.b32 %1, 0;\n @given ld.global.v2.b32 {%0, %1}, [%2];\n}"
               : "=&r"(result.x), "=&r"(result.y)
               : "l"(from), "r"(int(condition))
               : "memory");
  return result;
}
__device__ __forceinline__ uint32 load_if(bool condition, const uint32* from) { return condition ? *from : 0; }
__device__ __forceinline__ uint16 load_if(bool condition, const uint16* from) { return condition ? *from : uint16(0); }

// One store to global memory: written as an assignment, the compiler may cut it into stores of 4 bytes.
__device__ __forceinline__ void store_global(uint4* to, uint4 x) {
  asm volatile("st.global.v4.b32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(x.x), "r"(x.y), "r"(x.z), "r"(x.w) : "memory");
}
__device__ __forceinline__ void store_global(uint2* to, uint2 x) { asm volatile("st.global.v2.b32 [%0], {%1, %2};" ::"l"(to), "r"(x.x), "r"(x.y) : "memory"); }
__device__ __forceinline__ void store_global(uint32* to, uint32 x) { asm volatile("st.global.b32 [%0], %1;" ::"l"(to), "r"(x) : "memory"); }
__device__ __forceinline__ void store_global(uint16* to, uint16 x) { *to = x; }

// Programmatic dependent launch: the next kernel may start; the one before has ended and its results are there. Before Hopper kernels follow one another anyhow.
__device__ __forceinline__ void allow_next_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
__device__ __forceinline__ void wait_for_previous_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}

}  // namespace ptx
