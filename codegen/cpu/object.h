// From an LLVM module to machine code.
#pragma once

#include <string>

#include <llvm/IR/Module.h>

#include "codegen/cpu/target.h"

namespace intaglio::cpu {

/// Gives the module `target`'s data layout and its functions the attributes that code generation goes by. Before optimize_module.
void apply_target(llvm::Module& module, llvm::TargetMachine& machine, const CpuTarget& target);
/// LLVM's -O3 without its vectorizers, which have nothing left to do, and without library calls. InternalError if the module is malformed.
void optimize_module(llvm::Module& module, llvm::TargetMachine& machine);
/// The bytes of an ELF object, or assembly text.
std::string emit_object(llvm::Module& module, llvm::TargetMachine& machine, bool assembly = false);

}  // namespace intaglio::cpu
