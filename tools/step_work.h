// The arithmetic and the memory traffic of an artifact's steps at the shapes of a run.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "intaglio/runtime.hpp"
#include "intaglio/tensor.h"

namespace intaglio {

/// The extents that the symbols of a model's input shapes stand for when it runs on `inputs`. Symbols that stand only inside of expressions are left out.
std::map<std::string, std::int64_t> symbol_values(const Model& model, const std::vector<Tensor>& inputs);

/// A count of layers.json ("flops", "bytes"): a number, or the text of a dimension; nothing if a symbol of it is unknown.
std::optional<double> evaluate_count(const nlohmann::ordered_json& count, const std::map<std::string, std::int64_t>& symbols);

}  // namespace intaglio
