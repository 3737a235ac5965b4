// Expressions for several consecutive values of a variable at once: see the comment of Source.
#include <numeric>

#include "codegen/cuda/source.h"
#include "codegen/schedule/vector_math.h"
#include "support/diagnostics.h"

namespace intaglio::cuda {

using kernel::Expr;
using kernel::ExprKind;

namespace {

constexpr std::int64_t kWidestAccess = 16;

}  // namespace

/// The array that holds `e` for each lane, or null.
const std::string* Source::array_of(const kernel::ExprNode* e) const {
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (const auto found = scope->arrays.find(e); found != scope->arrays.end()) return &found->second;
  }
  return nullptr;
}

int Source::access_bytes(int buffer, const Expr& offset, const Lanes& lanes) const {
  if (LaneStrides(lanes, multiples_).of(offset) != 1) return 0;
  const DType dtype = buffers_[static_cast<std::size_t>(buffer)].dtype;
  if (dtype_bits(dtype) < 8) {
    // Pairs, if the first element begins one.
    const std::int64_t pairs = known_divisor(offset, multiples_);
    const std::int64_t bytes = std::gcd(std::gcd(pairs, lanes.count), 2 * kWidestAccess) / 2;
    return dtype == DType::i4 && pairs % 2 == 0 && lanes.count % 2 == 0 && bytes > 1 ? static_cast<int>(bytes) : 0;
  }
  const std::int64_t element = dtype_bits(dtype) / 8;
  // Buffers begin at multiples of more than the widest access.
  const std::int64_t aligned = std::gcd(known_divisor(offset, multiples_) * element, kWidestAccess);
  const std::int64_t bytes = std::gcd(aligned, lanes.count * element);
  return bytes > element ? static_cast<int>(bytes) : 0;
}

void Source::load_values(const Expr& load, const std::string& array, const Lanes& lanes, const std::string& condition) {
  note_uses(load);
  loaded_buffers_.insert(load->buffer);
  const int bytes = access_bytes(load->buffer, load->args[0], lanes);
  if (bytes == 0) {
    for_lanes({load}, lanes, [&] {
      const std::string zero = fmt::format("{}{{}}", type_name(load->dtype));
      if (condition.empty()) return line(fmt::format("{}[l] = {};", array, emit(load, false)));
      line(fmt::format("{}[l] = {};", array, zero));
      open(fmt::format("if ({}) {{", condition));
      line(fmt::format("{}[l] = {};", array, emit(load, false)));
      close();
    });
    return;
  }
  const std::string offset = emit(load->args[0], true);
  if (!condition.empty() && checked_) open(fmt::format("if ({}) {{", condition));
  check(load->buffer, offset);
  check(load->buffer, fmt::format("{} + {}", offset, lanes.count - 1));
  if (!condition.empty() && checked_) close();
  if (load->dtype == DType::i4) return line(fmt::format("op::load_int4_lanes<{}>({}, b{} + ({}) / 2);", bytes, array, load->buffer, offset));
  const std::string given = condition.empty() ? "" : fmt::format(", {}", condition);
  line(fmt::format("op::load_lanes<{}>({}, b{} + {}{});", bytes, array, load->buffer, offset, given));
}

void Source::fetch_values(const Expr& load, const std::string& to, const Lanes& lanes) {
  const std::string offset = index(load->args[0]);
  check(load->buffer, offset);
  check(load->buffer, fmt::format("{} + {}", offset, lanes.count - 1));
  line(fmt::format("op::fetch_lanes({}, b{} + {});", to, load->buffer, offset));
}

/// A fold with a total for each lane.
void Source::reduce_lanes(const Expr& e, const Lanes& lanes) {
  const std::string total = new_name(), extent = emit(e->args[1], true), i = var_name(e->var);
  line(fmt::format("{} {}[{}];", type_name(e->dtype), total, lanes.count));
  line("#pragma unroll");
  line(fmt::format("for (int l = 0; l < {}; ++l) {}[l] = {};", lanes.count, total, fold_identity(e->op, e->dtype)));
  open(fmt::format("for ({0} {1} = 0; {1} < {2}; ++{1}) {{", index_type(), i, extent));
  fold_values(total, e->op, e->args[0], lanes);
  close();
  scopes_.back().arrays[e.get()] = total;
}

/// Writes what must stand before a loop over lanes that reads `e`: what all lanes share, wide loads, and folds.
void Source::prepare_lanes(const Expr& e, const Lanes& lanes, LaneStrides& strides, std::set<const kernel::ExprNode*>& done) {
  if (is_atom(e) || !done.insert(e.get()).second || array_of(e.get())) return;
  if (strides.is_uniform(e)) {
    emit(e, false, true);
    return;
  }
  // What is left of an offset is for the compiler to simplify.
  if (e->kind == ExprKind::load) {
    if (access_bytes(e->buffer, e->args[0], lanes) == 0) return;
    const std::string array = new_name();
    line(fmt::format("{} {}[{}];", type_name(e->dtype), array, lanes.count));
    load_values(e, array, lanes);
    scopes_.back().arrays[e.get()] = array;
    return;
  }
  if (e->kind == ExprKind::reduce) {
    // Folds of different lengths stay in the loop over the lanes.
    if (strides.is_uniform(e->args[1])) reduce_lanes(e, lanes);
    return;
  }
  for (const Expr& arg : e->args) prepare_lanes(arg, lanes, strides, done);
}

/// Opens the loop over lanes, in which the expressions `read` can be emitted, around `body`.
void Source::for_lanes(const std::vector<Expr>& read, const Lanes& lanes, const std::function<void()>& body) {
  LaneStrides strides(lanes, multiples_);
  std::set<const kernel::ExprNode*> done;
  for (const Expr& e : read) {
    note_uses(e);
    prepare_lanes(e, lanes, strides, done);
  }
  line("#pragma unroll");
  open(fmt::format("for (int l = 0; l < {}; ++l) {{", lanes.count));
  const LaneLoop loop{lanes, strides, scopes_.size() - 1};
  lane_loop_ = &loop;
  body();
  lane_loop_ = nullptr;
  close();
}

std::string Source::values(const Expr& e, const Lanes& lanes) {
  if (const std::string* known = array_of(e.get())) return *known;
  seen_.insert(e);  // alive as long as it has a name
  const Expr expanded = as_written(e);
  const std::string array = new_name();
  line(fmt::format("{} {}[{}];", type_name(e->dtype), array, lanes.count));
  for_lanes({expanded}, lanes, [&] { line(fmt::format("{}[l] = {};", array, emit(expanded, false))); });
  scopes_.back().arrays[e.get()] = array;
  return array;
}

void Source::fold_values(const std::string& total, kernel::Op op, const Expr& e, const Lanes& lanes) {
  const Expr expanded = as_written(e);
  for_lanes({expanded}, lanes, [&] { line(fmt::format("{0}[l] = {1}()({0}[l], {2});", total, fold_functor(op), emit(expanded, false))); });
}

void Source::fold_values_into(const std::string& total, kernel::Op op, const Expr& e, const Lanes& lanes) {
  const Expr expanded = as_written(e);
  for_lanes({expanded}, lanes, [&] { line(fmt::format("{0} = {1}()({0}, {2});", total, fold_functor(op), emit(expanded, false))); });
}

void Source::set_values(const Expr& e, const std::string& array) {
  seen_.insert(e);
  scopes_.back().arrays[e.get()] = array;
  // As a part of other expressions it is met after its expansion.
  const Expr expanded = expand_math(e);
  seen_.insert(expanded);
  scopes_.back().arrays[expanded.get()] = array;
}

void Source::store_values(int buffer, const Expr& offset, const std::string& array, const Lanes& lanes) {
  const int bytes = access_bytes(buffer, offset, lanes);
  if (bytes > 0) return store_array(buffer, offset, array, lanes.count, bytes);
  for_lanes({}, lanes, [&] {
    const std::string at = index(offset);
    check(buffer, at);
    line(fmt::format("b{}[{}] = {}[l];", buffer, at, array));
  });
  forget_loads(buffer);
}

void Source::store_array(int buffer, const Expr& offset, const std::string& array, std::int64_t count, int bytes) {
  const std::string at = index(offset);
  check(buffer, at);
  check(buffer, fmt::format("{} + {}", at, count - 1));
  line(fmt::format("op::store_lanes_global<{}>(b{} + {}, {});", bytes, buffer, at, array));
  forget_loads(buffer);
}

}  // namespace intaglio::cuda
