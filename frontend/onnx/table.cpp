// Which ONNX operator of which opset is read by which function. Sorted; the opsets of an operator's rows do not overlap.
#include <algorithm>
#include <array>

#include "frontend/onnx/import.h"
#include "frontend/onnx/importers.h"

namespace intaglio {
namespace {

constexpr int kOld = kOldestOpset, kNew = kNewestOpset;

constexpr std::array kTable = {
    ImporterRow{"Abs", kOld, kNew, import_unary},
    ImporterRow{"Add", kOld, kNew, import_binary},
    ImporterRow{"And", kOld, kNew, import_binary},
    ImporterRow{"AveragePool", kOld, kNew, import_average_pool},
    ImporterRow{"BatchNormalization", kOld, kNew, import_batch_normalization},
    ImporterRow{"Cast", kOld, kNew, import_cast},
    ImporterRow{"CastLike", 15, kNew, import_cast_like},
    ImporterRow{"Ceil", kOld, kNew, import_unary},
    ImporterRow{"Celu", 12, kNew, import_celu},
    ImporterRow{"Clip", kOld, 10, import_clip_attributes},
    ImporterRow{"Clip", 11, kNew, import_clip},
    ImporterRow{"Concat", kOld, kNew, import_concat},
    ImporterRow{"Constant", kOld, kNew, import_constant},
    ImporterRow{"ConstantOfShape", 9, kNew, import_constant_of_shape},
    ImporterRow{"Conv", kOld, kNew, import_conv},
    ImporterRow{"ConvInteger", 10, kNew, import_conv_integer},
    ImporterRow{"Cos", kOld, kNew, import_unary},
    ImporterRow{"DepthToSpace", kOld, kNew, import_depth_to_space},
    ImporterRow{"DequantizeLinear", 10, kNew, import_dequantize_linear},
    ImporterRow{"Div", kOld, kNew, import_binary},
    ImporterRow{"Dropout", kOld, kNew, import_dropout},
    ImporterRow{"DynamicQuantizeLinear", 11, kNew, import_dynamic_quantize_linear},
    ImporterRow{"Elu", kOld, kNew, import_elu},
    ImporterRow{"Equal", kOld, kNew, import_binary},
    ImporterRow{"Erf", 9, kNew, import_unary},
    ImporterRow{"Exp", kOld, kNew, import_unary},
    ImporterRow{"Expand", 8, kNew, import_expand},
    ImporterRow{"Flatten", kOld, kNew, import_flatten},
    ImporterRow{"Floor", kOld, kNew, import_unary},
    ImporterRow{"Gather", kOld, kNew, import_gather},
    ImporterRow{"GatherElements", 11, kNew, import_gather_elements},
    ImporterRow{"Gelu", 20, kNew, import_gelu},
    ImporterRow{"Gemm", kOld, kNew, import_gemm},
    ImporterRow{"GlobalAveragePool", kOld, kNew, import_global_average_pool},
    ImporterRow{"GlobalMaxPool", kOld, kNew, import_global_max_pool},
    ImporterRow{"Greater", kOld, kNew, import_binary},
    ImporterRow{"GreaterOrEqual", 12, kNew, import_binary},
    ImporterRow{"GroupNormalization", 18, kNew, import_group_normalization},
    ImporterRow{"HardSigmoid", kOld, kNew, import_hard_sigmoid},
    ImporterRow{"HardSwish", 14, kNew, import_hard_swish},
    ImporterRow{"Identity", kOld, kNew, import_identity},
    ImporterRow{"InstanceNormalization", kOld, kNew, import_instance_normalization},
    ImporterRow{"IsInf", 10, kNew, import_is_inf},
    ImporterRow{"IsNaN", 9, kNew, import_unary},
    ImporterRow{"LayerNormalization", 17, kNew, import_layer_normalization},
    ImporterRow{"LeakyRelu", kOld, kNew, import_leaky_relu},
    ImporterRow{"Less", kOld, kNew, import_binary},
    ImporterRow{"LessOrEqual", 12, kNew, import_binary},
    ImporterRow{"Log", kOld, kNew, import_unary},
    ImporterRow{"LogSoftmax", kOld, 12, import_log_softmax_flattened},
    ImporterRow{"LogSoftmax", 13, kNew, import_log_softmax},
    ImporterRow{"MatMul", kOld, kNew, import_matmul},
    ImporterRow{"MatMulInteger", 10, kNew, import_matmul_integer},
    ImporterRow{"Max", kOld, kNew, import_variadic},
    ImporterRow{"MaxPool", kOld, kNew, import_max_pool},
    ImporterRow{"Mean", kOld, kNew, import_mean},
    ImporterRow{"Min", kOld, kNew, import_variadic},
    ImporterRow{"Mish", 18, kNew, import_mish},
    ImporterRow{"Mod", 10, kNew, import_mod},
    ImporterRow{"Mul", kOld, kNew, import_binary},
    ImporterRow{"Neg", kOld, kNew, import_unary},
    ImporterRow{"Not", kOld, kNew, import_unary},
    ImporterRow{"Or", kOld, kNew, import_binary},
    ImporterRow{"PRelu", kOld, kNew, import_prelu},
    ImporterRow{"Pad", kOld, kNew, import_pad},
    ImporterRow{"Pow", kOld, kNew, import_pow},
    ImporterRow{"QLinearConv", 10, kNew, import_qlinear_conv},
    ImporterRow{"QLinearMatMul", 10, kNew, import_qlinear_matmul},
    ImporterRow{"QuantizeLinear", 10, kNew, import_quantize_linear},
    ImporterRow{"RMSNormalization", 23, kNew, import_rms_normalization},
    ImporterRow{"Range", 11, kNew, import_range},
    ImporterRow{"Reciprocal", kOld, kNew, import_reciprocal},
    ImporterRow{"ReduceL1", kOld, kNew, import_reduce},
    ImporterRow{"ReduceL2", kOld, kNew, import_reduce},
    ImporterRow{"ReduceLogSum", kOld, kNew, import_reduce},
    ImporterRow{"ReduceLogSumExp", kOld, kNew, import_reduce_log_sum_exp},
    ImporterRow{"ReduceMax", kOld, kNew, import_reduce},
    ImporterRow{"ReduceMean", kOld, kNew, import_reduce},
    ImporterRow{"ReduceMin", kOld, kNew, import_reduce},
    ImporterRow{"ReduceProd", kOld, kNew, import_reduce},
    ImporterRow{"ReduceSum", kOld, kNew, import_reduce},
    ImporterRow{"ReduceSumSquare", kOld, kNew, import_reduce},
    ImporterRow{"Relu", kOld, kNew, import_unary},
    ImporterRow{"Reshape", kOld, kNew, import_reshape},
    ImporterRow{"Round", 11, kNew, import_unary},
    ImporterRow{"Selu", kOld, kNew, import_selu},
    ImporterRow{"Shape", kOld, kNew, import_shape},
    ImporterRow{"Sigmoid", kOld, kNew, import_unary},
    ImporterRow{"Sign", 9, kNew, import_sign},
    ImporterRow{"Sin", kOld, kNew, import_unary},
    ImporterRow{"Size", kOld, kNew, import_size},
    ImporterRow{"Slice", kOld, kNew, import_slice},
    ImporterRow{"Softmax", kOld, 12, import_softmax_flattened},
    ImporterRow{"Softmax", 13, kNew, import_softmax},
    ImporterRow{"Softplus", kOld, kNew, import_softplus},
    ImporterRow{"Softsign", kOld, kNew, import_softsign},
    ImporterRow{"SpaceToDepth", kOld, kNew, import_space_to_depth},
    ImporterRow{"Split", kOld, kNew, import_split},
    ImporterRow{"Sqrt", kOld, kNew, import_unary},
    ImporterRow{"Squeeze", kOld, kNew, import_squeeze},
    ImporterRow{"Sub", kOld, kNew, import_binary},
    ImporterRow{"Sum", kOld, kNew, import_variadic},
    ImporterRow{"Swish", 24, kNew, import_swish},
    ImporterRow{"Tanh", kOld, kNew, import_unary},
    ImporterRow{"ThresholdedRelu", 10, kNew, import_thresholded_relu},
    ImporterRow{"Tile", kOld, kNew, import_tile},
    ImporterRow{"Transpose", kOld, kNew, import_transpose},
    ImporterRow{"Trilu", 14, kNew, import_trilu},
    ImporterRow{"Unsqueeze", kOld, kNew, import_unsqueeze},
    ImporterRow{"Where", 9, kNew, import_where},
    ImporterRow{"Xor", kOld, kNew, import_binary},
};

}  // namespace

std::span<const ImporterRow> importer_table() { return kTable; }

const ImporterRow* find_importer(std::string_view op_type, int opset) {
  const auto fits = [&](const ImporterRow& row) { return row.op_type == op_type && row.first_opset <= opset && opset <= row.last_opset; };
  const auto found = std::ranges::find_if(kTable, fits);
  return found == kTable.end() ? nullptr : &*found;
}

std::vector<OperatorCoverage> onnx_operator_coverage() {
  std::vector<OperatorCoverage> rows;
  for (const ImporterRow& row : kTable) rows.push_back({row.op_type, row.first_opset, row.last_opset});
  return rows;
}

}  // namespace intaglio
