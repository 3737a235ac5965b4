// The integer expressions of a plan: checked once when the plan is loaded, then evaluated whenever shapes are bound.
#pragma once

#include <cstdint>
#include <span>

namespace intaglio::runtime {

/// Deepest stack that a program may need.
inline constexpr std::size_t kDimStack = 64;

/// True if the program is well formed: known opcodes, symbols below `symbols`, a stack that never underflows or exceeds kDimStack and ends with one value.
bool is_valid_dim_program(std::span<const std::int64_t> code, std::size_t symbols);

/// The value of a valid program. Division by 0 gives 0; what overflows wraps (the caller bounds what it uses).
std::int64_t evaluate_dim(std::span<const std::int64_t> code, std::span<const std::int64_t> symbols);

}  // namespace intaglio::runtime
