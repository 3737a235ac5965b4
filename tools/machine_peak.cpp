// Measures the peaks with intrinsics: what the compiler makes of plain loops is not the machine's limit.

#include "tools/machine_peak.h"

#include <immintrin.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

namespace intaglio {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kSeconds = 0.3;
constexpr int kAccumulators = 12;  // latency 4 to 5 times two units, and registers left for both factors
constexpr long kSteps = 100'000;
/// Results end here, so that no loop is dropped.
volatile float sink = 1;

double seconds_since(Clock::time_point began) { return std::chrono::duration<double>(Clock::now() - began).count(); }

/// Different starting values: equal accumulators would be merged into one, and the peak come out too high.
float start_of(int accumulator) { return sink + static_cast<float>(accumulator); }

// Accumulators are named one by one because an array of them may land in memory.
#define INTAGLIO_FMA_LOOP(vector, set1, fmadd, reduce)                                                                       \
  vector a0 = set1(start_of(0)), a1 = set1(start_of(1)), a2 = set1(start_of(2)), a3 = set1(start_of(3));                     \
  vector a4 = set1(start_of(4)), a5 = set1(start_of(5)), a6 = set1(start_of(6)), a7 = set1(start_of(7));                     \
  vector a8 = set1(start_of(8)), a9 = set1(start_of(9)), a10 = set1(start_of(10)), a11 = set1(start_of(11));                 \
  const vector factor = set1(0.999f), term = set1(0.001f);                                                                   \
  for (long i = 0; i < kSteps; ++i) {                                                                                        \
    a0 = fmadd(a0, factor, term), a1 = fmadd(a1, factor, term), a2 = fmadd(a2, factor, term), a3 = fmadd(a3, factor, term);  \
    a4 = fmadd(a4, factor, term), a5 = fmadd(a5, factor, term), a6 = fmadd(a6, factor, term), a7 = fmadd(a7, factor, term);  \
    a8 = fmadd(a8, factor, term), a9 = fmadd(a9, factor, term), a10 = fmadd(a10, factor, term), a11 = fmadd(a11, factor, term); \
  }                                                                                                                          \
  float values[4] = {reduce(a0, a1, a2), reduce(a3, a4, a5), reduce(a6, a7, a8), reduce(a9, a10, a11)};                      \
  sink = values[0] + values[1] + values[2] + values[3]

__attribute__((target("avx512f"))) float sum_of(__m512 a, __m512 b, __m512 c) { return _mm512_cvtss_f32(a) + _mm512_cvtss_f32(b) + _mm512_cvtss_f32(c); }
__attribute__((target("avx2,fma"))) float sum_of(__m256 a, __m256 b, __m256 c) { return _mm256_cvtss_f32(a) + _mm256_cvtss_f32(b) + _mm256_cvtss_f32(c); }

// Integers: four products of bytes with VNNI, two of 16-bit integers without it; the sum is an operand, so that no product leaves the loop.
#define INTAGLIO_SET1_512(value) _mm512_set1_epi32(static_cast<int>(value))
#define INTAGLIO_SET1_256(value) _mm256_set1_epi32(static_cast<int>(value))
#define INTAGLIO_PAIRS(sum, factor, term) _mm256_add_epi32(_mm256_madd_epi16(sum, factor), term)

__attribute__((target("avx512f"))) float sum_of(__m512i a, __m512i b, __m512i c) { return sum_of(_mm512_castsi512_ps(a), _mm512_castsi512_ps(b), _mm512_castsi512_ps(c)); }
__attribute__((target("avx2,fma"))) float sum_of(__m256i a, __m256i b, __m256i c) { return sum_of(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), _mm256_castsi256_ps(c)); }

__attribute__((target("avx512f,avx512vnni"))) void dot_bytes_avx512() { INTAGLIO_FMA_LOOP(__m512i, INTAGLIO_SET1_512, _mm512_dpbusd_epi32, sum_of); }
__attribute__((target("avx2,fma"))) void dot_pairs_avx2() { INTAGLIO_FMA_LOOP(__m256i, INTAGLIO_SET1_256, INTAGLIO_PAIRS, sum_of); }

#undef INTAGLIO_PAIRS
#undef INTAGLIO_SET1_256
#undef INTAGLIO_SET1_512

__attribute__((target("avx512f"))) void multiply_add_avx512() { INTAGLIO_FMA_LOOP(__m512, _mm512_set1_ps, _mm512_fmadd_ps, sum_of); }
__attribute__((target("avx2,fma"))) void multiply_add_avx2() { INTAGLIO_FMA_LOOP(__m256, _mm256_set1_ps, _mm256_fmadd_ps, sum_of); }

#undef INTAGLIO_FMA_LOOP

/// `products` is how many an instruction of `loop` multiplies and adds.
double rate_of_one_thread(void (*loop)(), int products) {
  const double operations = 2.0 * products * kAccumulators * kSteps;
  double done = 0;
  const auto began = Clock::now();
  while (seconds_since(began) < kSeconds) {
    loop();
    done += operations;
  }
  return done / seconds_since(began) / 1e9;
}

double gflops_of_one_thread() {
  return __builtin_cpu_supports("avx512f") ? rate_of_one_thread(multiply_add_avx512, 16) : rate_of_one_thread(multiply_add_avx2, 8);
}

double int8_gops_of_one_thread() {
  return __builtin_cpu_supports("avx512vnni") ? rate_of_one_thread(dot_bytes_avx512, 64) : rate_of_one_thread(dot_pairs_avx2, 16);
}

__attribute__((target("avx2"))) double bandwidth_of_one_thread(long bytes) {
  const std::vector<char> memory(static_cast<std::size_t>(bytes), 1);
  double read = 0;
  __m256i sum = _mm256_setzero_si256();
  const auto began = Clock::now();
  while (seconds_since(began) < kSeconds) {
    for (long i = 0; i + 128 <= bytes; i += 128) {
      for (long j = 0; j < 128; j += 32) sum = _mm256_xor_si256(sum, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(memory.data() + i + j)));
    }
    read += static_cast<double>(bytes);
  }
  const double rate = read / seconds_since(began) / 1e9;
  sink = static_cast<float>(_mm256_extract_epi32(sum, 0)) + 1;
  return rate;
}

/// The rulers are written for the vectors of nearly every machine since 2015.
bool is_measured() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

/// The sum over threads that measure at the same time.
double measure(int threads, const std::function<double()>& one) {
  std::vector<double> rates(static_cast<std::size_t>(threads));
  std::vector<std::thread> running;
  for (double& rate : rates) running.emplace_back([&rate, &one] { rate = one(); });
  double sum = 0;
  for (std::size_t i = 0; i < rates.size(); ++i) {
    running[i].join();
    sum += rates[i];
  }
  return sum;
}

}  // namespace

double peak_gflops(int threads) { return is_measured() ? measure(threads, gflops_of_one_thread) : 0; }

double peak_int8_gops(int threads) { return is_measured() ? measure(threads, int8_gops_of_one_thread) : 0; }

double read_bandwidth(int threads, long bytes) {
  if (!is_measured()) return 0;
  return measure(threads, [bytes] { return bandwidth_of_one_thread(bytes); });
}

}  // namespace intaglio
