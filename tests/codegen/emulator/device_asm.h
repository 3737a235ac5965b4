// The functions of prelude_asm.cuh. See device.h, which includes it.
#pragma once

namespace op {

inline float to_float(float16 x) { return emulated::decode_f16(x.bits); }
inline float to_float(bfloat16 x) { return __uint_as_float(uint32(x.bits) << 16); }
inline float16 to_float16(float x) { return {emulated::encode_f16(x)}; }
inline bfloat16 to_bfloat16(float x) { return {emulated::encode_bf16(x)}; }
inline float near_quotient(float a, float b) { return a / b; }
inline float minimum(float a, float b) { return a != a ? a : b != b ? b : a < b ? a : b; }
inline float maximum(float a, float b) { return a != a ? a : b != b ? b : a > b ? a : b; }

}  // namespace op

namespace ptx {

using emulated::Element;

inline uint32 shared_address(const void* pointer) { return emulated::shared_address(pointer); }

template <int kBytes>
inline void copy_async(uint32 to, const void* from, bool valid = true) {
  emulated::copy_async(to, from, kBytes, valid ? kBytes : 0);
}
inline void copy_commit() { emulated::copy_commit(); }
template <int kPending>
inline void copy_wait() {
  emulated::copy_wait(kPending);
}

inline void load_matrix_x4(uint32* r, uint32 row) { emulated::load_matrices(r, row, 4, false); }
inline void load_matrix_x4_transposed(uint32* r, uint32 row) { emulated::load_matrices(r, row, 4, true); }

inline void mma_m16n8k16_f16(float* d, const uint32* a, const uint32* b) { emulated::multiply_fragments(d, a, b, Element::f16); }
inline void mma_m16n8k16_bf16(float* d, const uint32* a, const uint32* b) { emulated::multiply_fragments(d, a, b, Element::bf16); }
inline void mma_m16n8k8_tf32(float* d, const uint32* a, const uint32* b) { emulated::multiply_fragments(d, a, b, Element::tf32); }
inline void mma_m16n8k32_s8(int32* d, const uint32* a, const uint32* b) { emulated::multiply_fragments(d, a, b, Element::s8, Element::s8); }
inline void mma_m16n8k32_u8_s8(int32* d, const uint32* a, const uint32* b) { emulated::multiply_fragments(d, a, b, Element::u8, Element::s8); }
inline void mma_m16n8k32_u8(int32* d, const uint32* a, const uint32* b) { emulated::multiply_fragments(d, a, b, Element::u8, Element::u8); }
inline void mma_m16n8k32_e4m3(float* d, const uint32* a, const uint32* b) { emulated::multiply_fragments(d, a, b, Element::e4m3); }
// To nearest, ties away from zero; NaN and infinity stay.
inline uint32 to_tf32(float x) {
  const uint32 bits = __float_as_uint(x);
  return (bits & 0x7f800000) == 0x7f800000 ? bits : (bits + 0x1000) & 0xffffe000;
}

inline uint32 pack_f16(float low, float high) { return op::to_float16(low).bits | uint32(op::to_float16(high).bits) << 16; }
inline uint32 pack_bf16(float low, float high) { return op::to_bfloat16(low).bits | uint32(op::to_bfloat16(high).bits) << 16; }
inline uint32 fma_pairs(uint32 a, uint32 b, uint32 c, Element element, unsigned short (*round)(float)) {
  uint32 result = 0;
  for (int at = 0; at < 32; at += 16) {
    const double sum = emulated::decode(element, a >> at) * emulated::decode(element, b >> at) + emulated::decode(element, c >> at);
    result |= uint32(round(float(sum))) << at;
  }
  return result;
}
inline uint32 fma_f16(uint32 a, uint32 b, uint32 c) { return fma_pairs(a, b, c, Element::f16, emulated::encode_f16); }
inline uint32 fma_bf16(uint32 a, uint32 b, uint32 c) { return fma_pairs(a, b, c, Element::bf16, emulated::encode_bf16); }
inline float exp2(float x) { return exp2f(x); }

inline void sync_named(int number, int threads) { emulated::sync(number, threads); }

inline void barrier_init(uint32 barrier, uint32 count) { emulated::barrier_init(barrier, count); }
inline void barrier_init_fence() {}
inline void barrier_arrive(uint32 barrier) { emulated::barrier_arrive(barrier, 0); }
inline void barrier_expect(uint32 barrier, uint32 bytes) { emulated::barrier_arrive(barrier, bytes); }
inline void barrier_wait(uint32 barrier, uint32 parity) { emulated::barrier_wait(barrier, parity); }

struct __attribute__((aligned(64))) TensorMap {
  uint64 words[16];
};
inline void prefetch_map(const TensorMap*) {}
template <typename... Coordinates>
inline void tma_load(uint32 to, const TensorMap* map, uint32 barrier, Coordinates... coordinates) {
  const int all[] = {coordinates...};
  emulated::tma_load(to, map, barrier, all, sizeof...(coordinates));
}
inline void tma_load_im2col(uint32 to, const TensorMap* map, uint32 barrier, int c, int w, int h, int n, uint16 offset_w, uint16 offset_h) {
  const int coordinates[] = {c, w, h, n};
  const uint16 offsets[] = {offset_w, offset_h};
  emulated::tma_load_im2col(to, map, barrier, coordinates, 4, offsets);
}

inline void wgmma_fence() { emulated::wgmma_fence(); }
inline void wgmma_commit() { emulated::wgmma_commit(); }
template <int kPending>
inline void wgmma_wait() {
  emulated::wgmma_wait(kPending);
}
template <typename T, int kTiles>
inline void wgmma_settle(T (&)[kTiles][4]) {}
template <int kTransposeB, int kTiles>
inline void wgmma_f16(float (&d)[kTiles][4], uint64 a, uint64 b, bool add) {
  emulated::wgmma(d, kTiles * 8, a, b, add, Element::f16, Element::f16, kTransposeB);
}
template <int kTransposeB, int kTiles>
inline void wgmma_bf16(float (&d)[kTiles][4], uint64 a, uint64 b, bool add) {
  emulated::wgmma(d, kTiles * 8, a, b, add, Element::bf16, Element::bf16, kTransposeB);
}
template <int kTiles>
inline void wgmma_tf32(float (&d)[kTiles][4], uint64 a, uint64 b, bool add) {
  emulated::wgmma(d, kTiles * 8, a, b, add, Element::tf32, Element::tf32, false);
}
template <int kTiles>
inline void wgmma_e4m3(float (&d)[kTiles][4], uint64 a, uint64 b, bool add) {
  emulated::wgmma(d, kTiles * 8, a, b, add, Element::e4m3, Element::e4m3, false);
}
template <int kTiles>
inline void wgmma_s8(int32 (&d)[kTiles][4], uint64 a, uint64 b, bool add) {
  emulated::wgmma(d, kTiles * 8, a, b, add, Element::s8, Element::s8, false);
}
template <int kTiles>
inline void wgmma_u8_s8(int32 (&d)[kTiles][4], uint64 a, uint64 b, bool add) {
  emulated::wgmma(d, kTiles * 8, a, b, add, Element::u8, Element::s8, false);
}

template <int kRegisters>
inline void raise_registers() {}
template <int kRegisters>
inline void lower_registers() {}

inline void cluster_sync() { emulated::cluster_sync(); }
// All meet at the second half.
inline void cluster_arrive() {}
inline void cluster_wait() { emulated::cluster_sync(); }
inline int cluster_rank() { return int(emulated::cluster_rank()); }
inline void load_from_block(float* to, uint32 address, int rank) { emulated::load_from_block(to, address, unsigned(rank)); }
inline void load_from_block(int32* to, uint32 address, int rank) { emulated::load_from_block(to, address, unsigned(rank)); }
inline void store_shared(uint32 address, const float* from) { emulated::store_shared(address, from); }
inline void store_shared(uint32 address, const int32* from) { emulated::store_shared(address, from); }

template <typename Word>
Word load_if(bool condition, const Word* from) {
  return condition ? *from : Word{};
}

template <typename Word>
void store_global(Word* to, Word x) {
  *to = x;
}

inline void allow_next_kernel() {}
inline void wait_for_previous_kernel() { emulated::wait_for_previous_kernel(); }

}  // namespace ptx
