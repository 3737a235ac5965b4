// machine_peak: prints what this machine reaches on 1 and on all threads.

#include <cstdio>
#include <thread>

#include "tools/machine_peak.h"

int main() {
  const int all = static_cast<int>(std::thread::hardware_concurrency());
  for (int threads = 1; threads <= all; threads = threads < all ? all : all + 1) {
    std::printf("%d thread%s: %.0f GFLOP/s fp32, %.0f GOP/s int8, %.1f GB/s read (64 MiB each)\n", threads, threads == 1 ? "" : "s",
                intaglio::peak_gflops(threads), intaglio::peak_int8_gops(threads), intaglio::read_bandwidth(threads, 64 << 20));
  }
}
