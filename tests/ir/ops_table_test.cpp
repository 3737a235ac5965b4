// Walks the operator table: no record may lack a part, and docs/operators.md must say what the records say.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "ir/op.h"
#include "tests/ir/ops_document.h"

namespace intaglio::testing {
namespace {

/// A line of text for a document: not empty, one line, no blanks around it.
bool is_line(std::string_view text) {
  return !text.empty() && text.find('\n') == std::string_view::npos && text.front() != ' ' && text.back() != ' ';
}

TEST(OpTable, IsSortedAndFindsEachRecord) {
  const auto table = op_table();
  ASSERT_GT(table.size(), 50u);
  for (std::size_t i = 0; i + 1 < table.size(); ++i) EXPECT_LT(table[i].name, table[i + 1].name);
  for (const OpRecord& op : table) EXPECT_EQ(find_op(op.name), &op);
  for (std::string_view name : {"", "a", "conv_", "convolution", "zzz"}) EXPECT_EQ(find_op(name), nullptr) << name;
}

TEST(OpTable, RecordsAreComplete) {
  for (const OpRecord& op : op_table()) {
    SCOPED_TRACE(op.name);
    EXPECT_TRUE(is_line(op.doc));
    EXPECT_EQ(op.doc.empty() ? ' ' : op.doc.back(), '.');
    EXPECT_GE(op.min_operands, 0);
    EXPECT_TRUE(op.max_operands == -1 || op.max_operands >= op.min_operands);
    EXPECT_NE(op.infer, nullptr);
    EXPECT_NE(op.evaluate, nullptr);
  }
}

TEST(OpTable, WhatIsPulledHasAPull) {
  for (const OpRecord& op : op_table()) {
    const bool is_pulled = op.op_class == OpClass::elementwise || op.op_class == OpClass::movement;
    EXPECT_EQ(op.pull != nullptr, is_pulled) << op.name;
  }
}

TEST(OpTable, AttributesAreDescribed) {
  for (const OpRecord& op : op_table()) {
    std::vector<std::string_view> names;
    for (const AttributeSpec& attribute : op.attributes) {
      SCOPED_TRACE(fmt::format("{}.{}", op.name, attribute.name));
      EXPECT_TRUE(is_line(attribute.doc));
      if (attribute.fallback) {
        EXPECT_EQ(kind_of(*attribute.fallback), attribute.kind);
      }
      EXPECT_EQ(std::count(names.begin(), names.end(), attribute.name), 0);
      names.push_back(attribute.name);
    }
  }
}

TEST(OpTable, ConstraintsAreNumbered) {
  for (const OpRecord& op : op_table()) {
    for (std::size_t i = 0; i < op.constraints.size(); ++i) {
      const std::string number = fmt::format("C{}: ", i + 1);
      EXPECT_TRUE(op.constraints[i].starts_with(number) && is_line(op.constraints[i])) << op.name << ": " << op.constraints[i];
      EXPECT_GT(op.constraints[i].size(), number.size()) << op.name;
    }
  }
}

TEST(OpTable, DocumentSaysWhatTheRecordsSay) {
  const std::string path = INTAGLIO_SOURCE_DIR "/docs/operators.md";
  std::ifstream file(path);
  const std::string found{std::istreambuf_iterator<char>(file), {}};
  const std::string expected = operators_document();
  if (found == expected) return;
  const std::string beside = INTAGLIO_BINARY_DIR "/operators.md";
  std::ofstream(beside) << expected;
  FAIL() << "docs/operators.md does not say what the table says; copy " << beside << " over it";
}

}  // namespace
}  // namespace intaglio::testing
