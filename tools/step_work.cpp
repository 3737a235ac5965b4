// See step_work.h.

#include "tools/step_work.h"

#include <algorithm>
#include <string_view>

#include "ir/dim.h"

namespace intaglio {
namespace {

/// The dimensions between the brackets of "f32[batch,max(H,3),224]".
std::vector<std::string> dims_of(std::string_view shape_text) {
  std::vector<std::string> dims{""};
  int depth = 0;
  for (char c : shape_text.substr(std::min(shape_text.size(), shape_text.find('[')))) {
    depth += c == '[' || c == '(' ? 1 : c == ']' || c == ')' ? -1 : 0;
    if (depth == 0) break;
    if (depth == 1 && c == ',') {
      dims.emplace_back();
    } else if (c != '[') {
      dims.back() += c;
    }
  }
  return dims;
}

}  // namespace

std::map<std::string, std::int64_t> symbol_values(const Model& model, const std::vector<Tensor>& inputs) {
  std::map<std::string, std::int64_t> values;
  const auto ports = model.inputs();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto dims = dims_of(ports[i].shape_text);
    for (std::size_t d = 0; d < std::min(dims.size(), inputs[i].shape().size()); ++d) {
      const auto dim = parse_dim(dims[d]);
      if (dim && dim->as_symbol()) values[*dim->as_symbol()] = inputs[i].shape()[d];
    }
  }
  return values;
}

std::optional<double> evaluate_count(const nlohmann::ordered_json& count, const std::map<std::string, std::int64_t>& symbols) {
  if (count.is_number()) return count.get<double>();
  const auto dim = parse_dim(count.get<std::string>());
  if (!dim) return std::nullopt;
  std::vector<std::string> names;
  dim->collect_symbols(names);
  if (!std::ranges::all_of(names, [&](const std::string& name) { return symbols.contains(name); })) return std::nullopt;
  return static_cast<double>(dim->evaluate([&](const std::string& name) { return symbols.at(name); }));
}

}  // namespace intaglio
