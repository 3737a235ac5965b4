// See loop_row.h.

#include "codegen/cuda/loop_row.h"

#include <algorithm>
#include <set>

#include "codegen/cuda/loop_nest.h"

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::LoopKind;
using kernel::Stmt;
using kernel::StmtRef;

/// Elements of a row that the threads of a block can hold.
constexpr std::int64_t kLongestRow = 256 * 32;

bool runs_along_vectors(const Stmt& stmt) { return (stmt.kind == Stmt::Kind::reduce || stmt.kind == Stmt::Kind::loop) && stmt.loop == LoopKind::vector; }

StmtRef rewritten(const Stmt& stmt, const std::function<Expr(const Expr&)>& rewrite) {
  Stmt copy = stmt;
  for (Expr* e : {&copy.extent, &copy.offset, &copy.value}) {
    if (*e) *e = rewrite(*e);
  }
  for (StmtRef& part : copy.body) part = rewritten(*part, rewrite);
  return std::make_shared<const Stmt>(std::move(copy));
}

bool mentions(const Stmt& stmt, const Expr& e) {
  const auto is_it = [&](const Expr& part) { return part == e; };
  for (const Expr* in : {&stmt.extent, &stmt.offset, &stmt.value}) {
    if (*in && kernel::find_subexpression(*in, is_it)) return true;
  }
  return std::ranges::any_of(stmt.body, [&](const StmtRef& part) { return mentions(*part, e); });
}

/// Locals that are assigned the same value become one, so that what is computed from them is seen to be equal.
void merge_equal_locals(std::vector<StmtRef>& statements) {
  for (std::size_t i = 0; i < statements.size(); ++i) {
    if (statements[i]->kind != Stmt::Kind::assign) continue;
    for (std::size_t later = i + 1; later < statements.size(); ++later) {
      if (statements[later]->kind != Stmt::Kind::assign || statements[later]->value != statements[i]->value) continue;
      const DType dtype = statements[i]->value->dtype;
      const Expr replaced = kernel::local(statements[later]->var, dtype), by = kernel::local(statements[i]->var, dtype);
      statements.erase(statements.begin() + static_cast<std::ptrdiff_t>(later--));
      for (std::size_t user = later + 1; user < statements.size(); ++user) {
        statements[user] = rewritten(*statements[user], [&](const Expr& e) { return kernel::replace(e, replaced, by); });
      }
    }
  }
}

/// A fold that keeps its values in the result lets go of them where the result is written again, element by element: what reads them computes them, or has
/// them in registers.
bool drop_stores_of_folds(std::vector<StmtRef>& statements) {
  for (std::size_t i = 0; i < statements.size(); ++i) {
    const Stmt fold = *statements[i];
    if (fold.kind != Stmt::Kind::reduce || fold.buffer < 0) continue;
    const auto writes_again = [&](const StmtRef& stmt) {
      return stmt->kind == Stmt::Kind::loop && std::ranges::any_of(flatten(stmt->body), [&](const StmtRef& part) {
               return part->kind == Stmt::Kind::store && part->buffer == fold.buffer && part->offset == fold.offset;
             });
    };
    if (std::none_of(statements.begin() + static_cast<std::ptrdiff_t>(i), statements.end(), writes_again)) return false;
    const Expr stored = kernel::load(fold.buffer, fold.value->dtype, fold.offset);
    for (std::size_t later = i + 1; later < statements.size(); ++later) {
      statements[later] = rewritten(*statements[later], [&](const Expr& e) { return kernel::replace(e, stored, fold.value); });
    }
    Stmt silent = fold;
    silent.buffer = -1;
    silent.offset = nullptr;
    statements[i] = std::make_shared<const Stmt>(std::move(silent));
  }
  return true;
}

}  // namespace

bool Row::is_along(const Stmt& stmt) const { return runs_along_vectors(stmt); }

std::vector<StmtRef> Row::element_statements() const {
  std::vector<StmtRef> result;
  for (const StmtRef& stmt : statements) {
    if (!is_along(*stmt)) continue;
    if (stmt->kind == Stmt::Kind::reduce) {
      result.push_back(kernel::assign(stmt->var, stmt->value));
    } else {
      const std::vector<StmtRef> body = flatten(stmt->body);
      result.insert(result.end(), body.begin(), body.end());
    }
  }
  return result;
}

std::optional<Row> find_row(const std::vector<StmtRef>& block) {
  Row row;
  row.statements = flatten(block);
  for (StmtRef& stmt : row.statements) {
    if (!runs_along_vectors(*stmt)) {
      // What threads share otherwise is no part of a row.
      if (stmt->kind != Stmt::Kind::assign && stmt->kind != Stmt::Kind::store) return std::nullopt;
      continue;
    }
    if (!row.extent) row.extent = stmt->extent;
    const int var = stmt->kind == Stmt::Kind::reduce ? stmt->fold_var : stmt->var;
    if (row.var < 0) row.var = var;
    if (stmt->extent != row.extent) return std::nullopt;
    const bool simple = stmt->kind == Stmt::Kind::reduce || std::ranges::all_of(flatten(stmt->body), [](const StmtRef& part) { return part->kind == Stmt::Kind::store; });
    if (!simple) return std::nullopt;
    const Expr element = kernel::var(row.var, row.extent);
    stmt = rewritten(*stmt, [&](const Expr& e) { return kernel::substitute(e, var, element); });
  }
  const auto is_fold = [](const StmtRef& stmt) { return stmt->kind == Stmt::Kind::reduce; };
  if (!row.extent || std::ranges::none_of(row.statements, is_fold)) return std::nullopt;
  const auto extent = kernel::constant_value(row.extent);
  if (!extent || *extent > kLongestRow || *extent < 2) return std::nullopt;
  merge_equal_locals(row.statements);
  if (!drop_stores_of_folds(row.statements)) return std::nullopt;

  const auto read_again = [&](std::size_t i, const Expr& e) {
    return std::any_of(row.statements.begin() + static_cast<std::ptrdiff_t>(i) + 1, row.statements.end(), [&](const StmtRef& later) { return mentions(*later, e); });
  };
  for (std::size_t i = 0; i < row.statements.size(); ++i) {
    if (!is_fold(row.statements[i])) continue;
    const Expr& value = row.statements[i]->value;
    if (read_again(i, value)) row.kept.emplace_back(i, value);
  }
  return row;
}

}  // namespace intaglio::cuda
