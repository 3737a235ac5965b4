// See stages.h.
#include "driver/stages.h"

#include <algorithm>

#include "support/diagnostics.h"

namespace intaglio {

std::span<const Pass> passes_of(Stage stage) {
  const auto all = pipeline();
  const auto middle = std::ranges::find(all, std::string_view("insert_quantization"), &Pass::name);
  internal_check(middle != all.end(), "the pipeline has lost its middle");
  const auto count = static_cast<std::size_t>(middle - all.begin());
  return stage == Stage::simplify ? all.first(count) : all.subspan(count);
}

}  // namespace intaglio
