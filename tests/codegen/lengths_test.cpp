// Rows, windows and movement at extents around the width of vectors: as constants, which shape the code, and as symbols, which do not.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/codegen/lowering.h"

namespace intaglio::testing {
namespace {

constexpr std::int64_t kLengths[] = {1, 7, 8, 15, 16, 17, 33};

/// Compares a group whose text holds "L" wherever the length stands, with the length as a number and as a symbol.
void expect_matches_at_all_lengths(const std::string& text, const InputRanges& ranges = {}) {
  for (std::int64_t length : kLengths) {
    std::string with_number = text;
    for (std::size_t at = 0; (at = with_number.find('L', at)) != std::string::npos;) with_number.replace(at, 1, std::to_string(length));
    expect_lowering_matches(with_number, {}, ranges);
    expect_lowering_matches(text, {{"L", length}}, ranges);
  }
}

TEST(Lengths, ReductionsAlongAndAcrossRows) {
  for (const char* op : {"reduce_sum", "reduce_max", "reduce_mean"}) {
    expect_matches_at_all_lengths(
        fmt::format("graph @g(%x: f32[3,L]) -> f32[3] {{\n %0 = {}(%x) {{axes=[1], keepdims=0}} : f32[3]\n return %0 }}", op));
    expect_matches_at_all_lengths(
        fmt::format("graph @g(%x: f32[3,L]) -> f32[L] {{\n %0 = {}(%x) {{axes=[0], keepdims=0}} : f32[L]\n return %0 }}", op));
  }
}

TEST(Lengths, ReductionsOfOtherTypes) {
  for (const char* type : {"f64", "f16", "bf16", "i64", "i32", "u8"}) {
    for (const char* op : {"reduce_sum", "reduce_min"}) {
      expect_matches_at_all_lengths(
          fmt::format("graph @g(%x: {0}[2,L]) -> {0}[2] {{\n %0 = {1}(%x) {{axes=[1], keepdims=0}} : {0}[2]\n return %0 }}", type, op));
    }
  }
}

TEST(Lengths, Softmax) {
  for (const char* type : {"f32", "f64", "f16", "bf16"}) {
    expect_matches_at_all_lengths(
        fmt::format("graph @g(%x: {0}[3,L]) -> {0}[3,L] {{\n %0 = softmax(%x) {{axis=1}} : {0}[3,L]\n return %0 }}", type));
  }
  expect_matches_at_all_lengths("graph @g(%x: f32[5,L]) -> f32[5,L] {\n %0 = softmax(%x) {axis=0} : f32[5,L]\n return %0 }");
}

TEST(Lengths, LayerNorm) {
  for (const char* type : {"f32", "f64", "f16"}) {
    expect_matches_at_all_lengths(fmt::format(
        "graph @g(%x: {0}[3,L], %s: {0}[L], %b: {0}[L]) -> {0}[3,L] {{\n %0 = layer_norm(%x, %s, %b) {{axis=1, epsilon=1e-2}} : {0}[3,L]\n "
        "return %0 }}",
        type));
  }
}

TEST(Lengths, Pooling) {
  for (const char* layout : {"", "{0,2,3,1}"}) {
    for (const char* op : {"max_pool", "average_pool"}) {
      const char* counted = op[0] == 'a' ? ", count_include_pad=0" : "";
      expect_matches_at_all_lengths(fmt::format(
          "graph @g(%x: f32[1,L,5,6]{0}) -> f32[1,L,5,6]{0} {{\n %0 = {1}(%x) {{kernel_shape=[3,3], strides=[1,1], pads=[1,1,1,1], "
          "dilations=[1,1], ceil_mode=0{2}}} : f32[1,L,5,6]{0}\n return %0 }}",
          layout, op, counted));
      expect_matches_at_all_lengths(fmt::format(
          "graph @g(%x: f32[1,2,3,L]{0}) -> f32[1,2,3,L]{0} {{\n %0 = {1}(%x) {{kernel_shape=[1,3], strides=[1,1], pads=[0,1,0,1], "
          "dilations=[1,1], ceil_mode=0{2}}} : f32[1,2,3,L]{0}\n return %0 }}",
          layout, op, counted));
    }
  }
}

TEST(Lengths, Transposes) {
  for (const char* type : {"f32", "i8", "f16", "f64", "bool"}) {
    expect_matches_at_all_lengths(
        fmt::format("graph @g(%x: {0}[L,9]) -> {0}[9,L] {{\n %0 = transpose(%x) {{perm=[1,0]}} : {0}[9,L]\n return %0 }}", type));
    expect_matches_at_all_lengths(
        fmt::format("graph @g(%x: {0}[2,L,3]) -> {0}[3,L,2] {{\n %0 = transpose(%x) {{perm=[2,1,0]}} : {0}[3,L,2]\n return %0 }}", type));
  }
}

TEST(Lengths, SlicesPadsAndConcats) {
  for (const char* type : {"f32", "u8", "i64"}) {
    expect_matches_at_all_lengths(
        fmt::format("graph @g(%x: {0}[2,L]) -> {0}[2,floordiv(L+2,3)] {{\n %0 = slice(%x) {{starts=[0,L-1], sizes=[2,floordiv(L+2,3)], steps=[1,-3]}} : "
                    "{0}[2,floordiv(L+2,3)]\n return %0 }}",
                    type));
    expect_matches_at_all_lengths(fmt::format(
        "graph @g(%x: {0}[2,L], %v: {0}[]) -> {0}[3,L+4] {{\n %0 = pad(%x, %v) {{begins=[1,3], ends=[0,1]}} : {0}[3,L+4]\n return %0 }}",
        type));
    expect_matches_at_all_lengths(fmt::format(
        "graph @g(%x: {0}[2,L]) -> {0}[2,L+6] {{\n %0 = pad(%x) {{begins=[0,2], ends=[0,4], mode=\"edge\"}} : {0}[2,L+6]\n return %0 }}",
        type));
    expect_matches_at_all_lengths(fmt::format(
        "graph @g(%a: {0}[2,L], %b: {0}[2,5]) -> {0}[2,2*L+5] {{\n %0 = concat(%a, %b, %a) {{axis=1}} : {0}[2,2*L+5]\n return %0 }}",
        type));
  }
}

TEST(Lengths, Gathers) {
  for (const char* type : {"f32", "i8", "f64"}) {
    expect_matches_at_all_lengths(
        fmt::format("graph @g(%t: {0}[5,L], %i: i64[3]) -> {0}[3,L] {{\n %0 = gather(%t, %i) {{axis=0}} : {0}[3,L]\n return %0 }}", type),
        {{"i", {-5, 4}}});
    expect_matches_at_all_lengths(
        fmt::format("graph @g(%t: {0}[2,5], %i: i32[L]) -> {0}[2,L] {{\n %0 = gather(%t, %i) {{axis=1}} : {0}[2,L]\n return %0 }}", type),
        {{"i", {-5, 4}}});
  }
}

TEST(Lengths, BatchNorm) {
  expect_matches_at_all_lengths(R"(graph @g(%x: f32[2,L,3], %s: f32[L], %b: f32[L], %m: f32[L], %v: f32[L]) -> f32[2,L,3] {
    %0 = batch_norm(%x, %s, %b, %m, %v) {epsilon=1e-3} : f32[2,L,3]
    return %0
  })",
                                {{"v", {0.1, 2}}});
}

}  // namespace
}  // namespace intaglio::testing
