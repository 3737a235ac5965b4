#!/usr/bin/env python3
"""Derives the polynomial coefficients of codegen/schedule/vector_math.cpp: minimax fits in 50 digits.

Coefficients are rounded to the type they are used in one after another, lowest power first, the others being fitted again each time, so
that the error printed is that of the rounded polynomial. Needs mpmath: python3 scripts/fit_vector_math.py [NAME..]
"""

import sys

import mpmath as mp

mp.mp.dps = 50


def round_to(bits, value):
    """The nearest number with a significand of `bits` bits."""
    if value == 0:
        return value
    mantissa, exponent = mp.frexp(value)
    return mp.ldexp(mp.nint(mp.ldexp(mantissa, bits)), int(exponent) - bits)


def minimax(target, weight, points, powers):
    """Coefficients c that about minimize max |(target - sum c[k] x^powers[k]) * weight| over `points`, by Lawson's reweighted least squares.

    (Remez exchange needs functions that interpolate any data, which x, x^2, .. around 0 do not.)
    """
    basis = [[w * x**p for p in powers] for x, w in zip(points, weight)]
    right = [t * w for t, w in zip(target, weight)]
    share = [mp.mpf(1)] * len(points)
    best = None
    for _ in range(30):
        gram, moments = mp.matrix(len(powers), len(powers)), mp.matrix(len(powers), 1)
        for i in range(len(powers)):
            scaled = [s * row[i] for s, row in zip(share, basis)]
            moments[i] = mp.fdot(scaled, right)
            for j in range(i, len(powers)):
                gram[i, j] = gram[j, i] = mp.fdot(scaled, [row[j] for row in basis])
        solution = list(mp.lu_solve(gram, moments))
        errors = [abs(r - mp.fdot(solution, row)) for r, row in zip(right, basis)]
        worst = max(errors)
        if best is None or worst < best[1]:
            best = (solution, worst)
        share = [s * e for s, e in zip(share, errors)]
        total = mp.fsum(share)
        share = [s * len(share) / total for s in share]
    return best


def fit(function, low, high, powers, bits, weight=lambda x: 1):
    """Rounded coefficients of x^powers, lowest first, and the largest weighted error."""
    count = 240
    middle, half = (mp.mpf(high) + low) / 2, (mp.mpf(high) - low) / 2
    points = [middle - half * mp.cos(mp.pi * i / (count - 1)) for i in range(count)]
    target = [mp.mpf(function(x)) for x in points]
    weights = [mp.mpf(weight(x)) for x in points]
    done = []
    for k in range(len(powers)):
        coefficients, _ = minimax(target, weights, points, powers[k:])
        done.append(round_to(bits, coefficients[0]))
        target = [t - done[-1] * x ** powers[k] for t, x in zip(target, points)]
    worst = max(abs(t) * w for t, w in zip(target, weights))
    return done, worst


LN2 = mp.log(2)


def exp_tail(x):
    """(e^x - 1 - x - x^2/2) / x^3."""
    with mp.workdps(90):
        return (mp.exp(x) - 1 - x - x * x / 2) / x**3 if x else mp.mpf(1) / 6


def log_tail(x):
    """(log(1 + x) - x + x^2/2) / x^3."""
    with mp.workdps(90):
        return (mp.log1p(x) - x + x * x / 2) / x**3 if x else mp.mpf(1) / 3


def atanh_tail(z):
    """(2 atanh(s) / s - 2) / z with z = s^2."""
    with mp.workdps(90):
        s = mp.sqrt(z)
        return (2 * mp.atanh(s) / s - 2) / z if z else mp.mpf(2) / 3


def sin_tail(z):
    """(sin(x) / x - 1) / z with z = x^2."""
    with mp.workdps(90):
        x = mp.sqrt(z)
        return (mp.sin(x) / x - 1) / z if z else -mp.mpf(1) / 6


def cos_tail(z):
    """(cos(x) - 1 + z/2) / z^2 with z = x^2."""
    with mp.workdps(90):
        return (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2 if z else mp.mpf(1) / 24


def erf_small(z):
    """erf(x) / x - 1 with z = x^2."""
    x = mp.sqrt(z)
    return mp.erf(x) / x - 1 if z else 2 / mp.sqrt(mp.pi) - 1


def scaled_erfc(t):
    """exp(x^2) erfc(x) where t = 1 / (1 + x / 2)."""
    x = 2 * (1 / t - 1)
    return mp.exp(x * x) * mp.erfc(x)


def erf_x(t):
    """The x of a t of scaled_erfc."""
    return 2 * (1 / t - 1)


ERF_SPLIT, ERF_END, ERF_CENTER = mp.mpf("1.5"), mp.mpf("3.9375"), mp.mpf("2.75")
TINY = mp.mpf(10) ** -20
ROOT = mp.sqrt(2)
QUARTER = (mp.pi / 4) ** 2 * mp.mpf("1.0001")

# name: function, interval, powers, significand bits, weight that makes the error one relative to the result
FITS = {
    # e^r = 1 + r + r^2/2 + r^3 * fit(r)
    "exp_f32": (exp_tail, -LN2, LN2, range(6), 24, lambda r: abs(r) ** 3 / mp.exp(r) + TINY),
    "exp_f64": (exp_tail, -LN2, LN2, range(12), 53, lambda r: abs(r) ** 3 / mp.exp(r) + TINY),
    # e^r - 1 = r + r^2/2 + r^3 * fit(r)
    "expm1_f32": (exp_tail, -LN2 / 2, LN2 / 2, range(5), 24, lambda r: abs(r**3 / mp.expm1(r)) if r else TINY),
    "expm1_f64": (exp_tail, -LN2 / 2, LN2 / 2, range(10), 53, lambda r: abs(r**3 / mp.expm1(r)) if r else TINY),
    # log(1 + f) = f - f^2/2 + f^3 * fit(f)
    "log_f32": (log_tail, 1 / ROOT - 1, ROOT - 1, range(9), 24, lambda f: abs(f**3 / mp.log1p(f)) if f else TINY),
    # 2 atanh(s) = 2 s + s * z * fit(z), z = s^2
    "log_f64": (atanh_tail, 0, ((ROOT - 1) / (ROOT + 1)) ** 2, range(7), 53, lambda z: z + TINY),
    "sin_f32": (sin_tail, 0, QUARTER, range(3), 24, lambda z: z * mp.sqrt(z) / mp.sin(mp.sqrt(z)) if z else TINY),
    "cos_f32": (cos_tail, 0, QUARTER, range(3), 24, lambda z: z**2 / mp.cos(mp.sqrt(z)) + TINY),
    "sin_f64": (sin_tail, 0, QUARTER, range(6), 53, lambda z: z * mp.sqrt(z) / mp.sin(mp.sqrt(z)) if z else TINY),
    "cos_f64": (cos_tail, 0, QUARTER, range(6), 53, lambda z: z**2 / mp.cos(mp.sqrt(z)) + TINY),
    # erf(x) = x + x * fit(x^2) below the split (of f64: below 1) ..
    "erf_small_f32": (erf_small, 0, ERF_SPLIT**2, range(9), 24, lambda z: 1 / (1 + erf_small(z))),
    "erf_small_f64": (erf_small, 0, 1, range(13), 53, lambda z: 1 / (1 + erf_small(z))),
    # .. and above it 1 + fit(x - center) ..
    "erf_large_f32": (lambda t: -mp.erfc(t + ERF_CENTER), ERF_SPLIT - ERF_CENTER, ERF_END - ERF_CENTER, range(13), 24, lambda t: 1 / mp.erf(t + ERF_CENTER)),
    # .. or, of f64, 1 - exp(-x^2) * fit(1 / (1 + x/2))
    "erf_large_f64": (scaled_erfc, mp.mpf(1) / 4, mp.mpf(2) / 3, range(15), 53, lambda t: mp.exp(-erf_x(t) ** 2) + TINY),
}


def main():
    for name in sys.argv[1:] or FITS:
        function, low, high, powers, bits, weight = FITS[name]
        coefficients, worst = fit(function, low, high, list(powers), bits, weight)
        digits = 9 if bits == 24 else 17
        print(f"{name}: relative error 2^{mp.nstr(mp.log(worst, 2), 4)}")
        print("  highest first: " + ", ".join(mp.nstr(c, digits, strip_zeros=False) for c in reversed(coefficients)))


if __name__ == "__main__":
    main()
