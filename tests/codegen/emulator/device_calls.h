// What emulated kernels call: the compiled kernel sees these declarations, the test program defines them. No header is included, so that a
// kernel is compiled in a moment.
#pragma once

namespace intaglio::testing::emulated {
#pragma GCC visibility push(default)

struct Dim3 {
  unsigned x = 1, y = 1, z = 1;
};
extern Dim3 thread_index, block_index, block_extent, grid_extent;

/// Floats of 16 bits by their bits.
float decode_f16(unsigned short bits);
unsigned short encode_f16(float value);
unsigned short encode_bf16(float value);

/// Waits for `threads` threads at barrier `number` of the block; 0: for all that have not ended.
void sync(int number, int threads);

/// What lanes of a warp do together: each lane of `mask` calls it. The value that `source` gave; the mask of lanes whose `value` is not 0.
void sync_warp(unsigned mask);
unsigned long long shuffle(unsigned mask, unsigned long long value, unsigned source);
unsigned vote(unsigned mask, bool value);

/// The block's dynamic shared memory, and the 32-bit address of what lies in shared memory.
void* dynamic_shared(unsigned alignment);
unsigned shared_address(const void* pointer);

void load_matrices(unsigned* registers, unsigned row, int count, bool transposed);

enum class Element { f16, bf16, tf32, e4m3, e5m2, s8, u8 };
/// The value of the lowest bits.
double decode(Element element, unsigned bits);
/// d += a * b of 16 by 8 elements; K is what fills two registers of `b` a lane.
void multiply_fragments(float* d, const unsigned* a, const unsigned* b, Element element);
void multiply_fragments(int* d, const unsigned* a, const unsigned* b, Element element_a, Element element_b);

void copy_async(unsigned to, const void* from, int bytes, int bytes_read);
void copy_commit();
void copy_wait(int pending);

void barrier_init(unsigned barrier, unsigned count);
void barrier_arrive(unsigned barrier, unsigned bytes);
void barrier_wait(unsigned barrier, unsigned parity);

/// `map`: the kernel's parameter. Coordinates begin with the innermost dimension.
void tma_load(unsigned to, const void* map, unsigned barrier, const int* coordinates, int rank);
void tma_load_im2col(unsigned to, const void* map, unsigned barrier, const int* coordinates, int rank, const unsigned short* offsets);

/// d = a * b (+ d where `add`) of 64 rows and `columns` columns, of which a thread has half as many sums as there are columns.
void wgmma(void* d, int columns, unsigned long long a, unsigned long long b, bool add, Element element_a, Element element_b, bool transpose_b);
void wgmma_fence();
void wgmma_commit();
void wgmma_wait(int pending);

/// All threads of the blocks that run at once. 16 bytes from the shared memory of one of them; to that of this block.
void cluster_sync();
unsigned cluster_rank();
void load_from_block(void* to, unsigned address, unsigned rank);
void store_shared(unsigned address, const void* from);

/// What kernels before this one wrote is there.
void wait_for_previous_kernel();

#pragma GCC visibility pop
}  // namespace intaglio::testing::emulated
