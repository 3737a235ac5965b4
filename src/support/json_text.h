// JSON as it is written everywhere: indented by one, and never refused.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace intaglio {

/// The text of `json`. Names come from models that anybody wrote: bytes that are no UTF-8 are replaced.
template <typename Json>
std::string json_text(const Json& json) {
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace intaglio
