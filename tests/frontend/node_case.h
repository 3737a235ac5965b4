// One way in which a node can be wrong.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace intaglio::test {

struct NodeCase {
  const char* name;
  const char* op;     ///< of the node in question, which is called 'n'
  const char* graph;  ///< in ONNX's text form
  const char* error;  ///< what follows "error: m.onnx: node 'n' (Op, opset 17): "
  int opset = 17;
};

inline void PrintTo(const NodeCase& c, std::ostream* out) { *out << c.name; }
inline std::string case_name(const testing::TestParamInfo<NodeCase>& info) { return info.param.name; }

/// The cases of all files; the test itself is in node_refuse_test.cpp.
class RefusedNode : public testing::TestWithParam<NodeCase> {};

}  // namespace intaglio::test
