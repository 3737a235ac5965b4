// The integer expressions of a plan: checked once when the plan is loaded, then evaluated whenever shapes are bound.
#pragma once

#include <cstdint>
#include <limits>
#include <span>

namespace intaglio::runtime {

/// Deepest stack that a program may need.
inline constexpr std::size_t kDimStack = 64;

/// What an expression yields whose value, or that of a part of it, is beyond 64 bits; no extent and no size.
inline constexpr std::int64_t kOverflow = std::numeric_limits<std::int64_t>::min();

/// True if the program is well formed: known opcodes, symbols below `symbols`, a stack that never underflows or exceeds kDimStack and ends
/// with one value.
bool is_valid_dim_program(std::span<const std::int64_t> code, std::size_t symbols);

/// The value of a valid program. Division by 0 gives 0; an overflow anywhere makes the result kOverflow: a size that wrapped around would
/// pass for a small one.
std::int64_t evaluate_dim(std::span<const std::int64_t> code, std::span<const std::int64_t> symbols);

}  // namespace intaglio::runtime
