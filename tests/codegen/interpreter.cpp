// A tree-walking interpreter of kernel IR over host tensors.
#include "tests/codegen/interpreter.h"

#include <fmt/format.h>

#include <unordered_map>
#include <utility>

#include "tests/codegen/scalar.h"

namespace intaglio::testing {
namespace {

using kernel::Expr;
using kernel::ExprKind;
using kernel::ExprNode;
using kernel::LoopKind;
using kernel::Op;
using kernel::Stmt;

class Interpreter {
 public:
  Interpreter(const kernel::Kernel* kernel, std::vector<Tensor>* buffers, const SymbolValues& symbols)
      : kernel_(kernel), buffers_(buffers), symbols_(symbols) {}

  std::map<int, std::int64_t> variables;

  void run(const Stmt& stmt) {
    switch (stmt.kind) {
      case Stmt::Kind::block:
        for (const auto& s : stmt.body) run(*s);
        return;
      case Stmt::Kind::loop:
        return run_loop(stmt);
      case Stmt::Kind::store:
        return store(stmt.buffer, index(stmt.offset), value(stmt.value));
      case Stmt::Kind::assign:
        locals_[stmt.var] = value(stmt.value);
        return;
      case Stmt::Kind::reduce:
        return run_reduce(stmt);
      case Stmt::Kind::when:
        if (value(stmt.value).integer == 0) return;
        for (const auto& s : stmt.body) run(*s);
        return;
    }
  }

  /// The value of an expression that a statement holds.
  Scalar value(const Expr& e) {
    known_.clear();
    return part(e);
  }

  std::int64_t index(const Expr& e) {
    known_.clear();
    return index_part(e);
  }

 private:
  /// Each part once, as long as nothing changes that it may depend on: trees that share parts are exponentially larger than what they
  /// share.
  Scalar part(const Expr& e) {
    if (e->args.empty() || e->kind == ExprKind::var) return compute(e);
    if (const auto found = known_.find(e.get()); found != known_.end()) return found->second;
    const Scalar result = compute(e);
    known_.emplace(e.get(), result);
    return result;
  }

  std::int64_t index_part(const Expr& e) {
    const Scalar result = part(e);
    if (result.dtype != DType::i64) throw std::logic_error("an index is " + std::string(dtype_name(result.dtype)));
    return result.integer;
  }

  Scalar compute(const Expr& e) {
    switch (e->kind) {
      case ExprKind::constant:
        return is_float(e->dtype) ? of_real(e->dtype, e->real) : of_integer(e->dtype, e->integer);
      case ExprKind::var:
        return of_integer(DType::i64, variable(e->var));
      case ExprKind::symbol:
        return of_integer(DType::i64, symbols_.at(e->name));
      case ExprKind::load:
        return load(*e);
      case ExprKind::local:
        return local(*e);
      case ExprKind::unary:
        return apply_unary(e->op, part(e->args[0]));
      case ExprKind::binary:
        return apply_binary(e->op, part(e->args[0]), part(e->args[1]));
      case ExprKind::compare:
        return apply_compare(e->op, part(e->args[0]), part(e->args[1]));
      // Both sides are computed, as vectors do.
      case ExprKind::select: {
        const Scalar condition = part(e->args[0]), a = part(e->args[1]), b = part(e->args[2]);
        return condition.integer ? a : b;
      }
      case ExprKind::cast:
        return converted(part(e->args[0]), e->dtype);
      case ExprKind::bitcast:
        return bitcast_scalar(part(e->args[0]), e->dtype);
      case ExprKind::reduce:
        return fold(*e);
      case ExprKind::checked:
        return check(*e);
    }
    throw std::logic_error("unknown expression");
  }

  std::int64_t variable(int id) const {
    const auto found = variables.find(id);
    if (found == variables.end()) throw std::logic_error(fmt::format("v{} is read outside of its loop", id));
    return found->second;
  }

  Scalar local(const ExprNode& node) const {
    const auto found = locals_.find(node.var);
    if (found == locals_.end() || found->second.dtype != node.dtype)
      throw std::logic_error(fmt::format("t{} is read before it is assigned", node.var));
    return found->second;
  }

  Tensor& access(int buffer, std::int64_t offset, DType dtype) {
    Tensor& memory = buffers_->at(buffer);
    if (memory.dtype() != dtype) throw std::logic_error(fmt::format("b{} is {}", buffer, dtype_name(memory.dtype())));
    if (offset < 0 || offset >= memory.elements()) {
      throw BadAccess(fmt::format("b{}[{}] of {} elements, in\n{}", buffer, offset, memory.elements(), to_text(*kernel_)));
    }
    return memory;
  }

  Scalar load(const ExprNode& node) {
    const std::int64_t offset = index_part(node.args[0]);
    return read_scalar(access(node.buffer, offset, node.dtype), offset);
  }

  void store(int buffer, std::int64_t offset, const Scalar& value) {
    if (!kernel_->buffers[buffer].written) throw BadAccess(fmt::format("b{} is not to be written", buffer));
    write_scalar(access(buffer, offset, value.dtype), offset, value);
  }

  Scalar fold(const ExprNode& node) {
    Scalar total = identity(node.op, node.dtype);
    const std::int64_t extent = noted_extent(index_part(node.args[1]));
    auto known_outside = std::exchange(known_, {});
    for (std::int64_t i = 0; i < extent; ++i) {
      variables[node.var] = i;
      total = apply_binary(node.op, total, value(node.args[0]));
    }
    variables.erase(node.var);
    known_ = std::move(known_outside);
    return total;
  }

  Scalar check(const ExprNode& node) {
    const Scalar result = part(node.args[0]);
    if (result.integer < 0 || result.integer >= index_part(node.args[1])) throw CheckFailed(fmt::format("index {}", result.integer));
    return result;
  }

  void run_loop(const Stmt& stmt) {
    const std::int64_t extent = inner_extent(stmt.extent);
    if (stmt.loop == LoopKind::vector) return run_lanes(stmt, extent);
    for (std::int64_t i = 0; i < extent; ++i) {
      variables[stmt.var] = i;
      for (const auto& s : stmt.body) run(*s);
    }
    variables.erase(stmt.var);
  }

  void run_lanes(const Stmt& stmt, std::int64_t extent) {
    if (in_vector_loop_) throw std::logic_error("a vector loop inside a vector loop");
    in_vector_loop_ = true;
    std::vector<std::int64_t> first_lane;
    for (std::int64_t i = extent - 1; i >= 0; --i) {
      variables[stmt.var] = i;
      lane_extents_.clear();
      for (const auto& s : stmt.body) run(*s);
      if (i == extent - 1) first_lane = lane_extents_;
      if (lane_extents_ != first_lane) throw std::logic_error("lanes of a vector loop run inner loops of different extents");
    }
    variables.erase(stmt.var);
    in_vector_loop_ = false;
  }

  /// The extent of a loop, which inside of a vector loop must be the same in all lanes.
  std::int64_t inner_extent(const Expr& e) { return noted_extent(index(e)); }

  std::int64_t noted_extent(std::int64_t extent) {
    if (in_vector_loop_) lane_extents_.push_back(extent);
    return extent;
  }

  void run_reduce(const Stmt& stmt) {
    const std::int64_t extent = inner_extent(stmt.extent);
    if (stmt.loop == LoopKind::vector && in_vector_loop_) throw std::logic_error("a vector reduction inside a vector loop");
    Scalar total = identity(stmt.op, stmt.value->dtype);
    for (std::int64_t i = 0; i < extent; ++i) {
      variables[stmt.fold_var] = i;
      const Scalar element = value(stmt.value);
      if (stmt.buffer >= 0) store(stmt.buffer, index(stmt.offset), element);
      total = apply_binary(stmt.op, total, element);
    }
    variables.erase(stmt.fold_var);
    locals_[stmt.var] = total;
  }

  const kernel::Kernel* kernel_;
  std::vector<Tensor>* buffers_;
  const SymbolValues& symbols_;
  std::unordered_map<int, Scalar> locals_;
  std::unordered_map<const ExprNode*, Scalar> known_;
  bool in_vector_loop_ = false;
  std::vector<std::int64_t> lane_extents_;
};

/// Where the element number `i` in memory order is in row-major order.
std::int64_t logical_position(std::int64_t i, const Extents& shape, const Layout& layout) {
  const Extents strides = row_major_strides(shape);
  std::int64_t position = 0;
  for (std::size_t d = layout.size(); d-- > 0;) {
    position += i % shape[layout[d]] * strides[layout[d]];
    i /= shape[layout[d]];
  }
  return position;
}

Tensor rearranged(const Tensor& tensor, const Layout& layout, bool to_memory) {
  if (layout.empty()) return tensor;
  Tensor result(tensor.dtype(), tensor.shape());
  for (std::int64_t i = 0; i < tensor.elements(); ++i) {
    const std::int64_t logical = logical_position(i, tensor.shape(), layout);
    write_scalar(result, to_memory ? i : logical, read_scalar(tensor, to_memory ? logical : i));
  }
  return result;
}

}  // namespace

void interpret(const kernel::Kernel& kernel, std::vector<Tensor>& buffers, const SymbolValues& symbols) {
  const auto symbol_value = [&](const std::string& name) { return symbols.at(name); };
  if (buffers.size() != kernel.buffers.size()) throw std::logic_error("wrong number of buffers");
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    if (kernel.buffers[i].elements.evaluate(symbol_value) != buffers[i].elements())
      throw std::logic_error(fmt::format("b{} has the wrong size", i));
  }
  const std::int64_t tasks = kernel.tasks.evaluate(symbol_value);
  for (std::int64_t task = tasks - 1; task >= 0; --task) {
    // Nothing is handed from one task to the next.
    Interpreter interpreter(&kernel, &buffers, symbols);
    interpreter.variables[kernel.task_var] = task;
    interpreter.run(*kernel.body);
  }
}

double interpret_scalar(const Expr& e, const std::map<int, std::int64_t>& variables, const SymbolValues& symbols) {
  Interpreter interpreter(nullptr, nullptr, symbols);
  interpreter.variables = variables;
  const Scalar result = interpreter.value(e);
  return is_float(result.dtype) ? result.real : static_cast<double>(result.integer);
}

Tensor to_memory_order(const Tensor& logical, const Layout& layout) { return rearranged(logical, layout, true); }

Tensor from_memory_order(const Tensor& memory, const Layout& layout) { return rearranged(memory, layout, false); }

double element_at(const Tensor& tensor, std::int64_t i) {
  const Scalar value = read_scalar(tensor, i);
  return is_float(value.dtype) ? value.real : static_cast<double>(value.integer);
}

void set_element(Tensor& tensor, std::int64_t i, double value) {
  write_scalar(tensor, i, converted(of_real(DType::f64, value), tensor.dtype()));
}

}  // namespace intaglio::testing
