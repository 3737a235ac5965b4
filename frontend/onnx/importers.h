// The import functions by family, and the table that says which ONNX operator of which opset each one reads.
#pragma once

#include <span>
#include <string_view>

#include "frontend/onnx/node_context.h"

namespace intaglio {

using ImportFunction = Values (*)(NodeContext& node);

/// Imports `op_type` in models of the opsets [first_opset, last_opset].
struct ImporterRow {
  std::string_view op_type;
  int first_opset;
  int last_opset;
  ImportFunction import;
};

/// The opsets that are read. The newest one is that of the onnx library this is built with (checked by a test).
constexpr int kOldestOpset = 7;
constexpr int kNewestOpset = 28;

/// All rows, sorted by operator and opset; the opsets of an operator's rows do not overlap.
std::span<const ImporterRow> importer_table();
/// Null if there is none.
const ImporterRow* find_importer(std::string_view op_type, int opset);

// import_elementwise.cpp: one core operator each, or a few.
Values import_unary(NodeContext& node);
Values import_binary(NodeContext& node);
Values import_variadic(NodeContext& node);
Values import_mean(NodeContext& node);
Values import_mod(NodeContext& node);
Values import_pow(NodeContext& node);
Values import_reciprocal(NodeContext& node);
Values import_sign(NodeContext& node);
Values import_is_inf(NodeContext& node);
Values import_where(NodeContext& node);
Values import_cast(NodeContext& node);
Values import_cast_like(NodeContext& node);
Values import_clip_attributes(NodeContext& node);
Values import_clip(NodeContext& node);
Values import_identity(NodeContext& node);
Values import_dropout(NodeContext& node);

// import_activation.cpp
Values import_gelu(NodeContext& node);
Values import_hard_sigmoid(NodeContext& node);
Values import_hard_swish(NodeContext& node);
Values import_leaky_relu(NodeContext& node);
Values import_thresholded_relu(NodeContext& node);
Values import_elu(NodeContext& node);
Values import_selu(NodeContext& node);
Values import_celu(NodeContext& node);
Values import_softplus(NodeContext& node);
Values import_softsign(NodeContext& node);
Values import_prelu(NodeContext& node);
Values import_swish(NodeContext& node);
Values import_mish(NodeContext& node);

// import_constant.cpp: values out of nothing, or out of shapes.
Values import_constant(NodeContext& node);
Values import_constant_of_shape(NodeContext& node);
Values import_shape(NodeContext& node);
Values import_size(NodeContext& node);
Values import_range(NodeContext& node);

// import_movement.cpp
Values import_reshape(NodeContext& node);
Values import_flatten(NodeContext& node);
Values import_squeeze(NodeContext& node);
Values import_unsqueeze(NodeContext& node);
Values import_transpose(NodeContext& node);
Values import_expand(NodeContext& node);
Values import_tile(NodeContext& node);
Values import_concat(NodeContext& node);
Values import_gather(NodeContext& node);
Values import_gather_elements(NodeContext& node);
Values import_depth_to_space(NodeContext& node);
Values import_space_to_depth(NodeContext& node);
Values import_trilu(NodeContext& node);

// import_slice.cpp: parts of an axis, and padding of it.
Values import_slice(NodeContext& node);
Values import_split(NodeContext& node);
Values import_pad(NodeContext& node);

// import_contraction.cpp
Values import_conv(NodeContext& node);
Values import_gemm(NodeContext& node);
Values import_matmul(NodeContext& node);

// import_pool.cpp
Values import_max_pool(NodeContext& node);
Values import_average_pool(NodeContext& node);
Values import_global_average_pool(NodeContext& node);
Values import_global_max_pool(NodeContext& node);

// import_norm.cpp
Values import_batch_normalization(NodeContext& node);
Values import_layer_normalization(NodeContext& node);
Values import_rms_normalization(NodeContext& node);
Values import_instance_normalization(NodeContext& node);
Values import_group_normalization(NodeContext& node);
Values import_softmax(NodeContext& node);
Values import_softmax_flattened(NodeContext& node);
Values import_log_softmax(NodeContext& node);
Values import_log_softmax_flattened(NodeContext& node);

// import_reduce.cpp
Values import_reduce(NodeContext& node);
Values import_reduce_log_sum_exp(NodeContext& node);

// import_quantize.cpp
Values import_quantize_linear(NodeContext& node);
Values import_dequantize_linear(NodeContext& node);
Values import_dynamic_quantize_linear(NodeContext& node);
Values import_qlinear_conv(NodeContext& node);
Values import_qlinear_matmul(NodeContext& node);
Values import_conv_integer(NodeContext& node);
Values import_matmul_integer(NodeContext& node);

}  // namespace intaglio
