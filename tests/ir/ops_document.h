// The text of docs/operators.md, made from the operator table.
#pragma once

#include <string>

namespace intaglio::testing {

std::string operators_document();

}  // namespace intaglio::testing
