// intaglio compile

#include <CLI/CLI.hpp>

#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>

#include "driver/compile.h"
#include "support/diagnostics.h"
#include "tools/commands.h"

namespace intaglio {
namespace {

struct Flags {
  CompileOptions options;
  std::string targets = "cpu", archs = "sm_90a", shapes, precision = "fp32", quantize, method = "mse", emit, progress = "auto";
  std::vector<std::string> layer_precision, disabled_passes, disabled_tactics, enabled_tactics, print_after;
};

/// "cpu,cuda": each known name once. CompileError (usage) otherwise.
std::vector<std::string> names_of(const std::string& flag, const std::string& text, const std::vector<std::string>& known) {
  std::vector<std::string> names = CLI::detail::split(text, ',');
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool again = std::find(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(i), names[i]) != names.begin() + static_cast<std::ptrdiff_t>(i);
    if (again || std::ranges::find(known, names[i]) == known.end()) {
      throw CompileError(ErrorCode::usage, Diagnostic{flag, again ? fmt::format("'{}' is named twice", names[i]) : fmt::format("'{}' is not known", names[i]), fmt::format("{}", fmt::join(known, ", ")), text});
    }
  }
  return names;
}

void set_precision(CompileOptions& options, const std::string& precision, const std::vector<std::string>& layers) {
  options.codegen.tf32 = precision == "tf32";
  if (options.codegen.tf32 && std::ranges::find(options.codegen.targets, "cpu") != options.codegen.targets.end()) {
    throw CompileError(ErrorCode::usage, Diagnostic{"--precision", "tf32 is a format of GPUs", "--target cuda, or fp32, fp16 or bf16", precision});
  }
  options.precision = parse_precision(precision).value_or(DType::f32);
  for (const std::string& layer : layers) options.layer_precision.push_back(parse_layer_precision(layer));
}

const std::map<std::string, DType> kQuantized{{"int8", DType::i8}, {"fp8", DType::f8e4m3fn}, {"int4", DType::i4}};

void set_quantization(QuantizeOptions& options, const Flags& flags) {
  options.method = parse_calibration_method(flags.method).value_or(options.method);
  if (flags.quantize.empty()) {
    if (options.samples.empty()) return;
    throw CompileError(ErrorCode::usage, Diagnostic{"--calibrate", "samples serve --quantize, which is not asked for", "--quantize int8, fp8 or int4", options.samples});
  }
  options.storage = kQuantized.at(flags.quantize);
  if (options.storage != DType::i4 && options.samples.empty()) {
    throw CompileError(ErrorCode::usage, Diagnostic{"--quantize", "the ranges of activations come from samples, and none are given", "--calibrate FILE.npz or a folder of them", flags.quantize});
  }
}

/// What the runner of passes is to do.
void set_passes(RunnerOptions& options, const Flags& flags) {
  options.disabled.insert(flags.disabled_passes.begin(), flags.disabled_passes.end());
  options.print_after.insert(flags.print_after.begin(), flags.print_after.end());
  for (const auto* names : {&flags.disabled_passes, &flags.print_after}) {
    for (const std::string& name : *names) {
      if (!find_pass(name)) throw CompileError(ErrorCode::usage, Diagnostic{"", fmt::format("no pass is named '{}'", name), "a pass of docs/passes.md", name});
    }
  }
  if (options.disabled.contains("fuse_kernels")) {
    throw CompileError(ErrorCode::usage, Diagnostic{"--disable-pass", "code is generated for the groups that fuse_kernels makes", "another pass", "fuse_kernels", "-O0 puts each node into a group of its own"});
  }
  if (options.disabled.contains("insert_quantization") && !flags.quantize.empty()) {
    throw CompileError(ErrorCode::usage, Diagnostic{"--disable-pass", "--quantize asks for what the pass does", "one of both", "insert_quantization"});
  }
}

void set_enabled_tactics(CodegenOptions& options, const std::vector<std::string>& tactics) {
  options.enabled_tactics.insert(tactics.begin(), tactics.end());
  if (options.enabled_tactics.contains("cublaslt") && std::ranges::find(options.targets, "cuda") == options.targets.end()) {
    throw CompileError(ErrorCode::usage, Diagnostic{"--enable-tactic", "cuBLASLt is a library of GPUs", "--target cuda", "cublaslt"});
  }
}

void run(Flags& flags) {
  CompileOptions& options = flags.options;
  options.codegen.targets = names_of("--target", flags.targets, {"cpu", "cuda"});
  options.codegen.archs = names_of("--arch", flags.archs, {"sm_90a", "ptx"});
  set_precision(options, flags.precision, flags.layer_precision);
  set_quantization(options.quantize, flags);
  if (!flags.shapes.empty()) options.input_shapes = parse_shapes(flags.shapes);
  set_passes(options.passes, flags);
  set_enabled_tactics(options.codegen, flags.enabled_tactics);
  options.codegen.disabled_tactics.insert(flags.disabled_tactics.begin(), flags.disabled_tactics.end());
  if (!flags.emit.empty()) {
    std::fputs(emit_stage(options, flags.emit).c_str(), stdout);
    if (options.output.empty()) return;
  }
  if (options.output.empty()) throw CompileError(ErrorCode::usage, Diagnostic{"", "no output is named", "-o model.tar, or --emit to print a stage", ""});
  if (flags.progress != "none") {
    options.progress = [](const std::string& what) { std::fprintf(stderr, "%s\n", what.c_str()); };
  }
  const CompileReport report = compile(options);
  if (report.quantization) std::fputs(to_text(*report.quantization).c_str(), stdout);
}

}  // namespace

void add_compile(CLI::App& app) {
  auto* command = app.add_subcommand("compile", "Compiles an ONNX model to an artifact.");
  auto flags = std::make_shared<Flags>();
  CompileOptions& options = flags->options;
  command->add_option("model", options.model, "the ONNX file")->required();
  command->add_option("-o,--output", options.output, "the artifact to write")->group("Output");
  command->add_option("--target", flags->targets, "cpu, cuda, or both: cpu,cuda")->capture_default_str()->group("Target");
  command->add_option("--cpu", options.codegen.cpu, "native, a level such as x86-64-v3, or a CPU's name")->capture_default_str()->group("Target");
  command->add_option("--arch", flags->archs, "GPUs: sm_90a (Hopper), ptx (any from compute capability 8.0 on), or both")->capture_default_str()->group("Target");
  command->add_option("--shapes", flags->shapes, "replaces symbolic input dimensions: in:1x3x224x224 or in[1,3,224,224], joined by commas")->group("Model");
  command->add_option("--precision", flags->precision, "what float32 values are computed in; inputs and outputs keep their type")->check(CLI::IsMember({"fp32", "tf32", "fp16", "bf16"}))->capture_default_str()->group("Precision");
  command->add_option("--layer-precision", flags->layer_precision, "GLOB:fp32 (or fp16, bf16): another precision for the ONNX nodes of these names; repeatable")->group("Precision");
  command->add_option("--quantize", flags->quantize, "int8 or fp8 (weights and activations), int4 (weights)")->check(CLI::IsMember({"int8", "fp8", "int4"}))->group("Precision");
  command->add_option("--calibrate", options.quantize.samples, "FILE.npz of samples (an array for each input, samples along the first axis), or a folder of such files")->group("Precision");
  command->add_option("--calibrate-method", flags->method, "how ranges follow from samples")->check(CLI::IsMember({"minmax", "entropy", "percentile", "mse"}))->capture_default_str()->group("Precision");
  command->add_option("-O", options.codegen.optimization_level, "-O0: no fusion, plain loops; -O1: fusion and layouts; -O2: everything")->check(CLI::Range(0, 2))->capture_default_str()->group("Optimization");
  command->add_option("--disable-pass", flags->disabled_passes, "leaves a pass out")->group("Optimization");
  command->add_option("--disable-tactic", flags->disabled_tactics, "leaves a tactic out: tiled, depthwise, mma, wgmma")
      ->check(CLI::IsMember({"tiled", "depthwise", "mma", "wgmma"}))
      ->group("Optimization");
  command->add_option("--enable-tactic", flags->enabled_tactics, "adds a tactic that is off by default: cublaslt, which computes plain matrix products of a GPU where the library is installed")
      ->check(CLI::IsMember({"cublaslt"}))
      ->group("Optimization");
  command->add_option("--emit", flags->emit, "prints a stage")->check(CLI::IsMember({"graph", "optimized", "kernels", "llvm", "asm", "cuda", "ptx"}))->group("Debugging");
  command->add_option("--dump-ir", options.passes.dump_folder, "writes the graph after each pass into a folder")->group("Debugging");
  command->add_option("--print-after", flags->print_after, "prints the graph after a pass")->group("Debugging");
  command->add_flag("--time-passes", options.passes.time_passes, "tells how long each pass took")->group("Debugging");
  command->add_flag("--verify-each", options.passes.verify_each, "verifies the graph after each pass")->group("Debugging");
  command->add_flag("--checked", options.codegen.checked, "generated code verifies every index (slow)")->group("Debugging");
  command->add_option("--progress", flags->progress, "what is told while compiling")->check(CLI::IsMember({"auto", "plain", "none"}))->capture_default_str()->group("Output");
  command->footer("Example: intaglio compile resnet50.onnx --cpu x86-64-v3 -o resnet50.tar");
  command->callback([flags] { run(*flags); });
}

}  // namespace intaglio
