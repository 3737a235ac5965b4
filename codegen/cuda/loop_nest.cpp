// See loop_nest.h.

#include "codegen/cuda/loop_nest.h"

#include <algorithm>
#include <numeric>

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::Stmt;
using kernel::StmtRef;

/// What one access to memory moves at most, in bytes, and how many elements that can be.
constexpr std::int64_t kWidestAccess = 16;
constexpr int kMostLanes = 16;

void flatten_into(const std::vector<StmtRef>& from, std::vector<StmtRef>& into) {
  for (const StmtRef& stmt : from) {
    if (stmt->kind == Stmt::Kind::block) {
      flatten_into(stmt->body, into);
    } else {
      into.push_back(stmt);
    }
  }
}

/// True if all accesses along the loop are as wide as they can be, and none moves too much or too little.
bool suits_lanes(const Source& source, const std::vector<kernel::Buffer>& buffers, Lanes lanes, const std::vector<StmtRef>& body) {
  LaneStrides strides(lanes, source.multiples());
  std::int64_t narrowest = kWidestAccess, widest = 1;
  bool gains = false;
  const auto note_access = [&](int buffer) {
    const std::int64_t bytes = dtype_bits(buffers[static_cast<std::size_t>(buffer)].dtype) / 8;
    narrowest = std::min(narrowest, bytes), widest = std::max(widest, bytes);
    gains = true;
  };
  for (const StmtRef& stmt : body) {
    const bool is_fold = stmt->kind == Stmt::Kind::reduce;
    if (is_fold && (stmt->buffer >= 0 || !strides.is_uniform(stmt->extent))) return false;
    if (!is_fold && stmt->kind != Stmt::Kind::assign && stmt->kind != Stmt::Kind::store) return false;
    if (stmt->kind == Stmt::Kind::store) {
      if (source.access_bytes(stmt->buffer, stmt->offset, lanes) == 0) return false;
      note_access(stmt->buffer);
    } else if (is_fold || !strides.is_uniform(stmt->value)) {
      lanes.locals[stmt->var];
    }
    kernel::visit(stmt->value, [&](const kernel::ExprNode& node) {
      if (node.kind == kernel::ExprKind::load && source.access_bytes(node.buffer, node.args[0], lanes) > 0) note_access(node.buffer);
    });
  }
  return gains && lanes.count * narrowest <= kWidestAccess && lanes.count * widest <= 2 * kWidestAccess;
}

}  // namespace

std::vector<StmtRef> flatten(const std::vector<StmtRef>& statements) {
  std::vector<StmtRef> result;
  flatten_into(statements, result);
  return result;
}

SharedNest shared_nest(const Stmt& outermost) {
  SharedNest nest{{&outermost}, flatten(outermost.body)};
  while (!nest.body.empty() && nest.body.back()->kind == Stmt::Kind::loop) {
    const Stmt& inner = *nest.body.back();
    const bool assigns_between = std::all_of(nest.body.begin(), nest.body.end() - 1, [](const StmtRef& stmt) { return stmt->kind == Stmt::Kind::assign; });
    const bool same_extent = std::none_of(nest.loops.begin(), nest.loops.end(), [&](const Stmt* loop) { return kernel::depends_on(inner.extent, loop->var); });
    if (!assigns_between || !same_extent) break;
    nest.loops.push_back(&inner);
    nest.body.pop_back();
    const std::vector<StmtRef> inside = flatten(inner.body);
    nest.body.insert(nest.body.end(), inside.begin(), inside.end());
  }
  return nest;
}

Lanes choose_lanes(Source& source, const std::vector<kernel::Buffer>& buffers, int var, const Expr& extent, const std::vector<StmtRef>& body) {
  Lanes lanes{var, 1, {}};
  for (int count = kMostLanes; count > 1; count /= 2) {
    if (known_divisor(extent, source.multiples()) % count != 0) continue;
    lanes.count = count;
    source.set_multiple(var, count);
    if (suits_lanes(source, buffers, lanes, body)) return lanes;
  }
  source.set_multiple(var, 1);
  lanes.count = 1;
  return lanes;
}

std::optional<Interleave> find_interleave(Source& source, const std::vector<kernel::Buffer>& buffers, const SharedNest& nest) {
  constexpr std::int64_t kLongestLine = 7;
  if (nest.loops.size() < 2 || nest.body.size() != 1 || nest.body[0]->kind != Stmt::Kind::store) return std::nullopt;
  const Stmt& inner = *nest.loops.back();
  const Stmt& outer = *nest.loops[nest.loops.size() - 2];
  const Stmt& store = *nest.body[0];
  const auto extent = kernel::constant_value(inner.extent);
  const auto step = kernel::linear_in(store.offset, inner.var);
  if (!extent || *extent > kLongestLine || !step || kernel::constant_value(step->stride) != 1) return std::nullopt;
  Interleave found{{outer.var, 8, {}}, inner.var, *extent, 0};
  for (; found.lanes.count > 1; found.lanes.count /= 2) {
    if (known_divisor(outer.extent, source.multiples()) % found.lanes.count != 0) continue;
    source.set_multiple(outer.var, found.lanes.count);
    if (LaneStrides(found.lanes, source.multiples()).of(store.offset) != *extent) break;
    const std::int64_t element = dtype_bits(buffers[static_cast<std::size_t>(store.buffer)].dtype) / 8;
    const std::int64_t aligned = std::gcd(known_divisor(step->rest, source.multiples()) * element, kWidestAccess);
    found.bytes = static_cast<int>(std::gcd(aligned, found.lanes.count * *extent * element));
    if (found.bytes > element) return found;
  }
  source.set_multiple(outer.var, 1);
  return std::nullopt;
}

}  // namespace intaglio::cuda
