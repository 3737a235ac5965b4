// See loops.h. Every loop statement of kernel IR has independent iterations (what is summed is a fold), which is what lets threads share them.

#include "codegen/cuda/loops.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "codegen/cuda/loop_nest.h"
#include "codegen/cuda/loop_row.h"
#include "support/ceil_div.h"
#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::LoopKind;
using kernel::Stmt;
using kernel::StmtRef;

constexpr int kWarp = 32;
constexpr int kMostThreads = 256;
/// Threads of a block that computes several tasks.
constexpr int kFewThreads = 128;
/// Elements of a row that a thread keeps in registers.
constexpr std::int64_t kRowOfThread = 32;
/// A fold at block level that is shorter than this is computed by every thread for itself.
constexpr std::int64_t kShortFold = 16;

/// What an extent is at most, where that is known.
std::optional<std::int64_t> known_most(const Expr& extent) {
  if (const auto value = kernel::constant_value(extent)) return value;
  if (extent->kind != kernel::ExprKind::binary) return std::nullopt;
  const auto a = known_most(extent->args[0]), b = known_most(extent->args[1]);
  switch (extent->op) {
    case kernel::Op::min: return a && b ? std::min(*a, *b) : a ? a : b;
    case kernel::Op::mul: return a && b ? std::optional(*a * *b) : std::nullopt;
    case kernel::Op::index_div: return a && b && *b > 0 ? std::optional(*a / *b) : std::nullopt;
    default: return std::nullopt;
  }
}

bool is_long_fold(const Stmt& stmt) {
  if (stmt.kind != Stmt::Kind::reduce) return false;
  const auto extent = kernel::constant_value(stmt.extent);
  return stmt.loop == LoopKind::vector || stmt.buffer >= 0 || !extent || *extent >= kShortFold;
}

/// True if the threads of a block work together somewhere inside.
bool needs_block(const StmtRef& stmt) {
  if (stmt->kind == Stmt::Kind::reduce && stmt->loop == LoopKind::vector) return true;
  // Lanes of a vector loop fold for themselves.
  if (stmt->kind == Stmt::Kind::loop && stmt->loop == LoopKind::vector) return false;
  return std::any_of(stmt->body.begin(), stmt->body.end(), needs_block);
}

class LoopEmitter {
 public:
  LoopEmitter(const kernel::Kernel& kernel, bool checked)
      : kernel_(kernel), source_(kernel.buffers, kernel.symbols, fits_narrow_index(kernel.buffers, kernel.symbols), checked) {
    reads_back_ = reads_what_it_writes(kernel.body);
  }

  LoopKernel emit() {
    for_block(kernel_.body);
    int threads = std::min(threads_wanted_, kMostThreads);
    if (folds_together_) threads = std::max(threads, kWarp);
    threads = threads > kWarp ? (threads + kWarp - 1) / kWarp * kWarp : static_cast<int>(std::bit_ceil(static_cast<unsigned>(threads)));
    // Several small tasks share a block, unless its threads wait for each other.
    const int groups = folds_together_ && threads > kWarp ? 1 : std::max(1, kFewThreads / threads);
    Source head(kernel_.buffers, kernel_.symbols, source_.index_type() == "int", false, "h");
    head.line("ptx::allow_next_kernel();");
    head.line("ptx::wait_for_previous_kernel();");
    const std::string task = Source::var_name(kernel_.task_var);
    head.line(fmt::format("constexpr int threads = {};  // of a task", threads));
    if (groups == 1) {
      head.line("const int thread = threadIdx.x;");
      head.line(fmt::format("const {} {} = blockIdx.x;", head.index_type(), task));
    } else {
      head.line("const int thread = threadIdx.x % threads;");
      head.line(fmt::format("const {0} {1} = {0}(blockIdx.x) * {2} + threadIdx.x / threads;", head.index_type(), task, groups));
      const std::string tasks = head.index(kernel::from_dim(kernel_.tasks));
      head.line(fmt::format("if ({} >= {}) return;", task, tasks));
    }
    const std::string start = signature(kernel_.name, kernel_.buffers, kernel_.symbols, threads * groups, 1, 0, "", {true});
    return {{start + head.text() + source_.elements() + source_.text() + "}\n", threads * groups}, Dim::ceildiv(kernel_.tasks, groups)};
  }

 private:
  bool reads_what_it_writes(const StmtRef& stmt) const {
    bool found = false;
    for (const Expr* e : {&stmt->value, &stmt->offset, &stmt->extent}) {
      if (!*e) continue;
      kernel::visit(*e, [&](const kernel::ExprNode& node) { found = found || (node.kind == kernel::ExprKind::load && kernel_.buffers[node.buffer].written); });
    }
    return found || std::any_of(stmt->body.begin(), stmt->body.end(), [&](const StmtRef& part) { return reads_what_it_writes(part); });
  }

  void want_threads(const Expr& extent) {
    const auto known = known_most(extent);
    threads_wanted_ = std::max<int>(threads_wanted_, static_cast<int>(std::clamp<std::int64_t>(known.value_or(kMostThreads), 1, kMostThreads)));
  }

  /// What one thread wrote is read by another one next.
  void publish() {
    if (!reads_back_) return;
    folds_together_ = true;
    source_.line("op::sync_threads<threads>();");
  }

  /// Statements that all threads of the block reach together, with the same values.
  void for_block(const StmtRef& stmt) {
    switch (stmt->kind) {
      case Stmt::Kind::block:
        if (const auto row = find_row(stmt->body)) return for_row(*row);
        for (const StmtRef& part : stmt->body) for_block(part);
        return;
      case Stmt::Kind::loop: return block_loop(stmt);
      case Stmt::Kind::assign: return assign(*stmt);
      case Stmt::Kind::store:
        source_.open("if (thread == 0) {");
        source_.store(stmt->buffer, stmt->offset, source_.value(stmt->value));
        source_.close();
        return publish();
      case Stmt::Kind::reduce: return is_long_fold(*stmt) ? fold_in_block(*stmt) : fold_in_thread(*stmt);
      case Stmt::Kind::when:
        source_.open(fmt::format("if ({}) {{", source_.value(stmt->value)));
        for (const StmtRef& part : stmt->body) for_block(part);
        return source_.close();
    }
  }

  void block_loop(const StmtRef& stmt) {
    if (!needs_block(stmt)) {
      const SharedNest nest = shared_nest(*stmt);
      // With a loop left inside, whose length depends on the loops around it, threads share that one.
      const bool whole = std::ranges::none_of(nest.body, [](const StmtRef& part) { return part->kind == Stmt::Kind::loop; });
      if (whole || stmt->loop == LoopKind::vector) return share_among_threads(nest);
    }
    serial_loop(*stmt, [&](const StmtRef& part) { for_block(part); });
  }

  void serial_loop(const Stmt& stmt, const std::function<void(const StmtRef&)>& emit_part) {
    const std::string i = Source::var_name(stmt.var);
    source_.open(fmt::format("for ({0} {1} = 0; {1} < {2}; ++{1}) {{", source_.index_type(), i, source_.index(stmt.extent)));
    for (const StmtRef& part : stmt.body) emit_part(part);
    source_.close();
  }

  void share_among_threads(SharedNest nest) {
    const auto interleave = find_interleave(source_, kernel_.buffers, nest);
    if (interleave) nest.loops.pop_back();
    const Stmt& innermost = *nest.loops.back();
    Lanes lanes = interleave ? interleave->lanes : choose_lanes(source_, kernel_.buffers, innermost.var, innermost.extent, nest.body);
    std::vector<std::string> extents;
    Expr total = kernel::index_constant(1);
    for (const Stmt* loop : nest.loops) {
      const Expr steps = loop == &innermost ? kernel::binary(kernel::Op::index_div, loop->extent, kernel::index_constant(lanes.count)) : loop->extent;
      extents.push_back(source_.index(steps));
      total = kernel::binary(kernel::Op::mul, total, steps);
    }
    want_threads(total);
    const std::string type = source_.index_type();
    if (nest.loops.size() == 1 && lanes.count == 1) {
      source_.open(fmt::format("for ({0} {1} = thread; {1} < {2}; {1} += threads) {{", type, Source::var_name(nest.loops[0]->var), extents[0]));
    } else {
      source_.open(fmt::format("for ({0} i = thread; i < {1}; i += threads) {{", type, source_.index(total)));
      std::string rest = "i";
      for (std::size_t l = nest.loops.size(); l-- > 0;) {
        const std::string number = l == 0 ? rest : fmt::format("{} % {}", rest, extents[l]);
        const std::string times = l + 1 == nest.loops.size() && lanes.count > 1 ? fmt::format(" * {}", lanes.count) : "";
        source_.line(fmt::format("const {} {} = {}{};", type, Source::var_name(nest.loops[l]->var), number, times));
        if (l == 0) break;
        source_.line(fmt::format("const {} i{} = {} / {};", type, l, rest, extents[l]));
        rest = fmt::format("i{}", l);
      }
    }
    if (interleave) {
      store_interleaved(*nest.body[0], *interleave);
    } else if (lanes.count > 1) {
      for (const StmtRef& part : nest.body) for_lanes(*part, lanes);
    } else {
      for (const StmtRef& part : nest.body) for_thread(part);
    }
    source_.close();
    publish();
  }

  void store_interleaved(const Stmt& stmt, const Interleave& interleave) {
    const std::string lines = fmt::format("lines{}", interleave.inner_var);
    const std::int64_t count = interleave.lanes.count * interleave.inner;
    source_.line(fmt::format("{} {}[{}];", type_name(stmt.value->dtype), lines, count));
    for (std::int64_t i = 0; i < interleave.inner; ++i) {
      const std::string values = source_.values(kernel::substitute(stmt.value, interleave.inner_var, kernel::index_constant(i)), interleave.lanes);
      source_.line("#pragma unroll");
      source_.line(fmt::format("for (int l = 0; l < {}; ++l) {}[l * {} + {}] = {}[l];", interleave.lanes.count, lines, interleave.inner, i, values));
    }
    source_.store_array(stmt.buffer, kernel::substitute(stmt.offset, interleave.inner_var, kernel::index_constant(0)), lines, count, interleave.bytes);
  }

  /// Statements of one thread.
  void for_thread(const StmtRef& stmt) {
    switch (stmt->kind) {
      case Stmt::Kind::block:
        for (const StmtRef& part : stmt->body) for_thread(part);
        return;
      case Stmt::Kind::loop: return serial_loop(*stmt, [&](const StmtRef& part) { for_thread(part); });
      case Stmt::Kind::assign: return assign(*stmt);
      case Stmt::Kind::store: return source_.store(stmt->buffer, stmt->offset, source_.value(stmt->value));
      case Stmt::Kind::reduce: return fold_in_thread(*stmt);
      case Stmt::Kind::when:
        source_.open(fmt::format("if ({}) {{", source_.value(stmt->value)));
        for (const StmtRef& part : stmt->body) for_thread(part);
        return source_.close();
    }
  }

  void assign(const Stmt& stmt) {
    source_.line(fmt::format("const auto t{} = {};", stmt.var, source_.value(stmt.value)));
    if (stmt.value->dtype == DType::i64) source_.set_multiple(stmt.var, known_divisor(stmt.value, source_.multiples()));
  }

  /// A statement of one thread for several iterations of the innermost loop. Locals that differ between them become arrays.
  void for_lanes(const Stmt& stmt, Lanes& lanes) {
    if (stmt.kind == Stmt::Kind::store) {
      const std::string stored = source_.values(stmt.value, lanes);
      return source_.store_values(stmt.buffer, stmt.offset, stored, lanes);
    }
    if (stmt.kind == Stmt::Kind::assign) {
      if (LaneStrides(lanes, source_.multiples()).is_uniform(stmt.value)) return assign(stmt);
      lanes.locals[stmt.var] = source_.values(stmt.value, lanes);
      return;
    }
    const std::string total = fmt::format("t{}", stmt.var), i = Source::var_name(stmt.fold_var), extent = source_.index(stmt.extent);
    source_.line(fmt::format("{} {}[{}];", type_name(stmt.value->dtype), total, lanes.count));
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int l = 0; l < {}; ++l) {}[l] = {};", lanes.count, total, fold_identity(stmt.op, stmt.value->dtype)));
    source_.open(fmt::format("for ({0} {1} = 0; {1} < {2}; ++{1}) {{", source_.index_type(), i, extent));
    source_.fold_values(total, stmt.op, stmt.value, lanes);
    source_.close();
    lanes.locals[stmt.var] = total;
  }

  /// One step of a fold: total = op(total, value), and the value kept where the fold keeps its values.
  void fold_element(const Stmt& stmt, const std::string& total) {
    const std::string element = source_.value(stmt.value);
    if (stmt.buffer < 0) return source_.line(fmt::format("{0} = {1}()({0}, {2});", total, fold_functor(stmt.op), element));
    source_.line(fmt::format("const auto kept{} = {};", stmt.var, element));
    source_.store(stmt.buffer, stmt.offset, fmt::format("kept{}", stmt.var));
    source_.line(fmt::format("{0} = {1}()({0}, kept{2});", total, fold_functor(stmt.op), stmt.var));
  }

  void fold_in_thread(const Stmt& stmt) {
    const std::string total = fmt::format("t{}", stmt.var), i = Source::var_name(stmt.fold_var);
    const std::string extent = source_.index(stmt.extent);
    source_.line(fmt::format("{} {} = {};", type_name(stmt.value->dtype), total, fold_identity(stmt.op, stmt.value->dtype)));
    source_.open(fmt::format("for ({0} {1} = 0; {1} < {2}; ++{1}) {{", source_.index_type(), i, extent));
    fold_element(stmt, total);
    source_.close();
  }

  void fold_in_block(const Stmt& stmt) {
    const std::string part = fmt::format("part{}", stmt.var), i = Source::var_name(stmt.fold_var);
    const std::string type = type_name(stmt.value->dtype), extent = source_.index(stmt.extent);
    want_threads(stmt.extent);
    source_.line(fmt::format("{} {} = {};", type, part, fold_identity(stmt.op, stmt.value->dtype)));
    source_.open(fmt::format("for ({0} {1} = thread; {1} < {2}; {1} += threads) {{", source_.index_type(), i, extent));
    fold_element(stmt, part);
    source_.close();
    fold_threads(stmt, part);
    if (stmt.buffer >= 0) publish();
  }

  void fold_threads(const Stmt& stmt, const std::string& part) {
    source_.line(fmt::format("const {} t{} = op::fold_threads<threads, {}>({});", type_name(stmt.value->dtype), stmt.var, fold_functor(stmt.op), part));
    folds_together_ = true;
  }

  /// A row in registers: thread t has elements (k * threads + t) * lanes .. of each step k.
  void for_row(const Row& row) {
    Lanes lanes = choose_lanes(source_, kernel_.buffers, row.var, row.extent, row.element_statements());
    const std::int64_t extent = *kernel::constant_value(row.extent), shares = extent / lanes.count;
    const std::int64_t threads = std::min<std::int64_t>(ceil_div(extent, kRowOfThread), shares);
    want_threads(kernel::index_constant(threads > kWarp ? static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(threads))) : kWarp));
    const std::string steps = fmt::format("steps{}", row.var);
    source_.line(fmt::format("constexpr int {} = ({} + threads - 1) / threads;", steps, shares));
    for (std::size_t i = 0; i < row.kept.size(); ++i) {
      source_.line(fmt::format("{} kept{}_{}[{}][{}];", type_name(row.kept[i].second->dtype), row.var, i, steps, lanes.count));
    }
    for (std::size_t s = 0; s < row.statements.size(); ++s) {
      const Stmt& stmt = *row.statements[s];
      if (!row.is_along(stmt)) {
        for_block(row.statements[s]);
        continue;
      }
      const bool is_fold = stmt.kind == Stmt::Kind::reduce;
      const std::string part = fmt::format("part{}", stmt.var);
      if (is_fold) source_.line(fmt::format("{} {} = {};", type_name(stmt.value->dtype), part, fold_identity(stmt.op, stmt.value->dtype)));
      source_.line("#pragma unroll");
      source_.open(fmt::format("for (int k = 0; k < {}; ++k) {{", steps));
      source_.line(fmt::format("const {} {} = (k * threads + thread) * {};", source_.index_type(), Source::var_name(row.var), lanes.count));
      source_.open(fmt::format("if ({} < {}) {{", Source::var_name(row.var), extent));
      for (std::size_t i = 0; i < row.kept.size(); ++i) {
        const auto& [first, value] = row.kept[i];
        const std::string kept = fmt::format("kept{}_{}[k]", row.var, i);
        if (first == s) copy_lanes(kept, source_.values(value, lanes), lanes);
        if (first <= s) source_.set_values(value, kept);
      }
      if (is_fold) {
        source_.fold_values_into(part, stmt.op, stmt.value, lanes);
      } else {
        for (const StmtRef& element : flatten(stmt.body)) for_lanes(*element, lanes);
      }
      source_.close();
      source_.close();
      if (is_fold) fold_threads(stmt, part);
    }
  }

  void copy_lanes(const std::string& to, const std::string& from, const Lanes& lanes) {
    source_.line("#pragma unroll");
    source_.line(fmt::format("for (int l = 0; l < {}; ++l) {}[l] = {}[l];", lanes.count, to, from));
  }

  const kernel::Kernel& kernel_;
  Source source_;
  bool reads_back_ = false;
  bool folds_together_ = false;  ///< threads wait for each other
  int threads_wanted_ = 1;
};

}  // namespace

bool fits_narrow_index(const std::vector<kernel::Buffer>& buffers, const std::vector<std::string>& symbols) {
  return symbols.empty() && std::all_of(buffers.begin(), buffers.end(), [](const kernel::Buffer& buffer) {
           const auto elements = buffer.elements.constant();
           return elements && *elements < std::numeric_limits<std::int32_t>::max();
         });
}

std::string signature(const std::string& name, const std::vector<kernel::Buffer>& buffers, const std::vector<std::string>& symbols, int block_threads,
                      int cluster, int blocks, const std::string& parameters, const Overlap& overlap) {
  const std::string together = cluster > 1 ? fmt::format("__cluster_dims__({}) ", cluster) : "";
  const std::string bounds = blocks > 0 ? fmt::format("{}, {}", block_threads, blocks) : std::to_string(block_threads);
  std::string text = fmt::format("extern \"C\" __global__ void {}__launch_bounds__({}) {}(", together, bounds, name);
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const std::string type = type_name(buffers[i].dtype);
    const bool may_change = !buffers[i].written && overlap.waits && static_cast<int>(i) != overlap.constant;
    text += fmt::format("{}{}*{} b{}, ", buffers[i].written ? "" : "const ", type, may_change ? "" : " __restrict__", i);
  }
  for (std::size_t i = 0; i < symbols.size(); ++i) text += fmt::format("int64 s{}, ", i);
  return text + "Status* status" + parameters + ") {\n";
}

LoopKernel emit_loops(const kernel::Kernel& kernel, bool checked) { return LoopEmitter(kernel, checked).emit(); }

}  // namespace intaglio::cuda
