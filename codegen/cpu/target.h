// Which CPU code is generated for: what `--cpu` means.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <llvm/Target/TargetMachine.h>

namespace intaglio::cpu {

struct CpuTarget {
  std::string name;                   ///< "x86-64-v3", "sapphirerapids" .. : of the variant; what "native" resolved to
  std::vector<std::string> features;  ///< sorted; what generated code may use and a machine must have, by LLVM's names
  int vector_bytes = 16;              ///< of the widest register
  int vector_registers = 16;
  bool has_fma = false;
  std::int64_t l2_bytes = 1 << 20;    ///< assumed size of a core's second-level cache

  bool has(const std::string& feature) const;
};

/// "native", a level (x86-64-v2 .. x86-64-v4) or a CPU name of LLVM's. CompileError (usage) for an unknown one or one below x86-64-v2.
CpuTarget resolve_cpu(const std::string& name);

/// The machine that code for `target` is generated with; position-independent, -O3.
std::unique_ptr<llvm::TargetMachine> create_target_machine(const CpuTarget& target);

}  // namespace intaglio::cpu
