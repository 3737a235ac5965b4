// What this machine's CPU can do, by the names that manifests use (LLVM's).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "support/diagnostics.h"

namespace intaglio::runtime::cpu {

/// Those of `features` that this CPU lacks; a name that is not known counts as missing.
std::vector<std::string> missing_features(const std::vector<std::string>& features);

/// Why code for a CPU of these features cannot run here; nothing if it can. `path` is the artifact.
std::optional<Diagnostic> refusal(const std::vector<std::string>& features, const std::string& cpu_name, const std::string& path);

}  // namespace intaglio::runtime::cpu
