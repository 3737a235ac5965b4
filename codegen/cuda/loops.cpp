// See loops.h. Every loop statement of kernel IR has independent iterations (what is summed is a fold), which is what lets threads share them.

#include "codegen/cuda/loops.h"

#include <algorithm>
#include <limits>

#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::LoopKind;
using kernel::Stmt;
using kernel::StmtRef;

constexpr int kWarp = 32;
constexpr int kMostThreads = 256;
/// What one access to memory moves at most, in bytes, and how many elements that can be.
constexpr std::int64_t kWidestAccess = 16;
constexpr int kMostLanes = 16;
/// A fold at block level that is shorter than this is computed by every thread for itself.
constexpr std::int64_t kShortFold = 16;

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

/// A loop nest that threads share: loops right inside of each other, with only assignments between them.
struct SharedNest {
  std::vector<const Stmt*> loops;
  std::vector<StmtRef> body;
};

bool is_inner_loop(const StmtRef& stmt) { return stmt->kind == Stmt::Kind::loop; }

/// The statements of a block, with blocks inside of it opened up.
void flatten(const std::vector<StmtRef>& from, std::vector<StmtRef>& into) {
  for (const StmtRef& stmt : from) {
    if (stmt->kind == Stmt::Kind::block) {
      flatten(stmt->body, into);
    } else {
      into.push_back(stmt);
    }
  }
}

SharedNest shared_nest(const Stmt& outermost) {
  SharedNest nest;
  nest.loops.push_back(&outermost);
  flatten(outermost.body, nest.body);
  while (!nest.body.empty() && is_inner_loop(nest.body.back())) {
    const Stmt& inner = *nest.body.back();
    const bool assigns_between = std::all_of(nest.body.begin(), nest.body.end() - 1, [](const StmtRef& stmt) { return stmt->kind == Stmt::Kind::assign; });
    const bool same_extent = std::none_of(nest.loops.begin(), nest.loops.end(), [&](const Stmt* loop) { return kernel::depends_on(inner.extent, loop->var); });
    if (!assigns_between || !same_extent) break;
    nest.loops.push_back(&inner);
    nest.body.pop_back();
    flatten(inner.body, nest.body);
  }
  return nest;
}

class LoopEmitter {
 public:
  LoopEmitter(const kernel::Kernel& kernel, bool checked)
      : kernel_(kernel), source_(kernel.buffers, kernel.symbols, fits_narrow_index(kernel.buffers, kernel.symbols), checked) {
    reads_back_ = reads_what_it_writes(kernel.body);
  }

  CudaKernel emit() {
    const Expr tasks = kernel::from_dim(kernel_.tasks);
    source_.line(fmt::format("const {} {} = blockIdx.x;", source_.index_type(), Source::var_name(kernel_.task_var)));
    for_block(kernel_.body);
    const int threads = std::clamp((threads_wanted_ + kWarp - 1) / kWarp * kWarp, kWarp, kMostThreads);
    return {signature(kernel_.name, kernel_.buffers, kernel_.symbols, threads) + source_.elements() + source_.text() + "}\n", threads};
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
    const auto known = kernel::constant_value(extent);
    threads_wanted_ = std::max<int>(threads_wanted_, static_cast<int>(std::min<std::int64_t>(known.value_or(kMostThreads), kMostThreads)));
  }

  /// What one thread wrote is read by another one next.
  void publish() {
    if (reads_back_) source_.line("__syncthreads();");
  }

  /// Statements that all threads of the block reach together, with the same values.
  void for_block(const StmtRef& stmt) {
    switch (stmt->kind) {
      case Stmt::Kind::block:
        for (const StmtRef& part : stmt->body) for_block(part);
        return;
      case Stmt::Kind::loop: return block_loop(stmt);
      case Stmt::Kind::assign: return assign(*stmt);
      case Stmt::Kind::store:
        source_.open("if (threadIdx.x == 0) {");
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
      const bool whole = std::none_of(nest.body.begin(), nest.body.end(), is_inner_loop);
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

  /// How many iterations of the innermost loop a thread takes at once: as many as fill its accesses to memory.
  Lanes choose_lanes(const SharedNest& nest) {
    const Stmt& innermost = *nest.loops.back();
    Lanes lanes{innermost.var, 1, {}};
    for (int count = kMostLanes; count > 1; count /= 2) {
      if (known_divisor(innermost.extent, source_.multiples()) % count != 0) continue;
      lanes.count = count;
      source_.set_multiple(lanes.var, count);
      if (suits_lanes(nest, lanes)) return lanes;
    }
    source_.set_multiple(lanes.var, 1);
    lanes.count = 1;
    return lanes;
  }

  bool suits_lanes(const SharedNest& nest, Lanes lanes) const {
    LaneStrides strides(lanes, source_.multiples());
    std::int64_t narrowest = kWidestAccess, widest = 1;
    const auto note_access = [&](int buffer) {
      const std::int64_t bytes = dtype_bits(kernel_.buffers[static_cast<std::size_t>(buffer)].dtype) / 8;
      narrowest = std::min(narrowest, bytes), widest = std::max(widest, bytes);
    };
    for (const StmtRef& stmt : nest.body) {
      const bool is_fold = stmt->kind == Stmt::Kind::reduce;
      if (is_fold && (stmt->buffer >= 0 || !strides.is_uniform(stmt->extent))) return false;
      if (!is_fold && stmt->kind != Stmt::Kind::assign && stmt->kind != Stmt::Kind::store) return false;
      if (stmt->kind == Stmt::Kind::store) {
        if (source_.access_bytes(stmt->buffer, stmt->offset, lanes) == 0) return false;
        note_access(stmt->buffer);
      } else if (is_fold || !strides.is_uniform(stmt->value)) {
        lanes.locals[stmt->var];
      }
      kernel::visit(stmt->value, [&](const kernel::ExprNode& node) {
        if (node.kind == kernel::ExprKind::load && source_.access_bytes(node.buffer, node.args[0], lanes) > 0) note_access(node.buffer);
      });
    }
    return lanes.count * narrowest <= kWidestAccess && lanes.count * widest <= 2 * kWidestAccess;
  }

  void share_among_threads(const SharedNest& nest) {
    Lanes lanes = choose_lanes(nest);
    std::vector<std::string> extents;
    Expr total = kernel::index_constant(1);
    for (const Stmt* loop : nest.loops) {
      const Expr steps = loop == nest.loops.back() ? kernel::binary(kernel::Op::index_div, loop->extent, kernel::index_constant(lanes.count)) : loop->extent;
      extents.push_back(source_.index(steps));
      total = kernel::binary(kernel::Op::mul, total, steps);
    }
    want_threads(total);
    const std::string type = source_.index_type();
    if (nest.loops.size() == 1 && lanes.count == 1) {
      source_.open(fmt::format("for ({0} {1} = threadIdx.x; {1} < {2}; {1} += blockDim.x) {{", type, Source::var_name(nest.loops[0]->var), extents[0]));
    } else {
      source_.open(fmt::format("for ({0} i = threadIdx.x; i < {1}; i += blockDim.x) {{", type, source_.index(total)));
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
    if (lanes.count > 1) {
      for (const StmtRef& part : nest.body) for_lanes(*part, lanes);
    } else {
      for (const StmtRef& part : nest.body) for_thread(part);
    }
    source_.close();
    publish();
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
    source_.open(fmt::format("for ({0} {1} = threadIdx.x; {1} < {2}; {1} += blockDim.x) {{", source_.index_type(), i, extent));
    fold_element(stmt, part);
    source_.close();
    source_.line(fmt::format("const {} t{} = op::fold_block<{}>({});", type, stmt.var, fold_functor(stmt.op), part));
    if (stmt.buffer >= 0) publish();
  }

  const kernel::Kernel& kernel_;
  Source source_;
  bool reads_back_ = false;
  int threads_wanted_ = kWarp;
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

CudaKernel emit_loops(const kernel::Kernel& kernel, bool checked) { return LoopEmitter(kernel, checked).emit(); }

}  // namespace intaglio::cuda
