// CPUID, with the check that the operating system saves the wide registers.

#include "runtime/cpu/features.h"

#include <cpuid.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace intaglio::runtime::cpu {
namespace {

enum Register { eax, ebx, ecx, edx };

/// One bit of CPUID. `state`: the bits of XCR0 that must be set for the feature to be usable.
struct FeatureBit {
  const char* name;
  unsigned leaf, subleaf;
  Register where;
  int bit;
  std::uint64_t state;
};

constexpr std::uint64_t kYmm = 0x6, kZmm = 0xe6;

constexpr std::array kFeatureBits = {
    FeatureBit{"ssse3", 1, 0, ecx, 9, 0},           FeatureBit{"fma", 1, 0, ecx, 12, kYmm},         FeatureBit{"sse4.1", 1, 0, ecx, 19, 0},
    FeatureBit{"sse4.2", 1, 0, ecx, 20, 0},         FeatureBit{"movbe", 1, 0, ecx, 22, 0},          FeatureBit{"popcnt", 1, 0, ecx, 23, 0},
    FeatureBit{"avx", 1, 0, ecx, 28, kYmm},         FeatureBit{"f16c", 1, 0, ecx, 29, kYmm},        FeatureBit{"bmi", 7, 0, ebx, 3, 0},
    FeatureBit{"avx2", 7, 0, ebx, 5, kYmm},         FeatureBit{"bmi2", 7, 0, ebx, 8, 0},            FeatureBit{"avx512f", 7, 0, ebx, 16, kZmm},
    FeatureBit{"avx512dq", 7, 0, ebx, 17, kZmm},    FeatureBit{"avx512ifma", 7, 0, ebx, 21, kZmm},  FeatureBit{"avx512cd", 7, 0, ebx, 28, kZmm},
    FeatureBit{"avx512bw", 7, 0, ebx, 30, kZmm},    FeatureBit{"avx512vl", 7, 0, ebx, 31, kZmm},    FeatureBit{"avx512vbmi", 7, 0, ecx, 1, kZmm},
    FeatureBit{"avx512vbmi2", 7, 0, ecx, 6, kZmm},  FeatureBit{"gfni", 7, 0, ecx, 8, 0},            FeatureBit{"vpclmulqdq", 7, 0, ecx, 10, kYmm},
    FeatureBit{"avx512vnni", 7, 0, ecx, 11, kZmm},  FeatureBit{"avx512bitalg", 7, 0, ecx, 12, kZmm}, FeatureBit{"avx512vpopcntdq", 7, 0, ecx, 14, kZmm},
    FeatureBit{"avx512fp16", 7, 0, edx, 23, kZmm},  FeatureBit{"avxvnni", 7, 1, eax, 4, kYmm},      FeatureBit{"avx512bf16", 7, 1, eax, 5, kZmm},
    FeatureBit{"lzcnt", 0x80000001, 0, ecx, 5, 0},
};

/// The register state that the operating system saves.
std::uint64_t saved_state() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & (1u << 27))) return 0;
  std::uint32_t low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<std::uint64_t>(high) << 32 | low;
}

bool has(const FeatureBit& feature) {
  std::array<unsigned, 4> registers{};
  if (!__get_cpuid_count(feature.leaf, feature.subleaf, &registers[eax], &registers[ebx], &registers[ecx], &registers[edx])) return false;
  return (registers[feature.where] >> feature.bit & 1u) && (saved_state() & feature.state) == feature.state;
}

}  // namespace

std::vector<std::string> missing_features(const std::vector<std::string>& features) {
  std::vector<std::string> missing;
  for (const std::string& name : features) {
    const auto known = std::ranges::find_if(kFeatureBits, [&](const FeatureBit& bit) { return name == bit.name; });
    if (known == kFeatureBits.end() || !has(*known)) missing.push_back(name);
  }
  return missing;
}

std::optional<Diagnostic> refusal(const std::vector<std::string>& features, const std::string& cpu_name, const std::string& path) {
  std::string list;
  for (const std::string& feature : missing_features(features)) list += (list.empty() ? "" : ", ") + feature;
  if (list.empty()) return {};
  return Diagnostic{path, "the artifact was built for another CPU", fmt::format("a CPU with the features of {}", cpu_name), fmt::format("this one lacks {}", list),
                    "compile with --cpu x86-64-v3, or on this machine with --cpu native"};
}

}  // namespace intaglio::runtime::cpu
