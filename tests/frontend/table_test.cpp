// The import table against the operator set of the onnx library.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "frontend/onnx/importers.h"
#include "models.h"
#include "onnx/defs/schema.h"

namespace intaglio::test {
namespace {

TEST(ImportTable, ReadsUpToTheNewestOpset) { EXPECT_EQ(onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map().at("").second, kNewestOpset); }

TEST(ImportTable, IsSortedAndNamesWhatTheStandardHas) {
  const ImporterRow* before = nullptr;
  for (const ImporterRow& row : importer_table()) {
    const std::string name(row.op_type);
    EXPECT_LE(row.first_opset, row.last_opset) << name;
    if (before && before->op_type == row.op_type) {
      EXPECT_EQ(before->last_opset + 1, row.first_opset) << name;
    } else if (before) {
      EXPECT_LT(before->op_type, row.op_type);
    }
    before = &row;
    EXPECT_NE(onnx::OpSchemaRegistry::Schema(name, row.first_opset), nullptr) << name << " is not in opset " << row.first_opset;
    if (row.first_opset == kOldestOpset || find_importer(name, row.first_opset - 1)) continue;
    EXPECT_EQ(onnx::OpSchemaRegistry::Schema(name, row.first_opset - 1), nullptr) << name << " is in opset " << row.first_opset - 1 << " already";
  }
}

std::string unsupported(const std::string& operators, int opset) {
  return fmt::format("error: m.onnx: operator {} of opset {} is not supported\n  expected: an operator of docs/operators.md\n  got:      1 node, the first is 'n'\n"
                     "  help:     rewrite the model without it, or export it with another opset",
                     operators, opset);
}

TEST(ImportTable, RefusesOperatorsInModelsTooOldForThem) {
  for (const auto& [op, opset] : {std::pair{"Gelu", 20}, {"Mish", 18}, {"HardSwish", 14}, {"LayerNormalization", 17}, {"Round", 11}, {"Where", 9}}) {
    EXPECT_EQ(find_importer(op, opset - 1), nullptr);
    EXPECT_NE(find_importer(op, opset), nullptr);
    EXPECT_EQ(refusal(model(fmt::format("(float[4] x) => (float[4] y) {{ [n] y = {}(x) }}", op), opset - 1)), unsupported(op, opset - 1));
  }
}

}  // namespace
}  // namespace intaglio::test
