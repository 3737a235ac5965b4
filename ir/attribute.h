// The attributes of a node: compile-time data by name.
#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "intaglio/tensor.h"
#include "ir/dim.h"

namespace intaglio {

/// One attribute. Lists of integers that may be symbolic (shapes, slice bounds) are Shapes; those that never are (pads, strides, axes) are plain.
using Attribute = std::variant<std::int64_t, double, std::string, DType, std::vector<std::int64_t>, std::vector<double>, Shape, Tensor>;

/// The kinds in the order of the variant's alternatives.
enum class AttributeKind { integer, real, string, dtype, integers, reals, dims, tensor };

inline AttributeKind kind_of(const Attribute& attribute) { return static_cast<AttributeKind>(attribute.index()); }

using Attributes = std::map<std::string, Attribute, std::less<>>;

/// Equality of attributes; tensors are equal if dtype, shape and bytes are.
bool equal(const Attribute& a, const Attribute& b);

}  // namespace intaglio
