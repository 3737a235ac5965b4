// See dim_program.h; the opcodes are those of plan.fbs.

#include "runtime/dim_program.h"

#include <algorithm>

namespace intaglio::runtime {
namespace {

enum Opcode : std::int64_t { constant, symbol, add, multiply, floordiv, mod, min, max, bcast, count };

std::int64_t sum(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  return __builtin_add_overflow(a, b, &result) ? kOverflow : result;
}

std::int64_t product(std::int64_t a, std::int64_t b) {
  std::int64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? kOverflow : result;
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  if (b == 0) return 0;
  if (b == -1) return product(a, -1);
  const std::int64_t quotient = a / b;
  return quotient * b != a && ((a < 0) != (b < 0)) ? quotient - 1 : quotient;
}

std::int64_t apply(std::int64_t opcode, std::int64_t a, std::int64_t b) {
  if (a == kOverflow || b == kOverflow) return kOverflow;
  switch (opcode) {
    case add:
      return sum(a, b);
    case multiply:
      return product(a, b);
    case floordiv:
      return floor_divide(a, b);
    case mod:
      return b == 0 ? a : a - floor_divide(a, b) * b;
    case min:
      return std::min(a, b);
    case max:
      return std::max(a, b);
    default:
      return a == 1 ? b : a;
  }
}

}  // namespace

bool is_valid_dim_program(std::span<const std::int64_t> code, std::size_t symbols) {
  if (code.size() % 2 != 0) return false;
  std::size_t depth = 0;
  for (std::size_t i = 0; i < code.size(); i += 2) {
    const std::int64_t opcode = code[i], argument = code[i + 1];
    if (opcode < 0 || opcode >= count) return false;
    if (opcode == symbol && (argument < 0 || static_cast<std::size_t>(argument) >= symbols)) return false;
    if (opcode == constant || opcode == symbol) {
      if (++depth > kDimStack) return false;
    } else if (depth-- < 2) {
      return false;
    }
  }
  return depth == 1;
}

std::int64_t evaluate_dim(std::span<const std::int64_t> code, std::span<const std::int64_t> symbols) {
  std::int64_t stack[kDimStack] = {};
  std::size_t depth = 0;
  for (std::size_t i = 0; i < code.size(); i += 2) {
    const std::int64_t opcode = code[i], argument = code[i + 1];
    if (opcode == constant) {
      stack[depth++] = argument;
    } else if (opcode == symbol) {
      stack[depth++] = symbols[static_cast<std::size_t>(argument)];
    } else {
      --depth;
      stack[depth - 1] = apply(opcode, stack[depth - 1], stack[depth]);
    }
  }
  return stack[0];
}

}  // namespace intaglio::runtime
