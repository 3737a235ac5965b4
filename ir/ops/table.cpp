// The operator table.
#include <algorithm>
#include <array>

#include "ir/ops/ops.h"

namespace intaglio {

std::span<const OpRecord> op_table() {
  using namespace ops;
  // Sorted by name, which find_op relies on and a test checks.
  static const std::array table{
      abs_record(),
      add_record(),
      attention_record(),
      average_pool_record(),
      batch_norm_record(),
      cast_record(),
      ceil_record(),
      concat_record(),
      const_record(),
      conv_record(),
      convert_layout_record(),
      cos_record(),
      dequantize_record(),
      dims_record(),
      div_record(),
      equal_record(),
      erf_record(),
      exp_record(),
      expand_record(),
      floor_record(),
      gather_record(),
      gather_elements_record(),
      greater_record(),
      greater_equal_record(),
      iota_record(),
      is_nan_record(),
      kernel_record(),
      layer_norm_record(),
      less_record(),
      less_equal_record(),
      log_record(),
      logical_and_record(),
      logical_not_record(),
      logical_or_record(),
      logical_xor_record(),
      matmul_record(),
      max_record(),
      max_pool_record(),
      min_record(),
      mod_record(),
      mul_record(),
      neg_record(),
      pad_record(),
      pow_record(),
      quantize_record(),
      reduce_max_record(),
      reduce_mean_record(),
      reduce_min_record(),
      reduce_prod_record(),
      reduce_sum_record(),
      relu_record(),
      reshape_record(),
      round_record(),
      sigmoid_record(),
      sin_record(),
      slice_record(),
      softmax_record(),
      sqrt_record(),
      sub_record(),
      tanh_record(),
      transpose_record(),
      where_record(),
  };
  return table;
}

const OpRecord* find_op(std::string_view name) {
  const auto table = op_table();
  const auto found = std::lower_bound(table.begin(), table.end(), name, [](const OpRecord& op, std::string_view n) { return op.name < n; });
  return found != table.end() && found->name == name ? &*found : nullptr;
}

}  // namespace intaglio
