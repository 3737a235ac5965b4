// A contraction as every target's generator sees it: loops, elements of both operands, epilogue. matmul is a convolution of one tap over a line of rows.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "codegen/schedule/pull.h"

namespace intaglio {

/// A loop: its variable and how far it runs.
struct Axis {
  int var = -1;
  Dim extent = 1;
};

/// What the generators of every root are given: a contraction or attention, with its epilogue.
struct RootedKernel {
  std::string name;
  std::vector<kernel::Buffer> buffers;  ///< the region's arguments, then the result
  std::vector<std::string> symbols;
  int variables = 0;
  int task_var = 0;
  int accumulator = 0;  ///< the local that the epilogue reads
  std::vector<Axis> batch;
  kernel::Expr result;  ///< the value to store, in terms of the result's axes and the accumulator
  kernel::Expr offset;  ///< where in the last buffer

  int new_variable() { return variables++; }
  const kernel::Buffer& output() const { return buffers.back(); }
};

/// result[batch, y, x, n] = epilogue(sum over r, s, c of a[batch, y*stride_y + r*dilation_y - pad_y, x*stride_x + s*dilation_x - pad_x, c] * b[batch, r, s, c, n]),
/// where `a` is `pad_value` outside of its `input_height` x `input_width`.
///
/// Quantized groups arrive as contractions of integers: `compute` is i32, the buffers behind `a` and `b` hold u8 or i8, and `a` and `b` are casts of
/// loads from them to i32. The sum is exact (lower_quantized has checked that it fits), whatever its order. Zero points and the quantized bias are i32
/// constants for each column in the epilogue, and so are the scales, one f32 factor; `pad_value` is the zero point of `a`. Where a kernel can only pad
/// with zeros and pad_value is another number, it must correct the sums at the border or leave the contraction to another kernel.
struct Contraction : RootedKernel {
  enum class Kind {
    dense,      ///< matmul, convolution; grouped convolution has its group in `batch`
    depthwise,  ///< one input channel for each output channel: no c; `a` is indexed by n
  };
  Kind kind = Kind::dense;
  int group_axis = -1;  ///< which batch axis numbers the groups of a convolution, if any
  Axis y, x, n;         ///< positions and columns of the result
  Axis r, s, c;         ///< what is summed over
  Dim input_height = 1, input_width = 1;
  std::int64_t stride_y = 1, stride_x = 1, dilation_y = 1, dilation_x = 1;
  Dim pad_y = 0, pad_x = 0;  ///< before the first row and column
  bool padded = false;       ///< some tap may fall outside of the input
  std::int64_t pad_value = 0;  ///< what `a` is there; not 0 for integers alone

  int a_y = 0, a_x = 0;  ///< variables for the input's row and column in `a`
  kernel::Expr a;        ///< in terms of batch, a_y, a_x, c (depthwise: n)
  kernel::Expr b;        ///< in terms of batch, r, s, c, n
  DType compute = DType::f32;

  DType result_dtype = DType::f32;

  /// The buffer whose constant content is `b`, to be packed at compile time; -1 when it changes from run to run.
  int constant_b = -1;
  /// Of constant weights of 4 bits that a kernel unpacks itself: the buffer of their scales, and how many channels share one.
  int scales = -1;
  std::int64_t scale_block = 0;

  Dim reduction_extent() const { return r.extent * s.extent * c.extent; }
  /// Of elements, in all sums.
  Dim multiplications() const;
};

/// The contraction of a `kernel` node whose root is matmul or conv of at most two spatial dimensions; nothing for others, which lower_naive serves.
std::optional<Contraction> describe_contraction(const Node& kernel_node);

/// What a contraction is summed in: f32 for 16-bit floats, i32 for 8-bit integers, else the type of its result.
DType sum_dtype(const Node& root);

/// Any contraction as plain loops: one fold for each element of the result. The schedule of last resort, and of -O0.
kernel::Kernel lower_naive_contraction(const Node& kernel_node);

/// Multiplications and additions of a contraction.
Dim contraction_flops(const Node& root);

/// Elements of an operand that a `kernel` node reads: all, but for the pixels that a convolution strides over.
Dim elements_read(const Node& kernel_node, int operand);

/// An attribute of conv with one entry a spatial axis; none means `fallback` for all.
inline std::vector<std::int64_t> entries_or(std::vector<std::int64_t> given, std::size_t count, std::int64_t fallback) {
  return given.empty() ? std::vector<std::int64_t>(count, fallback) : given;
}

/// Readable text, what `--emit kernels` prints and what equal kernels share.
std::string to_text(const Contraction& contraction);

}  // namespace intaglio
