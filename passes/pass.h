// A pass is a free function on a graph in its own file; this is what they all get, and the runner that does the chores once.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "ir/target_traits.h"

namespace intaglio {

/// The dtype that a user wants the floats of some ONNX nodes in.
struct LayerPrecision {
  std::string glob;  ///< of ONNX node names, as the shell writes them; `*` also matches slashes
  DType dtype;       ///< f32, f16 or bf16
};

/// What an activation was seen to hold.
struct ValueRange {
  double low = 0, high = 0;
};

/// What contractions are to be computed in.
struct Quantization {
  /// i8 (with u8 activations), f8e4m3fn, or i4 (weights alone); undefined: nothing is quantized.
  DType storage = DType::undefined;
  /// Of activations, by the name of the value.
  std::map<std::string, ValueRange> ranges = {};
};

/// True if the glob matches one of the ONNX nodes that `node` came from.
bool matches_origin(const LayerPrecision& layer, const Node& node);

/// What passes must know of the target and the options, as plain data.
struct PassContext {
  int optimization_level = 2;
  /// Convolutions want channels innermost.
  bool channels_last = true;
  TargetTraits target = {};
  /// What f32 values become: f32, f16 or bf16.
  DType precision = DType::f32;
  /// Exceptions from `precision`; of several that match an ONNX node the last one counts.
  std::vector<LayerPrecision> layer_precision = {};
  Quantization quantization = {};
  /// Told of quantized nodes that the target computes in floats, and why; may be empty.
  std::function<void(const Node&, const std::string&)> stays_in_float = {};
  /// Told what the user should know of a rewrite, a line at a time; may be empty.
  std::function<void(const std::string&)> report = {};
};

struct Pass {
  /// File = function = name on the command line = test folder.
  std::string_view name;
  /// Returns true if the graph changed.
  bool (*run)(Graph& graph, const PassContext& context);
  /// The lowest -O at which the pipeline runs it.
  int level;
};

/// Every pass by name, for `opt --passes=`.
const Pass* find_pass(std::string_view name);
/// The passes that `compile` runs, in order; the reason for each is in pipeline.cpp.
std::span<const Pass> pipeline();

/// What the runner does around each pass.
struct RunnerOptions {
  std::set<std::string, std::less<>> disabled;
  bool verify_each = false;  ///< verify after each pass, not only at the end
  bool time_passes = false;  ///< a table to stderr
  std::set<std::string, std::less<>> print_after;
  std::string dump_folder;   ///< writes NN-pass.ir for each pass; empty: no
  int first_number = 1;      ///< NN of the first pass
};

/// Runs passes in order: skips, times, verifies, dumps.
void run_passes(Graph& graph, std::span<const Pass> passes, const PassContext& context, const RunnerOptions& options);

}  // namespace intaglio
