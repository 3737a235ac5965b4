// Resolves `--cpu` to the features that the loader can check, and to nothing else: code uses exactly what the manifest asks for.

#include "codegen/cpu/target.h"

#include <llvm/ADT/StringMap.h>
#include <llvm/MC/MCSubtargetInfo.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/TargetParser/Host.h>

#include <algorithm>
#include <array>
#include <mutex>

#include <fmt/ranges.h>

#include "support/diagnostics.h"

namespace intaglio::cpu {
namespace {

constexpr const char* kTriple = "x86_64-unknown-linux-gnu";

/// What code may use: features that a loader can look up. Sorted.
constexpr std::array kFeatures = {"avx",        "avx2",       "avx512bf16", "avx512bitalg", "avx512bw",  "avx512cd",       "avx512dq", "avx512f",
                                  "avx512fp16", "avx512ifma", "avx512vbmi", "avx512vbmi2",  "avx512vl",  "avx512vnni",     "avx512vpopcntdq",
                                  "avxvnni",    "bmi",        "bmi2",       "f16c",         "fma",       "gfni",           "lzcnt",    "movbe",
                                  "popcnt",     "sse4.1",     "sse4.2",     "ssse3",        "vpclmulqdq"};

/// The least that generated code needs: rounding in one instruction.
constexpr std::array kRequired = {"popcnt", "sse4.1", "sse4.2", "ssse3"};

const llvm::Target& x86() {
  static const llvm::Target* target = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    std::string error;
    const llvm::Target* found = llvm::TargetRegistry::lookupTarget(llvm::Triple(kTriple), error);
    internal_check(found, "{}", error);
    return found;
  }();
  return *target;
}

std::vector<std::string> host_features() {
  std::vector<std::string> result;
  const auto host = llvm::sys::getHostCPUFeatures();
  for (const char* feature : kFeatures) {
    const auto found = host.find(feature);
    if (found != host.end() && found->second) result.emplace_back(feature);
  }
  return result;
}

std::vector<std::string> features_of(const std::string& name) {
  const std::unique_ptr<llvm::MCSubtargetInfo> info(x86().createMCSubtargetInfo(llvm::Triple(kTriple), name, ""));
  std::vector<std::string> result;
  for (const char* feature : kFeatures) {
    if (info->checkFeatures(std::string("+") + feature)) result.emplace_back(feature);
  }
  return result;
}

bool is_known(const std::string& name) {
  const std::unique_ptr<llvm::MCSubtargetInfo> info(x86().createMCSubtargetInfo(llvm::Triple(kTriple), "", ""));
  return info->isCPUStringValid(name);
}

}  // namespace

bool CpuTarget::has(const std::string& feature) const { return std::ranges::binary_search(features, feature); }

CpuTarget resolve_cpu(const std::string& name) {
  x86();
  CpuTarget target;
  if (name == "native") {
    target.name = llvm::sys::getHostCPUName().str();
    target.features = host_features();
  } else {
    if (!is_known(name)) {
      throw CompileError(ErrorCode::usage, Diagnostic{"--cpu", fmt::format("'{}' is no CPU that code can be generated for", name),
                                                      "native, x86-64-v2, x86-64-v3, x86-64-v4, or a name such as haswell, skylake-avx512, sapphirerapids, znver4",
                                                      name, "x86-64-v3 runs on nearly every machine since 2015"});
    }
    target.name = name;
    target.features = features_of(name);
  }
  for (const char* feature : kRequired) {
    if (target.has(feature)) continue;
    throw CompileError(ErrorCode::usage, Diagnostic{"--cpu", fmt::format("'{}' lacks {}", name, feature), "x86-64-v2 or better", target.name,
                                                    "x86-64-v2 is the lowest level that code is generated for"});
  }
  target.has_fma = target.has("fma");
  const bool wide = target.has("avx512f") && target.has("avx512vl") && target.has("avx512bw") && target.has("avx512dq");
  target.vector_bytes = wide ? 64 : target.has("avx2") ? 32 : 16;
  target.vector_registers = wide ? 32 : 16;
  target.l2_bytes = wide ? 1 << 20 : 1 << 19;
  return target;
}

std::unique_ptr<llvm::TargetMachine> create_target_machine(const CpuTarget& target) {
  std::vector<std::string> features;
  for (const std::string& feature : target.features) features.push_back("+" + feature);
  llvm::TargetOptions options;
  options.AllowFPOpFusion = llvm::FPOpFusion::Standard;
  std::unique_ptr<llvm::TargetMachine> machine(x86().createTargetMachine(llvm::Triple(kTriple), "x86-64", fmt::format("{}", fmt::join(features, ",")),
                                                                         options, llvm::Reloc::PIC_, std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  internal_check(machine, "LLVM has no machine for {}", target.name);
  return machine;
}

}  // namespace intaglio::cpu
