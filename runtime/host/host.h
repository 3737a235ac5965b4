// The reference kernels: one plain function per operator over host tensors. Constant folding runs them, and every backend is compared with
// them, so they are written to be read. What the operators mean is in docs/operators.md.
//  - Elements are computed in widened types: floats in double, rounded once where the result is stored; integers in 64 bits, wrapped.
//  - Sums accumulate in double.
//  - Operands fit together: the caller has inferred types. What only values can tell (an index out of range) throws CompileError.
#pragma once

#include <string_view>
#include <vector>

#include "intaglio/tensor.h"

namespace intaglio::host {

// --- unary: x elementwise ---
Tensor neg(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor erf(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor relu(const Tensor& x);
Tensor floor(const Tensor& x);
Tensor ceil(const Tensor& x);
/// Halves go to the even neighbour.
Tensor round(const Tensor& x);
Tensor logical_not(const Tensor& x);
Tensor is_nan(const Tensor& x);
/// From float to integer saturates, NaN becomes 0; between integers wraps; to boolean is x != 0.
Tensor cast(const Tensor& x, DType to);

// --- binary: operands of one dtype, broadcast to each other ---
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
/// Of integers truncates; by 0 is 0.
Tensor div(const Tensor& a, const Tensor& b);
/// The remainder with the divisor's sign; by 0 is 0.
Tensor mod(const Tensor& a, const Tensor& b);
/// The remainder with the dividend's sign, as C's % and fmod.
Tensor fmod(const Tensor& a, const Tensor& b);
Tensor pow(const Tensor& a, const Tensor& b);
/// NaN if either is NaN.
Tensor min(const Tensor& a, const Tensor& b);
Tensor max(const Tensor& a, const Tensor& b);
Tensor logical_and(const Tensor& a, const Tensor& b);
Tensor logical_or(const Tensor& a, const Tensor& b);
Tensor logical_xor(const Tensor& a, const Tensor& b);
Tensor equal(const Tensor& a, const Tensor& b);
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
/// `condition` ? a : b, all three broadcast.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// --- quantization: `zero_point` may be undefined; scale and zero point are scalars, one per index of `axis`, or one per block of it ---
/// saturate(round_even(x / scale) + zero_point).
Tensor quantize(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int axis, std::int64_t block_size, DType to);
/// (x - zero_point) * scale, of the dtype of `scale`.
Tensor dequantize(const Tensor& x, const Tensor& scale, const Tensor& zero_point, int axis, std::int64_t block_size);

// --- movement: any dtype ---
Tensor transpose(const Tensor& x, const std::vector<std::int64_t>& perm);
Tensor expand(const Tensor& x, const Extents& shape);
/// Element i is x[starts + i * steps].
Tensor slice(const Tensor& x, const Extents& starts, const Extents& sizes, const std::vector<std::int64_t>& steps);
Tensor concat(const std::vector<Tensor>& pieces, int axis);
/// Negative indices count from the end.
Tensor gather(const Tensor& x, const Tensor& indices, int axis);
Tensor gather_elements(const Tensor& x, const Tensor& indices, int axis);
/// `mode` is constant, edge or reflect; an undefined `value` is 0. Negative amounts crop.
Tensor pad(const Tensor& x, const Tensor& value, const Extents& begins, const Extents& ends, std::string_view mode);
/// Each element is its index along `axis`.
Tensor iota(const Extents& shape, int axis, DType dtype);

// --- reductions: reduced axes are kept with extent 1 or dropped; of nothing, the fold's neutral element ---
Tensor reduce_sum(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims);
/// Of integers truncates.
Tensor reduce_mean(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims);
Tensor reduce_max(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims);
Tensor reduce_min(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims);
Tensor reduce_prod(const Tensor& x, const std::vector<std::int64_t>& axes, bool keepdims);

// --- norms ---
Tensor softmax(const Tensor& x, int axis);
/// Over all axes from `axis` on; `scale` and `bias` (may be undefined) broadcast to x.
Tensor layer_norm(const Tensor& x, const Tensor& scale, const Tensor& bias, int axis, double epsilon);
/// Channels are axis 1; the others hold one element a channel.
Tensor batch_norm(const Tensor& x, const Tensor& scale, const Tensor& bias, const Tensor& mean, const Tensor& var, double epsilon);

// --- windows and contractions ---
/// One entry per spatial axis, `pads` all begins and then all ends.
struct Window {
  std::vector<std::int64_t> kernel_shape;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> pads;
  std::vector<std::int64_t> dilations;
};
/// `result_shape` says how many windows there are; of a window that lies in the padding alone, the smallest number.
Tensor max_pool(const Tensor& x, const Window& window, const Extents& result_shape);
/// Divides by the elements inside x, or with `count_include_pad` by those inside x and its padding.
Tensor average_pool(const Tensor& x, const Window& window, bool count_include_pad, const Extents& result_shape);
/// x (N,C,spatial..), w (M,C/group,kernel..), b (M) or undefined. The window's kernel shape is that of w. Padding counts as `pad_value`.
/// The result is i32 where x holds integers.
Tensor conv(const Tensor& x, const Tensor& w, const Tensor& b, const Window& window, std::int64_t group, std::int64_t pad_value,
            const Extents& result_shape);
/// a (..,M,K), b (..,K,N), leading axes broadcast. The result is i32 where a holds u8 or i8.
Tensor matmul(const Tensor& a, const Tensor& b);
/// softmax(scale * q k^T + mask) v of q (..,S,D), k (..,T,D), v (..,T,E); `mask` broadcasts to (..,S,T) or is undefined.
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& mask, double scale);

}  // namespace intaglio::host
