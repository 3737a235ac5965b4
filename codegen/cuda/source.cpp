// See source.h.

#include "codegen/cuda/source.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "codegen/cuda/near_divisions.h"
#include "codegen/cuda/quantized_text.h"
#include "codegen/schedule/vector_math.h"
#include "intaglio/artifact.h"
#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::ExprKind;
using kernel::Op;

std::string integer_text(DType dtype, std::int64_t value) {
  if (dtype == DType::boolean) return value ? "true" : "false";
  if (dtype == DType::u64) return fmt::format("{}ull", static_cast<std::uint64_t>(value));
  if (dtype == DType::u32) return fmt::format("{}u", static_cast<std::uint32_t>(value));
  if (dtype == DType::i64) {
    if (value == std::numeric_limits<std::int64_t>::min()) return "(-9223372036854775807ll - 1)";
    return fmt::format("{}ll", value);
  }
  if (value == std::numeric_limits<std::int32_t>::min()) return "(-2147483647 - 1)";
  return dtype == DType::i32 ? std::to_string(value) : fmt::format("{}({})", type_name(dtype), value);
}

std::string real_text(DType dtype, double value) {
  const bool wide = dtype == DType::f64;
  if (std::isnan(value)) return wide ? "__longlong_as_double(0x7ff8000000000000ll)" : "__int_as_float(0x7fc00000)";
  if (std::isinf(value)) {
    const std::string infinity = wide ? "__longlong_as_double(0x7ff0000000000000ll)" : "__int_as_float(0x7f800000)";
    return value < 0 ? "-" + infinity : infinity;
  }
  std::string text = wide ? fmt::format("{}", value) : fmt::format("{}", static_cast<float>(value));
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  if (!wide) text += "f";
  return value < 0 || std::signbit(value) ? "(" + text + ")" : text;
}

[[noreturn]] void refuse(DType dtype) {
  throw CompileError(ErrorCode::invalid, Diagnostic{"--target cuda", fmt::format("{} has no generated code for GPUs yet", dtype_name(dtype)), "", "", "compile for --target cpu"});
}

bool is_narrow_integer(DType dtype) { return is_integer(dtype) && dtype_bits(dtype) < 32; }

/// Arithmetic of narrow integers is in int, and wraps when it is brought back.
std::string wrapped(DType dtype, const std::string& text) { return is_narrow_integer(dtype) ? fmt::format("{}({})", type_name(dtype), text) : text; }

std::string infix(Op op) {
  switch (op) {
    case Op::add: return "+";
    case Op::sub: return "-";
    case Op::mul: return "*";
    case Op::logical_and:
    case Op::bit_and: return "&";
    case Op::logical_or:
    case Op::bit_or: return "|";
    case Op::logical_xor:
    case Op::bit_xor: return "^";
    case Op::shl: return "<<";
    case Op::shr: return ">>";
    case Op::index_div: return "/";
    case Op::index_mod: return "%";
    case Op::eq: return "==";
    case Op::ne: return "!=";
    case Op::lt: return "<";
    case Op::le: return "<=";
    case Op::gt: return ">";
    case Op::ge: return ">=";
    default: return "";
  }
}

std::string unary_text(Op op, DType dtype, const std::string& a) {
  const std::string suffix = dtype == DType::f32 ? "f" : "";
  const bool floating = is_float(dtype);
  switch (op) {
    case Op::neg: return wrapped(dtype, fmt::format("(-{})", a));
    case Op::abs:
      if (floating) return fmt::format("fabs{}({})", suffix, a);
      return is_signed_integer(dtype) ? wrapped(dtype, fmt::format("({0} < 0 ? -{0} : {0})", a)) : a;
    case Op::sqrt: return fmt::format("sqrt{}({})", suffix, a);
    case Op::floor: return floating ? fmt::format("floor{}({})", suffix, a) : a;
    case Op::ceil: return floating ? fmt::format("ceil{}({})", suffix, a) : a;
    case Op::trunc: return floating ? fmt::format("trunc{}({})", suffix, a) : a;
    case Op::round_even: return floating ? fmt::format("rint{}({})", suffix, a) : a;
    case Op::logical_not: return fmt::format("!{}", a);
    case Op::bit_not: return wrapped(dtype, fmt::format("(~{})", a));
    case Op::is_nan: return fmt::format("({0} != {0})", a);
    default: break;
  }
  internal_check(false, "{} is no operator of one operand, or was not expanded", kernel::op_text(op));
  return {};
}

std::string binary_text(Op op, DType dtype, const std::string& a, const std::string& b) {
  const std::string sign = infix(op);
  if (!sign.empty()) return wrapped(dtype, fmt::format("({} {} {})", a, sign, b));
  switch (op) {
    case Op::div: return is_float(dtype) ? fmt::format("({} / {})", a, b) : fmt::format("op::divide({}, {})", a, b);
    case Op::div_near: return fmt::format("op::near_quotient({}, {})", a, b);
    case Op::mod: return fmt::format("op::modulo({}, {})", a, b);
    case Op::rem: return fmt::format("op::remainder({}, {})", a, b);
    case Op::min: return fmt::format("op::minimum({}, {})", a, b);
    case Op::max: return fmt::format("op::maximum({}, {})", a, b);
    default: break;
  }
  internal_check(false, "{} is no operator of two operands, or was not expanded", kernel::op_text(op));
  return {};
}

/// Storage only.
bool is_small_float(DType dtype) { return is_float(dtype) && dtype_bits(dtype) <= 16; }

std::string cast_text(DType from, DType to, const std::string& a) {
  if (from == to) return a;
  if (is_small_float(from)) return cast_text(DType::f32, to, fmt::format("op::to_float({})", a));
  if (is_small_float(to)) return fmt::format("op::to_{}({})", type_name(to), cast_text(from, DType::f32, a));
  if (to == DType::boolean) return fmt::format("({} != 0)", a);
  if (dtype_bits(to) < 8) refuse(to);
  if (is_float(from) && is_integer(to)) return fmt::format("op::saturated<{}>({})", type_name(to), a);
  return fmt::format("{}({})", type_name(to), a);
}

}  // namespace

std::string type_name(DType dtype) {
  switch (dtype) {
    case DType::f32: return "float";
    case DType::f64: return "double";
    case DType::f16: return "float16";
    case DType::bf16: return "bfloat16";
    case DType::f8e4m3fn: return "float8_e4m3";
    case DType::f8e5m2: return "float8_e5m2";
    case DType::boolean: return "bool";
    case DType::i4:
    case DType::i8: return "int8";
    case DType::i16: return "int16";
    case DType::i32: return "int32";
    case DType::i64: return "int64";
    case DType::u4:
    case DType::u8: return "uint8";
    case DType::u16: return "uint16";
    case DType::u32: return "uint32";
    case DType::u64: return "uint64";
    default: break;
  }
  refuse(dtype);
}

std::string fold_identity(Op op, DType dtype) {
  switch (op) {
    case Op::add: return fmt::format("{}(0)", type_name(dtype));
    case Op::mul: return fmt::format("{}(1)", type_name(dtype));
    case Op::logical_or: return "false";
    case Op::logical_and: return "true";
    case Op::min:
    case Op::max: {
      if (is_float(dtype)) return real_text(dtype, op == Op::min ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity());
      return fmt::format("{0}(op::Limits<{0}>::{1})", type_name(dtype), op == Op::min ? "high" : "low");
    }
    default: break;
  }
  internal_check(false, "{} does not fold", kernel::op_text(op));
  return {};
}

std::string fold_functor(Op op) {
  switch (op) {
    case Op::add: return "op::Add";
    case Op::mul: return "op::Multiply";
    case Op::min: return "op::Minimum";
    case Op::max: return "op::Maximum";
    case Op::logical_and: return "op::And";
    case Op::logical_or: return "op::Or";
    default: break;
  }
  internal_check(false, "{} does not fold", kernel::op_text(op));
  return {};
}

bool Source::is_atom(const Expr& e) {
  return e->kind == ExprKind::constant || e->kind == ExprKind::var || e->kind == ExprKind::symbol || e->kind == ExprKind::local;
}

void Source::line(const std::string& text) { text_ += std::string(static_cast<std::size_t>(depth_) * 2, ' ') + text + "\n"; }

void Source::open(const std::string& text) {
  line(text);
  ++depth_;
  scopes_.emplace_back();
}

void Source::close() {
  --depth_;
  scopes_.pop_back();
  line("}");
}

std::string Source::elements() {
  if (!checked_) return "";
  Source head(buffers_, symbols_, false, false, "e");
  for (std::size_t i = 0; i < buffers_.size(); ++i) head.line(fmt::format("const int64 elements_{} = {};", i, head.index(kernel::from_dim(buffers_[i].elements))));
  return head.text();
}

/// Counts the users of each node of an expression that is about to be written.
void Source::note_uses(const Expr& e) {
  if (!seen_.insert(e).second) return;
  kernel::visit(e, [&](const kernel::ExprNode& node) {
    for (const Expr& arg : node.args) ++uses_[arg.get()];
  });
}

/// `e` in the operators that C++ and the prelude have.
Expr Source::as_written(const Expr& e) const {
  return with_near_divisions(expand_math(e), [&](const Expr& part) { return array_of(part.get()) != nullptr; });
}

std::string Source::value(const Expr& e) {
  const Expr expanded = as_written(e);
  note_uses(expanded);
  return emit(expanded, false);
}

std::string Source::index(const Expr& e) {
  note_uses(e);
  return emit(e, true);
}

/// With `named` the value gets a name however few users it has.
std::string Source::emit(const Expr& e, bool as_index, bool named) {
  if (is_atom(e)) return compute(e, as_index);
  const bool differs = lane_loop_ && !lane_loop_->strides.is_uniform(e);
  if (const std::string* array = differs ? array_of(e.get()) : nullptr) return as_index && narrow_ ? fmt::format("int({}[l])", *array) : *array + "[l]";
  // What was named outside of a loop over lanes is the first lane's.
  const std::size_t outermost = differs ? lane_loop_->scope : 0;
  for (std::size_t s = scopes_.size(); s-- > outermost;) {
    const auto& known = as_index ? scopes_[s].indices : scopes_[s].values;
    if (const auto found = known.find(e.get()); found != known.end()) return found->second;
  }
  std::string text = compute(e, as_index);
  const bool is_name = e->kind == ExprKind::reduce || e->kind == ExprKind::checked;  // computed by lines of their own
  if (!is_name && !named && uses_[e.get()] < 2) return text;
  if (!is_name) {
    const std::string name = new_name();
    line(fmt::format("const auto {} = {};", name, text));
    text = name;
  }
  (as_index ? scopes_.back().indices : scopes_.back().values)[e.get()] = text;
  return text;
}

std::string Source::compute(const Expr& e, bool as_index) {
  // In an index, variables are of index_type() and so is what is made of them; elsewhere they are the 64-bit integers that the IR says.
  const auto arg = [&](std::size_t i) { return emit(e->args[i], as_index); };
  switch (e->kind) {
    case ExprKind::constant:
      if (is_float(e->dtype)) return real_text(e->dtype, e->real);
      if (as_index && narrow_ && e->dtype == DType::i64) return fmt::format("{}", e->integer);
      return integer_text(e->dtype, e->integer);
    case ExprKind::var: {
      const std::string name = lane_loop_ && lane_loop_->lanes.var == e->var ? fmt::format("({} + l)", var_name(e->var)) : var_name(e->var);
      return as_index || !narrow_ ? name : fmt::format("int64({})", name);
    }
    case ExprKind::symbol: return fmt::format("s{}", std::ranges::find(symbols_, e->name) - symbols_.begin());
    case ExprKind::local: {
      std::string name = fmt::format("t{}", e->var);
      if (lane_loop_ && lane_loop_->lanes.locals.contains(e->var)) name = lane_loop_->lanes.locals.at(e->var) + "[l]";
      return as_index && narrow_ ? fmt::format("int({})", name) : name;
    }
    case ExprKind::load: return as_index && narrow_ ? fmt::format("int({})", load(e)) : load(e);
    case ExprKind::unary: return unary_text(e->op, e->args[0]->dtype, arg(0));
    case ExprKind::binary: {
      const std::string a = arg(0);
      return binary_text(e->op, as_index && e->dtype == DType::i64 && narrow_ ? DType::i32 : e->args[0]->dtype, a, arg(1));
    }
    case ExprKind::compare: {
      const std::string a = arg(0);
      return fmt::format("({} {} {})", a, infix(e->op), arg(1));
    }
    case ExprKind::select: {
      const std::string condition = arg(0), yes = arg(1);
      return fmt::format("({} ? {} : {})", condition, yes, arg(2));
    }
    case ExprKind::cast:
      if (const auto quantization = quantization_of(*e)) {
        std::string x = emit(quantization->x, false);
        if (quantization->step != 1) x = fmt::format("op::quotient({}, {}, {})", x, real_text(DType::f32, quantization->step), real_text(DType::f32, 1 / quantization->step));
        return fmt::format("op::quantized<{}>({}, {})", type_name(e->dtype), x, real_text(DType::f32, quantization->zero_point));
      }
      if (e->dtype == DType::f32 && is_small_integer(e->args[0])) return fmt::format("op::small_to_float({})", emit(e->args[0], false));
      return cast_text(e->args[0]->dtype, e->dtype, emit(e->args[0], false));
    case ExprKind::bitcast: return fmt::format("op::bits_as<{}>({})", type_name(e->dtype), arg(0));
    case ExprKind::reduce: return reduce(e);
    case ExprKind::checked: {
      const std::string name = new_name();
      // The index as the data says it, before it is narrowed.
      const std::string given = emit(e->args[0], false);
      line(fmt::format("const auto {} = {};", name, given));
      line(fmt::format("if (!op::in_range({}, {}, {}, 0, status)) return;", name, emit(e->args[1], false), static_cast<int>(INTAGLIO_KERNEL_INDEX_OUT_OF_RANGE)));
      return as_index && narrow_ ? fmt::format("int({})", name) : name;
    }
  }
  internal_check(false, "an expression of unknown kind");
  return {};
}

std::string Source::load(const Expr& e) {
  const std::string offset = emit(e->args[0], true);
  check(e->buffer, offset);
  loaded_buffers_.insert(e->buffer);
  if (dtype_bits(e->dtype) < 8) return fmt::format("op::{}_at(b{}, {})", e->dtype == DType::i4 ? "int4" : "uint4", e->buffer, offset);
  return fmt::format("b{}[{}]", e->buffer, offset);
}

std::string Source::reduce(const Expr& e) {
  const std::string total = new_name();
  const std::string extent = emit(e->args[1], true), i = var_name(e->var);
  line(fmt::format("{} {} = {};", type_name(e->dtype), total, fold_identity(e->op, e->dtype)));
  open(fmt::format("for ({0} {1} = 0; {1} < {2}; ++{1}) {{", index_type(), i, extent));
  const std::string element = emit(e->args[0], false);
  line(fmt::format("{0} = {1}()({0}, {2});", total, fold_functor(e->op), element));
  close();
  return total;
}

void Source::check(int buffer, const std::string& offset) {
  if (!checked_) return;
  line(fmt::format("if (!op::in_range({}, elements_{}, {}, {}, status)) return;", offset, buffer, static_cast<int>(INTAGLIO_KERNEL_BAD_ACCESS), buffer));
}

void Source::store(int buffer, const Expr& offset, const std::string& stored) {
  const std::string at = index(offset);
  check(buffer, at);
  line(fmt::format("b{}[{}] = {};", buffer, at, stored));
  forget_loads(buffer);
}

/// A load may see what was stored.
void Source::forget_loads(int stored_buffer) {
  if (!loaded_buffers_.contains(stored_buffer)) return;
  for (Scope& scope : scopes_) {
    scope.values.clear();
    scope.arrays.clear();
  }
}

}  // namespace intaglio::cuda
