// Equality of attributes.

#include "ir/attribute.h"

#include <cstring>

namespace intaglio {

bool equal(const Attribute& a, const Attribute& b) {
  if (a.index() != b.index()) return false;
  const auto* x = std::get_if<Tensor>(&a);
  if (!x) return std::visit([&](const auto& value) {
    using T = std::decay_t<decltype(value)>;
    if constexpr (std::is_same_v<T, Tensor>) return false;
    else return value == std::get<T>(b);
  }, a);
  const auto& y = std::get<Tensor>(b);
  return x->dtype() == y.dtype() && x->shape() == y.shape() && (x->data() == y.data() || std::memcmp(x->data(), y.data(), x->bytes()) == 0);
}

}  // namespace intaglio
