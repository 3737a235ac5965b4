// Artifacts whose plans are changed before they are written: the loader checks them before any device is asked for.
#pragma once

#include <functional>
#include <string>

#include "codegen/codegen.h"
#include "codegen/plan.h"

namespace intaglio::test {

/// What the loader says of an artifact with the plan of a graph for the first of `options`' back ends, after `change`. The artifact's code is that of another
/// plan, which is found out last.
std::string refusal_of_plan(const std::string& graph_text, const CodegenOptions& options, const std::function<void(Plan&)>& change);

}  // namespace intaglio::test
