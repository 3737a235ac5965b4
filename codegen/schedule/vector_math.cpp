// Polynomials after range reduction. Coefficients are minimax fits in the published forms of Cephes (exp, log, tanh, sin, cos) and a rational fit for erf.

#include "codegen/schedule/vector_math.h"

#include <cmath>
#include <limits>
#include <unordered_map>
#include <vector>

#include "support/diagnostics.h"

namespace intaglio {
namespace {

using kernel::Expr;
using kernel::Op;

/// Arithmetic on expressions of one float type.
class Math {
 public:
  explicit Math(DType dtype) : dtype_(dtype), bits_(dtype == DType::f64 ? DType::i64 : DType::i32) {}

  Expr expand(Op op, const Expr& x) const {
    switch (op) {
      case Op::exp: return exp(x);
      case Op::log: return log(x);
      case Op::sigmoid: return sigmoid(x);
      case Op::tanh: return tanh(x);
      case Op::erf: return erf(x);
      case Op::sin: return sine(x, 0);
      case Op::cos: return sine(x, 1);
      default: break;
    }
    internal_check(false, "{} has no expansion", kernel::op_text(op));
    return nullptr;
  }

  /// a^b through logarithms, computed in double where the operands are floats.
  Expr pow(const Expr& a, const Expr& b) const {
    if (dtype_ != DType::f64) {
      return kernel::cast(Math(DType::f64).pow(kernel::cast(a, DType::f64), kernel::cast(b, DType::f64)), dtype_);
    }
    const Expr size = abs(a);
    // Of 1 also where b is infinite.
    const Expr magnitude = select(eq(size, c(1)), c(1), exp(mul(b, log(size))));
    const Expr whole = eq(unary(Op::trunc, b), b);
    const Expr half = mul(b, c(0.5));
    const Expr odd = both(whole, kernel::compare(Op::ne, unary(Op::trunc, half), half));
    // -0 has a sign too, but like infinity it has powers that are not whole.
    const Expr negative = lt(kernel::bitcast(a, bits_), i(0));
    const Expr has_all_powers = either(eq(size, c(0)), eq(size, c(std::numeric_limits<double>::infinity())));
    const Expr of_fraction = select(has_all_powers, magnitude, c(std::numeric_limits<double>::quiet_NaN()));
    const Expr of_negative = select(whole, select(odd, neg(magnitude), magnitude), of_fraction);
    return select(either(eq(b, c(0)), eq(a, c(1))), c(1), select(negative, of_negative, magnitude));
  }

  /// fmod(a, b), exact: a long division in double, where a step with a quotient of up to 27 bits rounds nothing.
  Expr remainder(const Expr& a, const Expr& b) const {
    require_f32("mod");
    const Math wide(DType::f64);
    const Expr dividend = abs(kernel::cast(a, DType::f64)), divisor = abs(kernel::cast(b, DType::f64));
    constexpr int kStep = 27, kLargestExponent = 128 + 149;
    Expr rest = dividend;
    for (int shift = kLargestExponent / kStep * kStep; shift >= 0; shift -= kStep) {
      const Expr part = mul(divisor, wide.c(std::ldexp(1.0, shift)));
      rest = sub(rest, mul(unary(Op::trunc, div(rest, part)), part));
    }
    const Expr infinity = wide.c(std::numeric_limits<double>::infinity());
    rest = kernel::cast(select(both(eq(divisor, infinity), lt(dividend, infinity)), dividend, rest), dtype_);
    return select(lt(a, c(0)), neg(rest), rest);
  }

 private:
  Expr c(double value) const { return kernel::constant(dtype_, value); }
  Expr i(std::int64_t value) const { return kernel::constant(bits_, static_cast<double>(value)); }
  static Expr unary(Op op, const Expr& a) { return kernel::unary(op, a); }
  static Expr neg(const Expr& a) { return unary(Op::neg, a); }
  static Expr abs(const Expr& a) { return unary(Op::abs, a); }
  static Expr add(const Expr& a, const Expr& b) { return kernel::binary(Op::add, a, b); }
  static Expr sub(const Expr& a, const Expr& b) { return kernel::binary(Op::sub, a, b); }
  static Expr mul(const Expr& a, const Expr& b) { return kernel::binary(Op::mul, a, b); }
  static Expr div(const Expr& a, const Expr& b) { return kernel::binary(Op::div, a, b); }
  static Expr lt(const Expr& a, const Expr& b) { return kernel::compare(Op::lt, a, b); }
  static Expr eq(const Expr& a, const Expr& b) { return kernel::compare(Op::eq, a, b); }
  static Expr both(const Expr& a, const Expr& b) { return kernel::binary(Op::logical_and, a, b); }
  static Expr either(const Expr& a, const Expr& b) { return kernel::binary(Op::logical_or, a, b); }
  static Expr select(const Expr& condition, const Expr& a, const Expr& b) { return kernel::select(condition, a, b); }

  /// Horner's rule, highest power first.
  Expr polynomial(const Expr& x, const std::vector<double>& coefficients) const {
    Expr sum = c(coefficients[0]);
    for (std::size_t k = 1; k < coefficients.size(); ++k) sum = add(mul(sum, x), c(coefficients[k]));
    return sum;
  }

  int mantissa_bits() const { return dtype_ == DType::f64 ? 52 : 23; }
  int bias() const { return dtype_ == DType::f64 ? 1023 : 127; }

  /// 2^n for an integer n in the range of normal numbers.
  Expr power_of_two(const Expr& n) const {
    return kernel::bitcast(kernel::binary(Op::shl, add(n, i(bias())), i(mantissa_bits())), dtype_);
  }

  /// exp(x) = 2^n * exp(r), |r| <= ln(2)/2.
  Expr exp(const Expr& x) const {
    const bool wide = dtype_ == DType::f64;
    // Beyond these bounds the result is 0 or infinity anyhow. min and max keep NaN.
    const Expr bounded = kernel::binary(Op::max, kernel::binary(Op::min, x, c(wide ? 710.5 : 90)), c(wide ? -746 : -105));
    // Adding 1.5 * 2^mantissa rounds to an integer and leaves it in the low bits.
    const double magic = std::ldexp(1.5, mantissa_bits());
    const Expr shifted = add(mul(bounded, c(std::log2(std::exp(1.0)))), c(magic));
    const Expr n = sub(shifted, c(magic));
    const double ln2_high = wide ? 6.93145751953125e-1 : 0.693359375;
    const double ln2_low = wide ? 1.42860682030941723212e-6 : -2.12194440e-4;
    const Expr r = sub(sub(bounded, mul(n, c(ln2_high))), mul(n, c(ln2_low)));
    Expr series;
    if (wide) {
      std::vector<double> taylor;
      for (int k = 13; k >= 0; --k) taylor.push_back(1 / std::tgamma(k + 1.0));
      series = polynomial(r, taylor);
    } else {
      const Expr tail = polynomial(r, {1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1});
      series = add(add(mul(mul(r, r), tail), r), c(1));
    }
    const std::int64_t magic_bits = wide ? 0x4338000000000000 : 0x4b400000;
    const Expr whole = sub(kernel::bitcast(shifted, bits_), i(magic_bits));
    // In two steps, so that denormal results round once and the largest do not overflow early.
    const Expr half = kernel::binary(Op::shr, whole, i(1));
    return mul(mul(series, power_of_two(half)), power_of_two(sub(whole, half)));
  }

  /// log(x) = e*ln(2) + log(m), sqrt(1/2) <= m < sqrt(2).
  Expr log(const Expr& x) const {
    const bool wide = dtype_ == DType::f64;
    const double smallest = wide ? std::numeric_limits<double>::min() : std::numeric_limits<float>::min();
    const int lift = mantissa_bits() + 1;
    const Expr denormal = lt(x, c(smallest));
    const Expr bits = kernel::bitcast(select(denormal, mul(x, c(std::ldexp(1.0, lift))), x), bits_);
    const std::int64_t mantissa_mask = (std::int64_t{1} << mantissa_bits()) - 1;
    const std::int64_t half_exponent = static_cast<std::int64_t>(bias() - 1) << mantissa_bits();
    const Expr m = kernel::bitcast(kernel::binary(Op::bit_or, kernel::binary(Op::bit_and, bits, i(mantissa_mask)), i(half_exponent)), dtype_);  // in [1/2, 1)
    const Expr raw = sub(kernel::binary(Op::shr, bits, i(mantissa_bits())), i(bias() - 1));
    const Expr exponent = kernel::cast(select(denormal, sub(raw, i(lift)), raw), dtype_);
    const Expr low = lt(m, c(std::sqrt(0.5)));
    const Expr e = select(low, sub(exponent, c(1)), exponent);
    const Expr f = sub(select(low, add(m, m), m), c(1));

    Expr result;
    if (wide) {
      // 2 atanh(s), s = f / (2 + f).
      const Expr s = div(f, add(c(2), f));
      std::vector<double> series;
      for (int k = 21; k >= 1; k -= 2) series.push_back(2.0 / k);
      result = add(add(mul(s, polynomial(mul(s, s), series)), mul(e, c(1.42860682030941723212e-6))), mul(e, c(6.93145751953125e-1)));
    } else {
      const Expr z = mul(f, f);
      const Expr tail = polynomial(f, {7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1,
                                       -2.4999993993e-1, 3.3333331174e-1});
      const Expr small = add(mul(mul(f, z), tail), mul(e, c(-2.12194440e-4)));
      result = add(add(f, sub(small, mul(z, c(0.5)))), mul(e, c(0.693359375)));
    }
    const double infinity = std::numeric_limits<double>::infinity();
    result = select(eq(x, c(infinity)), x, result);
    result = select(eq(x, c(0)), c(-infinity), result);
    // Negative numbers and NaN.
    return select(kernel::compare(Op::ge, x, c(0)), result, c(std::numeric_limits<double>::quiet_NaN()));
  }

  /// 1 / (1 + exp(-x)), where neither overflows nor loses what is small.
  Expr sigmoid(const Expr& x) const {
    const Expr e = exp(neg(abs(x)));
    return div(select(lt(x, c(0)), e, c(1)), add(c(1), e));
  }

  Expr tanh(const Expr& x) const {
    require_f32("tanh");
    const Expr magnitude = abs(x), z = mul(x, x);
    const Expr small = add(x, mul(mul(x, z), polynomial(z, {-5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1})));
    const Expr large = sub(c(1), div(c(2), add(exp(add(magnitude, magnitude)), c(1))));
    return select(lt(magnitude, c(0.625)), small, select(lt(x, c(0)), neg(large), large));
  }

  Expr erf(const Expr& x) const {
    require_f32("erf");
    // Beyond 4 erf is 1 in f32.
    const Expr bounded = kernel::binary(Op::max, kernel::binary(Op::min, x, c(4)), c(-4));
    const Expr z = mul(bounded, bounded);
    const Expr numerator = polynomial(z, {-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05, -7.34990630326855e-04,
                                          -2.95459980854025e-03, -1.60960333262415e-02});
    const Expr denominator = polynomial(z, {-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03, -1.42647390514189e-02});
    // The quotient first: next to 0 the product with the numerator would be denormal.
    return mul(bounded, div(numerator, denominator));
  }

  /// sin(x + quarter * pi/2), reduced in double: by parts of pi/2 whose multiples are exact up to |x| = 2^30.
  Expr sine(const Expr& x, int quarter) const {
    require_f32("sin and cos");
    const Math wide(DType::f64);
    const Expr exact = kernel::cast(x, DType::f64);
    const Expr n = unary(Op::round_even, mul(exact, wide.c(2 / M_PI)));
    constexpr double kHalfPi[] = {0x1.921fb4p+0, 0x1.4442d00000000p-24, 0x1.8469898cc5170p-48};
    Expr reduced = exact;
    for (double part : kHalfPi) reduced = sub(reduced, mul(n, wide.c(part)));
    // Beyond, only the range of the results is kept.
    const Expr r = kernel::cast(kernel::binary(Op::max, kernel::binary(Op::min, reduced, wide.c(M_PI / 4)), wide.c(-M_PI / 4)), dtype_);
    const Expr quadrant = kernel::binary(Op::bit_and, add(kernel::cast(n, DType::i32), i(quarter)), i(3));
    const Expr z = mul(r, r);
    const Expr sin_r = add(r, mul(mul(r, z), polynomial(z, {-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1})));
    const Expr cos_r = add(sub(c(1), mul(z, c(0.5))), mul(mul(z, z), polynomial(z, {2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2})));
    const Expr value = select(eq(kernel::binary(Op::bit_and, quadrant, i(1)), i(0)), sin_r, cos_r);
    return select(eq(kernel::binary(Op::bit_and, quadrant, i(2)), i(0)), value, neg(value));
  }

  void require_f32(std::string_view function) const {
    if (dtype_ == DType::f32) return;
    throw CompileError(ErrorCode::invalid, Diagnostic{"", fmt::format("{} of {} has no generated code yet", function, dtype_name(dtype_)), "f32", std::string(dtype_name(dtype_)),
                                                      "convert the model to f32"});
  }

  DType dtype_;
  DType bits_;
};

bool is_math(const kernel::ExprNode& node) {
  switch (node.op) {
    case Op::exp:
    case Op::log:
    case Op::tanh:
    case Op::sin:
    case Op::cos:
    case Op::erf:
    case Op::sigmoid: return node.kind == kernel::ExprKind::unary;
    case Op::pow: return node.kind == kernel::ExprKind::binary;
    case Op::rem: return node.kind == kernel::ExprKind::binary && is_float(node.dtype);
    default: return false;
  }
}

Expr expand(const Expr& e, std::unordered_map<const kernel::ExprNode*, Expr>& known) {
  if (const auto found = known.find(e.get()); found != known.end()) return found->second;
  auto copy = std::make_shared<kernel::ExprNode>(*e);
  bool changed = false;
  for (Expr& arg : copy->args) {
    const Expr expanded = expand(arg, known);
    changed |= expanded != arg;
    arg = expanded;
  }
  Expr result = changed ? Expr(copy) : e;
  if (is_math(*e)) {
    const Math math(e->dtype);
    const auto& args = result->args;
    result = e->op == Op::pow ? math.pow(args[0], args[1]) : e->op == Op::rem ? math.remainder(args[0], args[1]) : math.expand(e->op, args[0]);
  }
  known[e.get()] = result;
  return result;
}

}  // namespace

Expr expand_math(const Expr& e) {
  std::unordered_map<const kernel::ExprNode*, Expr> known;
  return expand(e, known);
}

}  // namespace intaglio
