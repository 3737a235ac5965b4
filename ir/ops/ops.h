// The records of all core operators, one function each, defined in the file of its family. table.cpp lists them.
#pragma once

#include "ir/op.h"

namespace intaglio::ops {

// constant.cpp
OpRecord const_record();
OpRecord dims_record();
OpRecord iota_record();

// unary.cpp
OpRecord abs_record();
OpRecord ceil_record();
OpRecord cos_record();
OpRecord erf_record();
OpRecord exp_record();
OpRecord floor_record();
OpRecord is_nan_record();
OpRecord log_record();
OpRecord logical_not_record();
OpRecord neg_record();
OpRecord relu_record();
OpRecord round_record();
OpRecord sigmoid_record();
OpRecord sin_record();
OpRecord sqrt_record();
OpRecord tanh_record();

// cast.cpp
OpRecord cast_record();

// binary.cpp
OpRecord add_record();
OpRecord div_record();
OpRecord max_record();
OpRecord min_record();
OpRecord mod_record();
OpRecord mul_record();
OpRecord pow_record();
OpRecord sub_record();

// compare.cpp
OpRecord equal_record();
OpRecord greater_equal_record();
OpRecord greater_record();
OpRecord less_equal_record();
OpRecord less_record();
OpRecord logical_and_record();
OpRecord logical_or_record();
OpRecord logical_xor_record();

// where.cpp
OpRecord where_record();

// batch_norm.cpp
OpRecord batch_norm_record();

// quantize.cpp
OpRecord dequantize_record();
OpRecord quantize_record();

// reshape.cpp
OpRecord reshape_record();

// movement.cpp
OpRecord convert_layout_record();
OpRecord expand_record();
OpRecord slice_record();
OpRecord transpose_record();

// concat.cpp
OpRecord concat_record();

// gather.cpp
OpRecord gather_elements_record();
OpRecord gather_record();

// pad.cpp
OpRecord pad_record();

// reduce.cpp
OpRecord reduce_max_record();
OpRecord reduce_mean_record();
OpRecord reduce_min_record();
OpRecord reduce_prod_record();
OpRecord reduce_sum_record();

// row.cpp
OpRecord layer_norm_record();
OpRecord softmax_record();

// pool.cpp
OpRecord average_pool_record();
OpRecord max_pool_record();

// conv.cpp
OpRecord conv_record();

// matmul.cpp
OpRecord matmul_record();

// attention.cpp
OpRecord attention_record();

// kernel.cpp
OpRecord kernel_record();

}  // namespace intaglio::ops
