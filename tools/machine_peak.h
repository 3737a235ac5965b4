// What this machine can do at most: the rulers that kernels are held against.
#pragma once

namespace intaglio {

// All are 0 on a machine without AVX2, for which there is no ruler.

/// Billions of fp32 operations a second that `threads` threads reach together with independent fused multiply-adds in registers.
double peak_gflops(int threads);

/// The same of exact products of 8-bit integers summed in i32.
double peak_int8_gops(int threads);

/// GB/s at which `threads` threads together read memory that they read before, `bytes` each.
double read_bandwidth(int threads, long bytes);

}  // namespace intaglio
