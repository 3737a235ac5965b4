// Graph to artifact: what the driver calls. Each graph has been through the passes: at its top level stand only constants, views and `kernel` nodes.
#pragma once

#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"

namespace intaglio {

/// How a contraction is cut into tiles for wgmma, and their sums into stages under way and parts.
struct TileChoice {
  int rows, columns, stages, split;
};

struct CodegenOptions {
  /// "cpu", "cuda": a variant for each, in this order.
  std::vector<std::string> targets{"cpu"};
  /// Of the CUDA variants: "sm_90a", "ptx".
  std::vector<std::string> archs{"sm_90a"};
  /// "native" or a level or CPU name that LLVM knows.
  std::string cpu = "native";
  int optimization_level = 2;
  /// f32 contractions may round their operands to tf32 (CUDA).
  bool tf32 = false;
  /// Every load and store of generated code verifies its index.
  bool checked = false;
  std::set<std::string> disabled_tactics;
  /// Of those that are off by default: "cublaslt".
  std::set<std::string> enabled_tactics;
  /// The tile of every wgmma kernel, where a model of the time would choose one. Tests try each on a GPU.
  std::optional<TileChoice> wgmma_tile;
};

/// What the manifest says of where the artifact came from.
struct ModelInfo {
  std::string name;
  std::string hash;          ///< of the model's bytes
  std::string options_text;  ///< the resolved options
  std::string version;       ///< of the compiler
};

struct LoweredGraph;

/// Generates code for every kernel of each variant's graph, plans its memory, and writes the artifact to `path` (deterministic: equal input, equal
/// bytes). The graphs have the same arguments and results.
void generate_artifact(std::span<const LoweredGraph> lowered, const ModelInfo& info, const std::string& path);

/// The text of a stage, variant after variant: "kernels" (kernel IR and contraction schedules), "llvm" (optimized LLVM IR), "asm", "cuda" or "ptx".
std::string emit_text(std::span<const LoweredGraph> lowered, std::string_view kind);

}  // namespace intaglio
