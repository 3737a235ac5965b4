// Construction of expressions: every factory simplifies what it can and then answers the one object for its structure.
#include "ir/kernel/expr.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

#include "ir/kernel/fold.h"
#include "ir/kernel/index.h"
#include "support/diagnostics.h"

namespace intaglio::kernel {
namespace {

std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash ^= value + 0x9e3779b97f4a7c15ull + (hash << 6) + (hash >> 2);
  hash *= 0xff51afd7ed558ccdull;
  return hash ^ (hash >> 32);
}

std::uint64_t structural_hash(const ExprNode& node) {
  std::uint64_t hash = mix(static_cast<std::uint64_t>(node.kind), static_cast<std::uint64_t>(node.dtype));
  hash = mix(hash, static_cast<std::uint64_t>(node.op));
  hash = mix(hash, static_cast<std::uint64_t>(node.integer));
  hash = mix(hash, std::bit_cast<std::uint64_t>(node.real));
  hash = mix(hash, static_cast<std::uint64_t>(node.var));
  hash = mix(hash, static_cast<std::uint64_t>(node.buffer));
  for (char c : node.name) hash = mix(hash, static_cast<unsigned char>(c));
  for (const Expr& arg : node.args) hash = mix(hash, arg->hash);
  return hash;
}

bool same_structure(const ExprNode& a, const ExprNode& b) {
  return a.kind == b.kind && a.dtype == b.dtype && a.op == b.op && a.integer == b.integer &&
         std::bit_cast<std::uint64_t>(a.real) == std::bit_cast<std::uint64_t>(b.real) && a.var == b.var && a.buffer == b.buffer &&
         a.name == b.name && a.args == b.args;
}

/// The live expressions of this thread by hash.
class InternTable {
 public:
  Expr find_or_add(ExprNode node) {
    std::vector<std::weak_ptr<const ExprNode>>& bucket = buckets_[node.hash];
    for (const auto& entry : bucket) {
      Expr found = entry.lock();
      if (found && same_structure(*found, node)) return found;
    }
    Expr added = std::make_shared<const ExprNode>(std::move(node));
    bucket.push_back(added);
    if (++count_ > limit_) drop_dead();
    return added;
  }

 private:
  void drop_dead() {
    count_ = 0;
    for (auto it = buckets_.begin(); it != buckets_.end();) {
      std::erase_if(it->second, [](const auto& entry) { return entry.expired(); });
      count_ += it->second.size();
      it = it->second.empty() ? buckets_.erase(it) : std::next(it);
    }
    limit_ = std::max<std::size_t>(1 << 16, 2 * count_);
  }

  std::unordered_map<std::uint64_t, std::vector<std::weak_ptr<const ExprNode>>> buckets_;
  std::size_t count_ = 0;
  std::size_t limit_ = 1 << 16;
};

ExprNode node_of(ExprKind kind, DType dtype) {
  ExprNode node{};
  node.kind = kind;
  node.dtype = dtype;
  return node;
}

bool is_index(const Expr& e) { return e->dtype == DType::i64; }

bool is_one(const Expr& e) {
  if (e->kind != ExprKind::constant) return false;
  return is_float(e->dtype) ? e->real == 1.0 : e->integer == 1;
}

bool is_false(const Expr& e) { return e->kind == ExprKind::constant && e->dtype == DType::boolean && e->integer == 0; }
bool is_true(const Expr& e) { return e->kind == ExprKind::constant && e->dtype == DType::boolean && e->integer == 1; }

/// Identities that hold for every value of the type, NaN and -0 included; null if none applies.
Expr binary_identity(Op op, const Expr& a, const Expr& b) {
  switch (op) {
    case Op::mul:
      return is_one(b) ? a : is_one(a) ? b : nullptr;
    case Op::div:
      return is_one(b) ? a : nullptr;
    // x - 0 is x for -0 too, x + 0 is not
    case Op::sub:
      return is_zero(b) && !(is_float(b->dtype) && std::signbit(b->real)) ? a : nullptr;
    case Op::add:
      return is_float(a->dtype) ? nullptr : is_zero(b) ? a : is_zero(a) ? b : nullptr;
    case Op::logical_and:
      return is_true(a) || is_false(b) ? b : is_true(b) || is_false(a) ? a : nullptr;
    case Op::logical_or:
      return is_false(a) || is_true(b) ? b : is_false(b) || is_true(a) ? a : nullptr;
    default:
      return nullptr;
  }
}

/// min and max of indices whose order is known.
Expr ordered_extreme(Op op, const Expr& a, const Expr& b) {
  if (a == b) return a;
  const Expr one = index_constant(1);
  if (known_less(a, binary(Op::add, b, one))) return op == Op::min ? a : b;
  if (known_less(b, binary(Op::add, a, one))) return op == Op::min ? b : a;
  return nullptr;
}

}  // namespace

Expr intern(ExprNode node) {
  thread_local InternTable table;
  node.hash = structural_hash(node);
  return table.find_or_add(std::move(node));
}

Expr raw_binary(Op op, DType dtype, Expr a, Expr b) {
  ExprNode node = node_of(ExprKind::binary, dtype);
  node.op = op;
  node.args = {std::move(a), std::move(b)};
  return intern(std::move(node));
}

Expr constant(DType dtype, double value) {
  if (!is_float(dtype)) return fold::convert_to_integer(dtype, value);
  ExprNode node = node_of(ExprKind::constant, dtype);
  node.real = fold::round_to(dtype, value);
  return intern(std::move(node));
}

Expr integer_constant(DType dtype, std::int64_t value) {
  ExprNode node = node_of(ExprKind::constant, dtype);
  node.integer = fold::wrap_to(dtype, value);
  return intern(std::move(node));
}

Expr index_constant(std::int64_t value) { return integer_constant(DType::i64, value); }

Expr var(int id) {
  ExprNode node = node_of(ExprKind::var, DType::i64);
  node.var = id;
  return intern(std::move(node));
}

Expr var(int id, Expr extent) {
  if (constant_value(extent) == 1) return index_constant(0);
  ExprNode node = node_of(ExprKind::var, DType::i64);
  node.var = id;
  node.args = {std::move(extent)};
  return intern(std::move(node));
}

Expr symbol(const std::string& name) {
  ExprNode node = node_of(ExprKind::symbol, DType::i64);
  node.name = name;
  return intern(std::move(node));
}

Expr local(int id, DType dtype) {
  ExprNode node = node_of(ExprKind::local, dtype);
  node.var = id;
  return intern(std::move(node));
}

Expr load(int buffer, DType dtype, Expr offset) {
  ExprNode node = node_of(ExprKind::load, dtype);
  node.buffer = buffer;
  node.args = {std::move(offset)};
  return intern(std::move(node));
}

Expr unary(Op op, Expr a) {
  if (Expr folded = fold::unary(op, a)) return folded;
  if (op == Op::neg && is_index(a)) return index::arithmetic(Op::sub, index_constant(0), a);
  if (op == Op::logical_not && a->kind == ExprKind::unary && a->op == Op::logical_not) return a->args[0];
  ExprNode node = node_of(ExprKind::unary, op == Op::is_nan ? DType::boolean : a->dtype);
  node.op = op;
  node.args = {std::move(a)};
  return intern(std::move(node));
}

Expr binary(Op op, Expr a, Expr b) {
  internal_check(a->dtype == b->dtype, "operands of {} are {} and {}", op_text(op), dtype_name(a->dtype), dtype_name(b->dtype));
  if (is_index(a)) {
    if (op == Op::add || op == Op::sub || op == Op::mul) return index::arithmetic(op, a, b);
    if (op == Op::index_div) return index::divide(a, b);
    if (op == Op::index_mod) return index::remainder(a, b);
  }
  if (Expr folded = fold::binary(op, a, b)) return folded;
  if (Expr same = binary_identity(op, a, b)) return same;
  if (is_index(a) && (op == Op::min || op == Op::max)) {
    if (Expr extreme = ordered_extreme(op, a, b)) return extreme;
  }
  return raw_binary(op, a->dtype, a, b);
}

Expr compare(Op op, Expr a, Expr b) {
  internal_check(a->dtype == b->dtype, "operands of {} are {} and {}", op_text(op), dtype_name(a->dtype), dtype_name(b->dtype));
  if (Expr folded = fold::compare(op, a, b)) return folded;
  if (op == Op::gt) return compare(Op::lt, b, a);
  if (op == Op::ge) return compare(Op::le, b, a);
  if (is_index(a)) {
    const bool less = known_less(a, b);
    const bool greater = !less && known_less(b, a);
    if (op == Op::lt && less) return integer_constant(DType::boolean, 1);
    if (op == Op::le && greater) return integer_constant(DType::boolean, 0);
    if (op == Op::eq && (less || greater)) return integer_constant(DType::boolean, 0);
    if (op == Op::ne && (less || greater)) return integer_constant(DType::boolean, 1);
    const Expr one = index_constant(1);
    if (op == Op::lt && known_less(b, binary(Op::add, a, one))) return integer_constant(DType::boolean, 0);
    if (op == Op::le && known_less(a, binary(Op::add, b, one))) return integer_constant(DType::boolean, 1);
  }
  ExprNode node = node_of(ExprKind::compare, DType::boolean);
  node.op = op;
  node.args = {std::move(a), std::move(b)};
  return intern(std::move(node));
}

Expr select(Expr condition, Expr a, Expr b) {
  internal_check(condition->dtype == DType::boolean && a->dtype == b->dtype, "select of {}, {} and {}", dtype_name(condition->dtype),
                 dtype_name(a->dtype), dtype_name(b->dtype));
  if (is_true(condition) || a == b) return a;
  if (is_false(condition)) return b;
  ExprNode node = node_of(ExprKind::select, a->dtype);
  node.args = {std::move(condition), std::move(a), std::move(b)};
  return intern(std::move(node));
}

Expr cast(Expr a, DType to) {
  if (a->dtype == to) return a;
  if (Expr folded = fold::cast(a, to)) return folded;
  // Back to a smaller float that f32 holds exactly: what is rounded and then stored rounds once.
  if (a->kind == ExprKind::cast && a->dtype == DType::f32 && a->args[0]->dtype == to && is_float(to) && dtype_bits(to) <= 16) return a->args[0];
  ExprNode node = node_of(ExprKind::cast, to);
  node.args = {std::move(a)};
  return intern(std::move(node));
}

Expr bitcast(Expr a, DType to) {
  if (a->dtype == to) return a;
  internal_check(dtype_bits(a->dtype) == dtype_bits(to), "bitcast of {} to {}", dtype_name(a->dtype), dtype_name(to));
  ExprNode node = node_of(ExprKind::bitcast, to);
  node.args = {std::move(a)};
  return intern(std::move(node));
}

Expr reduce(Op op, int var, Expr extent, Expr body) {
  ExprNode node = node_of(ExprKind::reduce, body->dtype);
  node.op = op;
  node.var = var;
  node.args = {std::move(body), std::move(extent)};
  return intern(std::move(node));
}

Expr checked(Expr value, Expr extent) {
  if (known_non_negative(value) && known_less(value, extent)) return value;
  ExprNode node = node_of(ExprKind::checked, value->dtype);
  node.args = {std::move(value), std::move(extent)};
  return intern(std::move(node));
}

std::optional<std::int64_t> constant_value(const Expr& e) {
  if (e->kind != ExprKind::constant || is_float(e->dtype)) return std::nullopt;
  return e->integer;
}

bool is_zero(const Expr& e) {
  if (e->kind != ExprKind::constant) return false;
  return is_float(e->dtype) ? e->real == 0 : e->integer == 0;
}

}  // namespace intaglio::kernel
