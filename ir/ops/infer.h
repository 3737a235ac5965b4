// What the records' inference functions share: checks of dtypes, ranks and axes that cite the record's constraints.
#pragma once

#include <fmt/format.h>

#include <optional>
#include <string>
#include <vector>

#include "ir/op.h"

namespace intaglio::ops {

/// "f32[N,4], f32[4], _": the types of the operands.
std::string operand_types(const Node& node);

/// bool and strings are not numbers.
bool is_number(DType dtype);
/// u8 and i8, the contractions of which are i32.
bool is_byte(DType dtype);
/// What products of `dtype` are summed up to: i32 of bytes, f32 of 8-bit floats.
DType product_dtype(DType dtype);
void require_number(const InferContext& context, int operand, std::string_view constraint);
void require_float(const InferContext& context, int operand, std::string_view constraint);
void require_boolean(const InferContext& context, int operand, std::string_view constraint);
/// All operands from `first` on that are present have the dtype of operand `first`.
void require_equal_dtypes(const InferContext& context, std::string_view constraint, int first = 0);

/// The value of an axis attribute; core axes count from the front, 0 <= axis < rank.
int axis_attribute(const InferContext& context, std::string_view name, int rank, std::string_view constraint);
/// The sorted list of distinct axes of an `axes` attribute, each 0 <= axis < rank.
std::vector<std::int64_t> axes_attribute(const InferContext& context, int rank, std::string_view constraint);
/// Requires an integers attribute to have `count` entries, or none where `may_be_empty`.
void require_count(const InferContext& context, std::string_view name, std::size_t count, std::string_view constraint, bool may_be_empty);

/// Requires `a` to broadcast to `b`: equal to it or 1. Decided now if it can be, else noted as an equation.
void require_broadcastable(InferContext& context, const Dim& a, const Dim& b, std::string_view constraint, const std::string& what);
/// Requires `shape`, aligned at the end, to broadcast to `to` without widening it.
void require_broadcastable(InferContext& context, const Shape& shape, const Shape& to, std::string_view constraint,
                           const std::string& what);

}  // namespace intaglio::ops
