// See cublaslt.h.

#include "codegen/cuda/cublaslt.h"

#include <fmt/format.h>

#include <algorithm>

#include "codegen/cuda/address.h"
#include "codegen/cuda/tile_copy.h"
#include "support/small_float.h"

namespace intaglio::cuda {
namespace {

using kernel::Expr;
using kernel::ExprKind;
using kernel::Op;

/// Two groups of axes that a load runs along; `products` is what counts the products of a batch.
struct Directions {
  std::vector<Axis> rows, columns, products;
};

/// The matrix that `load` walks over; nothing if it is no such matrix.
std::optional<ProductMatrix> find_matrix(const Expr& load, const Directions& directions) {
  if (load->kind != ExprKind::load) return std::nullopt;
  Address address(load);
  const auto next = address.take_line(directions.products), row = address.take_line(directions.rows), column = address.take_line(directions.columns);
  const auto offset = address.offset_bytes();
  if (!next || !row || !column || !offset) return std::nullopt;
  ProductMatrix matrix{load->buffer, load->dtype, *offset, *row, *next, false};
  Dim length = 1;
  for (const Axis& axis : directions.columns) length = length * axis.extent;
  if (*column != Dim(1) && length != Dim(1)) {
    if (*row != Dim(1)) return std::nullopt;  // elements lie apart in both directions
    matrix.transposed = true;
    matrix.line = *column;
    length = 1;
    for (const Axis& axis : directions.rows) length = length * axis.extent;
  }
  // A single line has no distance to the next; lines that are all the same one, or overlap, are no matrix.
  if (matrix.line == Dim(0)) {
    const std::vector<Axis>& lines = matrix.transposed ? directions.columns : directions.rows;
    for (const Axis& axis : lines) {
      if (axis.extent != Dim(1)) return std::nullopt;
    }
    matrix.line = length;
  }
  if (matrix.line.is_constant() && length.is_constant() && matrix.line.value() < length.value()) return std::nullopt;
  return matrix;
}

/// The value of a number that stands in the code: constants of 16-bit floats are conversions of their bits.
std::optional<double> number(const Expr& e) {
  if (e->kind == ExprKind::constant && is_float(e->dtype)) return e->real;
  if (e->kind != ExprKind::cast || e->args[0]->kind != ExprKind::bitcast) return std::nullopt;
  const auto bits = kernel::constant_value(e->args[0]->args[0]);
  if (!bits) return std::nullopt;
  return decode_small_float(e->args[0]->dtype, static_cast<std::uint32_t>(*bits));
}

void collect_terms(const Expr& e, std::vector<Expr>& terms) {
  if (e->kind != ExprKind::binary || e->op != Op::add) return terms.push_back(e);
  collect_terms(e->args[0], terms);
  collect_terms(e->args[1], terms);
}

class Finder {
 public:
  Finder(const Contraction& spec, const TileRows& rows) : spec_(spec), rows_(rows), products_(rows.products) {}

  std::optional<LibraryProduct> find() {
    const Expr result = kernel::load(static_cast<int>(spec_.buffers.size()) - 1, spec_.result_dtype, spec_.offset);
    auto d = find_matrix(result, result_directions());
    // Products may be numbered in either order, if all operands agree.
    if (!d) std::ranges::reverse(products_);
    if (!d) d = find_matrix(result, result_directions());
    const auto a = find_matrix(stored_element(spec_.a), {source_axes(spec_, rows_.rows), {spec_.c}, products_});
    const auto b = find_matrix(stored_element(spec_.b), {{spec_.r, spec_.s, spec_.c}, {spec_.n}, products_});
    if (!a || !b || !d || d->transposed || !types_fit(a->dtype, b->dtype, d->dtype)) return std::nullopt;
    // Results of several products must not overlap.
    if (rows_.product_count() != Dim(1) && d->next == Dim(0)) return std::nullopt;
    product_.count = rows_.product_count();
    product_.rows = rows_.row_count();
    product_.columns = spec_.n.extent;
    product_.sum = spec_.c.extent;
    product_.a = *a;
    product_.b = *b;
    product_.d = *d;
    if (!find_epilogue()) return std::nullopt;
    return std::move(product_);
  }

 private:
  Directions result_directions() const { return {rows_.rows, {spec_.n}, products_}; }

  static bool types_fit(DType a, DType b, DType d) {
    if (a != b) return false;
    return (a == DType::f32 && d == a) || ((a == DType::f16 || a == DType::bf16) && (d == a || d == DType::f32));
  }

  bool find_epilogue() {
    Expr e = dtype_bits(spec_.result_dtype) == 16 ? stored_element(spec_.result) : spec_.result;
    if (e->kind == ExprKind::binary && e->op == Op::max && (kernel::is_zero(e->args[0]) || kernel::is_zero(e->args[1]))) {
      product_.relu = true;
      e = kernel::is_zero(e->args[0]) ? e->args[1] : e->args[0];
    }
    std::vector<Expr> terms;
    collect_terms(e, terms);
    int sums = 0;
    for (const Expr& term : terms) {
      if (is_sum(term)) {
        ++sums;
      } else if (!add_operand(term)) {
        return false;
      }
    }
    return sums == 1;
  }

  /// The accumulator, perhaps times a number.
  bool is_sum(const Expr& e) {
    if (e->kind == ExprKind::local) return true;
    if (e->kind != ExprKind::binary || e->op != Op::mul) return false;
    for (int i : {0, 1}) {
      const auto factor = number(e->args[static_cast<std::size_t>(1 - i)]);
      if (e->args[static_cast<std::size_t>(i)]->kind != ExprKind::local || !factor) continue;
      product_.alpha = *factor;
      return true;
    }
    return false;
  }

  /// Something that is added to the sum: one vector along columns, one matrix.
  bool add_operand(const Expr& term) {
    const Expr load = stored_element(term);
    if (load->kind != ExprKind::load || load->dtype != product_.d.dtype) return false;
    Address address(load);
    const auto products = address.take_line(products_), rows = address.take_line(rows_.rows), columns = address.take_line({spec_.n});
    const auto offset = address.offset_bytes();
    if (products && rows && columns && offset && *products == Dim(0) && *rows == Dim(0) && *columns == Dim(1) && rows_.row_count() != Dim(1)) {
      if (product_.bias) return false;
      product_.bias = ProductMatrix{load->buffer, load->dtype, *offset, spec_.n.extent, 0, false};
      return true;
    }
    const auto c = find_matrix(load, result_directions());
    if (!c || product_.c || c->transposed || c->line != product_.d.line || c->next != product_.d.next) return false;
    product_.c = *c;
    return true;
  }

  const Contraction& spec_;
  const TileRows& rows_;
  std::vector<Axis> products_;  ///< outermost first
  LibraryProduct product_;
};

std::string to_text(const char* name, const ProductMatrix& matrix) {
  return fmt::format(" {} = {} b{} + {} bytes, lines {}, products {}{};", name, dtype_name(matrix.dtype), matrix.buffer, matrix.offset.text(), matrix.line.text(),
                     matrix.next.text(), matrix.transposed ? ", transposed" : "");
}

}  // namespace

std::optional<LibraryProduct> find_library_product(const Contraction& spec, const TileRows& rows, bool tf32) {
  if (spec.kind != Contraction::Kind::dense || !is_matrix_product(spec) || spec.compute != DType::f32) return std::nullopt;
  auto product = Finder(spec, rows).find();
  if (product) product->tf32 = tf32 && product->a.dtype == DType::f32;
  return product;
}

std::string to_text(const LibraryProduct& product) {
  std::string text = fmt::format("  cublaslt: {} products of {} x {} x {};", product.count.text(), product.rows.text(), product.columns.text(), product.sum.text());
  text += to_text("a", product.a) + to_text("b", product.b) + to_text("d", product.d);
  if (product.c) text += to_text("c", *product.c);
  if (product.bias) text += to_text("bias", *product.bias);
  return text + fmt::format(" alpha {}{}{}\n", product.alpha, product.relu ? ", relu" : "", product.tf32 ? ", tf32" : "");
}

}  // namespace intaglio::cuda
