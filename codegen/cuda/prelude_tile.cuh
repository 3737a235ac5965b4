// What tensor-core kernels share: how tiles lie in shared memory, and how sums in fragments become rows.
// Operands are counted in bytes: mma takes 32 bytes of each line at a time, whatever the element (16 of 16 bits, 8 of tf32, 32 of 8 bits), and a line of shared
// memory is cut into chunks of 16 bytes.

namespace op {

// Where chunk `chunk` of row `row` lies, in bytes from the tile's begin. Chunks trade places so that the same chunk of 8 consecutive rows lies in 8 different
// groups of banks.
template <int kRowBytes>
__device__ __forceinline__ int swizzled(int row, int chunk) {
  constexpr int kChunks = kRowBytes / 16, kMixed = kChunks < 8 ? kChunks : 8, kRowsAcrossBanks = 8 / kMixed;
  return row * kRowBytes + (chunk ^ (row / kRowsAcrossBanks % kMixed)) * 16;
}

// Where column n of `b` stands in shared memory: in an order by which a lane gets sums of 8 neighbouring columns from four tiles, as gather_columns does.
__device__ __forceinline__ int column_row(int n) { return n / 32 * 32 + n % 8 / 2 * 8 + n / 8 % 4 * 2 + n % 2; }

// Sums of four neighbouring tiles of 16 x 8: lane t of a quad has columns 2t and 2t + 1 of each, and gets columns 8t..8t+7 of the 32, two in each tile.
template <typename T>
__device__ __forceinline__ void gather_columns(T (*tiles)[4]) {
  const int t = threadIdx.x % 4;
#pragma unroll
  for (int distance = 1; distance < 4; distance *= 2) {
    const bool upper = t & distance;
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      if (j & distance) continue;
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        T& low = tiles[j][i];
        T& high = tiles[j + distance][i];
        const T other = __shfl_xor_sync(0xffffffff, upper ? low : high, distance);
        low = upper ? other : low;
        high = upper ? high : other;
      }
    }
  }
}

// 4-bit integers, stored plus 8, as the left operands of two products, times the scales of their rows and rounded once. Registers 0 and 2 are of the row whose
// scale comes first. A word of a 16-bit product has the first element of register i in bits 4i.., the second in bits 16 + 4i..
__device__ __forceinline__ void unpack_int4_f16(uint32 (&a)[2][4], const uint32* packed, const uint32* scales) {
  const uint32 of_row[] = {*scales & 0xffff | *scales << 16, *scales >> 16 | *scales & 0xffff0000}, no_sum = 0x80008000;
#pragma unroll
  for (int i = 0; i < 8; i += 2) {
    // The last bits of 1024.0 make it 1024 + x, four places higher 1024 + 16x: with 1032 less, or as a sixteenth with 72 less, x - 8.
    const uint32 bits = packed[i / 4] >> (i % 4 * 4);
    a[i / 4][i % 4] = ptx::fma_f16(ptx::fma_f16(bits & 0x000f000f | 0x64006400, 0x3c003c00, 0xe408e408), of_row[0], no_sum);
    a[i / 4][i % 4 + 1] = ptx::fma_f16(ptx::fma_f16(bits & 0x00f000f0 | 0x64006400, 0x2c002c00, 0xd480d480), of_row[1], no_sum);
  }
}
__device__ __forceinline__ void unpack_int4_bf16(uint32 (&a)[2][4], const uint32* packed, const uint32* scales) {
  const uint32 of_row[] = {*scales & 0xffff | *scales << 16, *scales >> 16 | *scales & 0xffff0000}, no_sum = 0x80008000;
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    // The last bits of 128.0 make it 128 + x: with 136 less, x - 8.
    const uint32 integers = ptx::fma_bf16(packed[i / 4] >> (i % 4 * 4) & 0x000f000f | 0x43004300, 0x3f803f80, 0xc308c308);
    a[i / 4][i % 4] = ptx::fma_bf16(integers, of_row[i % 2], no_sum);
  }
}
// A word is both products of tf32.
__device__ __forceinline__ void unpack_int4_tf32(uint32 (&a)[2][4], const uint32* packed, const uint32* scales) {
#pragma unroll
  for (int i = 0; i < 8; ++i) {
    const float integer = __uint_as_float(*packed >> (i * 4) & 15 | 0x4b000000) - 8388616.0f;  // 2^23 + x
    a[i / 4][i % 4] = ptx::to_tf32(integer * __uint_as_float(scales[i % 2]));
  }
}

}  // namespace op

namespace ptx {

// A tile of shared memory as wgmma takes it: lines of 128, 64 or 32 bytes along the sum, chunks exchanged as TMA does in a swizzle of so many bytes.
template <int kLineBytes>
__device__ __forceinline__ uint64 wgmma_lines(uint32 tile) {
  constexpr uint64 kSwizzle = kLineBytes == 128 ? 1 : kLineBytes == 64 ? 2 : 3, kEightLines = 8 * kLineBytes / 16;
  return uint64(tile >> 4 & 0x3fff) | uint64(1) << 16 | kEightLines << 32 | kSwizzle << 62;
}
// The same of lines of 128 bytes that are 64 columns, one a step of the sum: `next` bytes after them come those of the next 64 columns.
__device__ __forceinline__ uint64 wgmma_columns(uint32 tile, uint32 next) {
  return uint64(tile >> 4 & 0x3fff) | uint64(next >> 4) << 16 | uint64(64) << 32 | uint64(1) << 62;
}

}  // namespace ptx
