// What this machine's CPU can do, by the names that manifests use (LLVM's).
#pragma once

#include <string>
#include <vector>

namespace intaglio::runtime::cpu {

/// Those of `features` that this CPU lacks; a name that is not known counts as missing.
std::vector<std::string> missing_features(const std::vector<std::string>& features);

}  // namespace intaglio::runtime::cpu
