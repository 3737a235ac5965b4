// Statement constructors.
#include "ir/kernel/kernel.h"

#include "support/diagnostics.h"

namespace intaglio::kernel {
namespace {

StmtRef make(Stmt stmt) { return std::make_shared<const Stmt>(std::move(stmt)); }

Stmt stmt_of(Stmt::Kind kind) {
  Stmt stmt{};
  stmt.kind = kind;
  return stmt;
}

}  // namespace

StmtRef block(std::vector<StmtRef> body) {
  if (body.size() == 1) return body.front();
  Stmt stmt = stmt_of(Stmt::Kind::block);
  stmt.body = std::move(body);
  return make(std::move(stmt));
}

StmtRef loop(int var, Expr extent, LoopKind kind, StmtRef body) {
  internal_check(kind != LoopKind::unroll || constant_value(extent), "loop v{} has no constant extent to unroll", var);
  Stmt stmt = stmt_of(Stmt::Kind::loop);
  stmt.var = var;
  stmt.loop = kind;
  stmt.extent = std::move(extent);
  stmt.body = {std::move(body)};
  return make(std::move(stmt));
}

StmtRef store(int buffer, Expr offset, Expr value) {
  Stmt stmt = stmt_of(Stmt::Kind::store);
  stmt.buffer = buffer;
  stmt.offset = std::move(offset);
  stmt.value = std::move(value);
  return make(std::move(stmt));
}

StmtRef assign(int local, Expr value) {
  Stmt stmt = stmt_of(Stmt::Kind::assign);
  stmt.var = local;
  stmt.value = std::move(value);
  return make(std::move(stmt));
}

StmtRef reduce(int local, Op op, int fold_var, Expr extent, LoopKind kind, Expr value) {
  return reduce_and_store(local, op, fold_var, std::move(extent), kind, std::move(value), -1, nullptr);
}

StmtRef reduce_and_store(int local, Op op, int fold_var, Expr extent, LoopKind kind, Expr value, int buffer, Expr offset) {
  internal_check(kind != LoopKind::unroll, "a reduce is serial or vector");
  Stmt stmt = stmt_of(Stmt::Kind::reduce);
  stmt.var = local;
  stmt.op = op;
  stmt.fold_var = fold_var;
  stmt.extent = std::move(extent);
  stmt.loop = kind;
  stmt.value = std::move(value);
  stmt.buffer = buffer;
  stmt.offset = std::move(offset);
  return make(std::move(stmt));
}

StmtRef when(Expr condition, StmtRef body) {
  Stmt stmt = stmt_of(Stmt::Kind::when);
  stmt.value = std::move(condition);
  stmt.body = {std::move(body)};
  return make(std::move(stmt));
}

}  // namespace intaglio::kernel
