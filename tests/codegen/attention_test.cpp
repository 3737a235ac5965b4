// Attention: as plain loops, and as the kernels of GPUs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/codegen/gpu.h"
#include "tests/codegen/lowering.h"

namespace intaglio::testing {
namespace {

/// As the CPU computes it, and as GPUs do.
void expect_attention_matches(const std::string& text, const SymbolValues& symbols = {}, const InputRanges& ranges = {}) {
  const WrappedGroup group = wrap_group(text);
  SCOPED_TRACE(text);
  const std::vector<Tensor> inputs = random_inputs(group.region(), symbols, ranges);
  for (const CodegenOptions& options : options_to_test()) {
    SCOPED_TRACE(options.cpu);
    expect_code_matches(group, Machine(*group.graph, options), inputs, symbols);
  }
  expect_cuda_matches(group, inputs, symbols);
}

std::string plain(const std::string& dtype, int s, int t, int d, int e) {
  return fmt::format("graph @g(%q: {0}[2,{1},{3}], %k: {0}[2,{2},{3}], %v: {0}[2,{2},{4}]) -> {0}[2,{1},{4}] {{\n"
                     " %0 = attention(%q, %k, %v) {{scale=0.3}} : {0}[2,{1},{4}]\n return %0 }}",
                     dtype, s, t, d, e);
}

TEST(Attention, EveryFloatType) {
  for (const char* dtype : {"f32", "f16", "bf16", "f64"}) expect_attention_matches(plain(dtype, 7, 9, 16, 16));
}

TEST(Attention, QueriesAndKeysAroundTiles) {
  for (const char* dtype : {"f32", "f16"}) {
    for (int s : {1, 32, 65}) {
      for (int t : {1, 16, 63, 64, 65, 130}) expect_attention_matches(plain(dtype, s, t, 32, 32));
    }
  }
}

TEST(Attention, ColumnsOfHeads) {
  for (const char* dtype : {"f32", "f16"}) {
    for (const auto& [d, e] : {std::pair(64, 64), {128, 128}, {8, 24}, {40, 80}, {5, 3}, {1, 1}}) expect_attention_matches(plain(dtype, 33, 40, d, e));
  }
}

TEST(Attention, SymbolicExtentsAndMaskOfKeys) {
  for (const char* dtype : {"f32", "f16"}) {
    const std::string text = fmt::format(
        "graph @g(%q: {0}[N,2,S,16], %k: {0}[N,2,T,16], %v: {0}[N,2,T,16], %m: {0}[N,1,1,T]) -> {0}[N,2,S,16]{{0,2,1,3}} {{\n"
        " %0 = attention(%q, %k, %v, %m) {{scale=0.25}} : {0}[N,2,S,16]{{0,2,1,3}}\n return %0 }}",
        dtype);
    for (const auto& [s, t] : {std::pair(1, 1), {3, 100}, {70, 64}}) expect_attention_matches(text, {{"N", 2}, {"S", s}, {"T", t}}, {{"m", {-8, 0}}});
  }
}

TEST(Attention, MaskOfPairsAndEpilogue) {
  for (const char* dtype : {"f32", "f16"}) {
    expect_attention_matches(fmt::format("graph @g(%q: {0}[3,20,16], %k: {0}[3,70,16], %v: {0}[3,70,16], %m: {0}[20,70], %r: {0}[3,20,16]) -> {0}[3,20,16] {{\n"
                                         " %0 = attention(%q, %k, %v, %m) {{scale=1}} : {0}[3,20,16]\n %1 = relu(%0) : {0}[3,20,16]\n"
                                         " %2 = add(%1, %r) : {0}[3,20,16]\n return %2 }}",
                                         dtype),
                             {}, {{"m", {-9, 9}}});
  }
}

/// The columns of one product, as transformers have it.
TEST(Attention, HeadsCutFromOneProduct) {
  for (const char* dtype : {"f32", "f16", "bf16"}) {
    expect_attention_matches(fmt::format("graph @g(%x: {0}[N,S,96]) -> {0}[N,2,S,16]{{0,2,1,3}} {{\n"
                                         " %q = slice(%x) {{sizes=[N,S,32], starts=[0,0,0], steps=[1,1,1]}} : {0}[N,S,32]\n"
                                         " %k = slice(%x) {{sizes=[N,S,32], starts=[0,0,32], steps=[1,1,1]}} : {0}[N,S,32]\n"
                                         " %v = slice(%x) {{sizes=[N,S,32], starts=[0,0,64], steps=[1,1,1]}} : {0}[N,S,32]\n"
                                         " %q1 = reshape(%q) {{shape=[N,S,2,16]}} : {0}[N,S,2,16]\n %q2 = transpose(%q1) {{perm=[0,2,1,3]}} : {0}[N,2,S,16]{{0,2,1,3}}\n"
                                         " %k1 = reshape(%k) {{shape=[N,S,2,16]}} : {0}[N,S,2,16]\n %k2 = transpose(%k1) {{perm=[0,2,1,3]}} : {0}[N,2,S,16]{{0,2,1,3}}\n"
                                         " %v1 = reshape(%v) {{shape=[N,S,2,16]}} : {0}[N,S,2,16]\n %v2 = transpose(%v1) {{perm=[0,2,1,3]}} : {0}[N,2,S,16]{{0,2,1,3}}\n"
                                         " %0 = attention(%q2, %k2, %v2) {{scale=0.25}} : {0}[N,2,S,16]{{0,2,1,3}}\n return %0 }}",
                                         dtype),
                             {{"N", 3}, {"S", 37}});
  }
}

/// Nothing that a wide access could read at once.
TEST(Attention, TransposedKeys) {
  for (const char* dtype : {"f32", "f16"}) {
    expect_attention_matches(fmt::format("graph @g(%q: {0}[20,16]{{1,0}}, %k: {0}[40,16]{{1,0}}, %v: {0}[40,16]{{1,0}}) -> {0}[20,16]{{1,0}} {{\n"
                                         " %0 = attention(%q, %k, %v) {{scale=0.5}} : {0}[20,16]{{1,0}}\n return %0 }}",
                                         dtype));
  }
}

/// The first 64 keys are hidden from all, and all keys from the first query, whose result is NaN as that of softmax is.
TEST(Attention, HiddenKeysAndQueriesWithNone) {
  for (const char* dtype : {"f32", "f16"}) {
    const WrappedGroup group = wrap_group(fmt::format("graph @g(%q: {0}[5,16], %k: {0}[80,16], %v: {0}[80,16], %m: {0}[5,80]) -> {0}[5,16] {{\n"
                                                      " %0 = attention(%q, %k, %v, %m) {{scale=1}} : {0}[5,16]\n return %0 }}",
                                                      dtype));
    std::vector<Tensor> inputs = random_inputs(group.region(), {}, {});
    for (std::int64_t i = 0; i < 5 * 80; ++i) {
      if (i < 80 || i % 80 < 64) set_element(inputs[3], i, -std::numeric_limits<double>::infinity());
    }
    for (const CodegenOptions& options : options_to_test()) expect_code_matches(group, Machine(*group.graph, options), inputs, {});
    expect_cuda_matches(group, inputs, {});
  }
}

}  // namespace
}  // namespace intaglio::testing
