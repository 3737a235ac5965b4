// The text of expressions and kernels. Equal text means equal kernel: everything that an emitter reads is in it.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <unordered_map>

#include "ir/kernel/kernel.h"
#include "support/diagnostics.h"

namespace intaglio::kernel {
namespace {

/// Operators that print between their operands; null for those that print as functions.
const char* infix(Op op) {
  switch (op) {
    case Op::add:
      return "+";
    case Op::sub:
      return "-";
    case Op::mul:
      return "*";
    case Op::div:
      return "/";
    case Op::index_div:
      return "//";
    case Op::index_mod:
      return "%";
    case Op::logical_and:
      return "&&";
    case Op::logical_or:
      return "||";
    case Op::shl:
      return "<<";
    case Op::shr:
      return ">>";
    case Op::eq:
      return "==";
    case Op::ne:
      return "!=";
    case Op::lt:
      return "<";
    case Op::le:
      return "<=";
    case Op::gt:
      return ">";
    case Op::ge:
      return ">=";
    default:
      return nullptr;
  }
}

bool is_leaf(const ExprNode& node) { return node.args.empty() || node.kind == ExprKind::var; }

/// Prints the expressions of one statement; what has several users there is named in `definitions` first.
class ExprPrinter {
 public:
  explicit ExprPrinter(const std::vector<Expr>& roots) {
    for (const Expr& root : roots) count(root);
  }

  std::string print(const Expr& e) {
    if (is_leaf(*e) || uses_[e.get()] < 2) return text_of(*e);
    const auto [known, added] = names_.try_emplace(e.get());
    if (added) {
      std::string text = text_of(*e);
      // The operands' names come first, so that definitions read from top to bottom.
      std::string name = fmt::format("%{}", definitions_.size());
      definitions_.push_back(fmt::format("{} := {}", name, text));
      names_[e.get()] = name;
    }
    return names_[e.get()];
  }

  const std::vector<std::string>& definitions() const { return definitions_; }

 private:
  void count(const Expr& e) {
    if (uses_[e.get()]++ > 0 || is_leaf(*e)) return;
    for (const Expr& arg : e->args) count(arg);
  }

  std::string constant_text(const ExprNode& node) const {
    if (node.dtype == DType::boolean) return node.integer ? "true" : "false";
    if (node.dtype == DType::i64) return fmt::format("{}", node.integer);
    if (!is_float(node.dtype)) return fmt::format("{}:{}", node.integer, dtype_name(node.dtype));
    return fmt::format("{}:{}", node.real, dtype_name(node.dtype));
  }

  std::string binary_text(const ExprNode& node) {
    std::string a = print(node.args[0]), b = print(node.args[1]);
    if (const char* symbol = infix(node.op)) return fmt::format("({} {} {})", a, symbol, b);
    return fmt::format("{}({}, {})", op_text(node.op), a, b);
  }

  std::string text_of(const ExprNode& node) {
    switch (node.kind) {
      case ExprKind::constant:
        return constant_text(node);
      case ExprKind::var:
        return fmt::format("v{}", node.var);
      case ExprKind::symbol:
        return fmt::format("${}", node.name);
      case ExprKind::load:
        return fmt::format("b{}[{}]:{}", node.buffer, print(node.args[0]), dtype_name(node.dtype));
      case ExprKind::local:
        return fmt::format("t{}", node.var);
      case ExprKind::unary:
        return fmt::format("{}({})", op_text(node.op), print(node.args[0]));
      case ExprKind::binary:
      case ExprKind::compare:
        return binary_text(node);
      case ExprKind::select: {
        std::string condition = print(node.args[0]), a = print(node.args[1]), b = print(node.args[2]);
        return fmt::format("({} ? {} : {})", condition, a, b);
      }
      case ExprKind::cast:
        return fmt::format("{}({})", dtype_name(node.dtype), print(node.args[0]));
      case ExprKind::bitcast:
        return fmt::format("bitcast_{}({})", dtype_name(node.dtype), print(node.args[0]));
      case ExprKind::reduce: {
        std::string extent = print(node.args[1]), body = print(node.args[0]);
        return fmt::format("reduce_{}(v{} < {}: {})", op_text(node.op), node.var, extent, body);
      }
      case ExprKind::checked: {
        std::string value = print(node.args[0]), extent = print(node.args[1]);
        return fmt::format("checked({} < {})", value, extent);
      }
    }
    internal_check(false, "unknown kind of expression {}", static_cast<int>(node.kind));
    return {};
  }

  std::unordered_map<const ExprNode*, int> uses_;
  std::unordered_map<const ExprNode*, std::string> names_;
  std::vector<std::string> definitions_;
};

class KernelPrinter {
 public:
  std::string print(const Kernel& kernel) {
    out_ = fmt::format("kernel {}\n", kernel.name);
    for (std::size_t i = 0; i < kernel.buffers.size(); ++i) {
      const Buffer& b = kernel.buffers[i];
      out_ += fmt::format("  b{} {}: {}[{}]{}\n", i, b.name, dtype_name(b.dtype), b.elements.text(), b.written ? " written" : "");
    }
    if (!kernel.symbols.empty()) out_ += fmt::format("  symbols {}\n", fmt::join(kernel.symbols, ", "));
    out_ += fmt::format("tasks v{} < {}\n", kernel.task_var, kernel.tasks.text());
    print(*kernel.body, 1);
    return std::move(out_);
  }

 private:
  void line(int depth, const std::string& text) { out_ += std::string(2 * depth, ' ') + text + "\n"; }

  /// Definitions of shared subexpressions, then the statement, whose text `format` makes of the printed expressions.
  template <typename Format>
  void statement(int depth, const std::vector<Expr>& expressions, const Format& format) {
    ExprPrinter printer(expressions);
    std::vector<std::string> texts;
    for (const Expr& e : expressions) texts.push_back(printer.print(e));
    for (const std::string& definition : printer.definitions()) line(depth, definition);
    line(depth, format(texts));
  }

  void print(const Stmt& stmt, int depth) {
    switch (stmt.kind) {
      case Stmt::Kind::block:
        for (const StmtRef& s : stmt.body) print(*s, depth);
        return;
      case Stmt::Kind::loop:
        statement(depth, {stmt.extent}, [&](const auto& t) { return fmt::format("{} v{} < {}", kind_text(stmt.loop), stmt.var, t[0]); });
        break;
      case Stmt::Kind::store:
        statement(depth, {stmt.offset, stmt.value}, [&](const auto& t) { return fmt::format("b{}[{}] = {}", stmt.buffer, t[0], t[1]); });
        return;
      case Stmt::Kind::assign:
        statement(depth, {stmt.value},
                  [&](const auto& t) { return fmt::format("t{}:{} = {}", stmt.var, dtype_name(stmt.value->dtype), t[0]); });
        return;
      case Stmt::Kind::reduce:
        print_reduce(stmt, depth);
        return;
      case Stmt::Kind::when:
        statement(depth, {stmt.value}, [&](const auto& t) { return fmt::format("when {}", t[0]); });
        break;
    }
    for (const StmtRef& s : stmt.body) print(*s, depth + 1);
  }

  void print_reduce(const Stmt& stmt, int depth) {
    const auto head = [&](const std::string& extent) {
      return fmt::format("t{}:{} = {} reduce_{} v{} < {}:", stmt.var, dtype_name(stmt.value->dtype), kind_text(stmt.loop), op_text(stmt.op),
                         stmt.fold_var, extent);
    };
    if (stmt.buffer < 0) {
      statement(depth, {stmt.extent, stmt.value}, [&](const auto& t) { return fmt::format("{} {}", head(t[0]), t[1]); });
    } else {
      statement(depth, {stmt.extent, stmt.offset, stmt.value},
                [&](const auto& t) { return fmt::format("{} b{}[{}] = {}", head(t[0]), stmt.buffer, t[1], t[2]); });
    }
  }

  static std::string_view kind_text(LoopKind kind) {
    switch (kind) {
      case LoopKind::serial:
        return "serial";
      case LoopKind::vector:
        return "vector";
      case LoopKind::unroll:
        return "unroll";
    }
    return "";
  }

  std::string out_;
};

}  // namespace

std::string_view op_text(Op op) {
  static constexpr std::string_view kNames[] = {
      "neg", "abs",       "sqrt",      "floor", "ceil",        "trunc",      "round_even",  "logical_not", "bit_not", "is_nan",  "exp",
      "log", "tanh",      "sin",       "cos",   "erf",         "pow",        "sigmoid",     "add",         "sub",     "mul",     "div",
      "mod", "rem",       "min",       "max",   "logical_and", "logical_or", "logical_xor", "bit_and",     "bit_or",  "bit_xor", "shl",
      "shr", "div_near",  "index_div", "index_mod", "eq",      "ne",         "lt",          "le",          "gt",      "ge"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(Op::ge) + 1);
  return kNames[static_cast<std::size_t>(op)];
}

std::string to_text(const Expr& e) {
  ExprPrinter printer({e});
  std::string text = printer.print(e);
  std::string result;
  for (const std::string& definition : printer.definitions()) result += definition + "; ";
  return result + text;
}

std::string to_text(const Kernel& kernel) { return KernelPrinter().print(kernel); }

}  // namespace intaglio::kernel
