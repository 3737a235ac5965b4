// Describes matmul and conv groups as contractions: index maps, operand elements and the epilogue, all pulled from the region.

#include "codegen/schedule/contraction.h"

#include "support/diagnostics.h"

namespace intaglio {
namespace {

using kernel::Expr;

Expr product(const Expr& a, const Expr& b) { return kernel::binary(kernel::Op::mul, a, b); }
Expr sum(const Expr& a, const Expr& b) { return kernel::binary(kernel::Op::add, a, b); }

/// Pulls the operands and the epilogue of one region.
class Describer {
 public:
  Describer(const Node& kernel_node, const Node& root) : kernel_node_(kernel_node), region_(*kernel_node.region()), root_(root), pull_(region_) {
    spec_.buffers = region_buffers(region_);
    spec_.symbols = region_symbols(region_);
    spec_.task_var = spec_.new_variable();
    spec_.accumulator = spec_.new_variable();
    for (Axis* axis : {&spec_.y, &spec_.x, &spec_.n, &spec_.r, &spec_.s, &spec_.c}) axis->var = spec_.new_variable();
    spec_.a_y = spec_.new_variable();
    spec_.a_x = spec_.new_variable();
    spec_.compute = sum_dtype(root);
  }

  Contraction conv() {
    const Type& input = root_.operand(0)->type;
    const Type& weight = root_.operand(1)->type;
    const Type& output = root_.result()->type;
    const bool two = input.rank() == 4;  // with one spatial dimension that one is x
    const auto spatial = static_cast<std::size_t>(input.rank() - 2);
    const auto strides = entries_or(root_.integers("strides"), spatial, 1);
    const auto dilations = entries_or(root_.integers("dilations"), spatial, 1);
    const auto pads = entries_or(root_.integers("pads"), 2 * spatial, 0);
    const std::int64_t groups = root_.integer("group");

    const Dim channels = weight.shape[1];
    const Dim filters = Dim::floordiv(output.shape[1], groups);
    const bool depthwise = groups > 1 && channels == Dim(1) && filters == Dim(1);
    spec_.kind = depthwise ? Contraction::Kind::depthwise : Contraction::Kind::dense;

    add_batch_axis(output.shape[0]);
    const Expr image = kernel::var(spec_.batch[0].var);
    Expr group = kernel::index_constant(0);
    if (groups > 1 && !depthwise) {
      add_batch_axis(groups);
      spec_.group_axis = 1;
      group = kernel::var(spec_.batch[1].var);
    }
    spec_.y.extent = two ? output.shape[2] : Dim(1);
    spec_.x.extent = output.shape.back();
    spec_.r.extent = two ? weight.shape[2] : Dim(1);
    spec_.s.extent = weight.shape.back();
    spec_.c.extent = depthwise ? Dim(1) : channels;
    spec_.n.extent = depthwise ? output.shape[1] : filters;
    spec_.input_height = two ? input.shape[2] : Dim(1);
    spec_.input_width = input.shape.back();
    if (two) {
      spec_.stride_y = strides[0];
      spec_.dilation_y = dilations[0];
      spec_.pad_y = pads[0];
    }
    spec_.stride_x = strides.back();
    spec_.dilation_x = dilations.back();
    spec_.pad_x = pads[two ? 1 : 0];
    spec_.pad_value = root_.integer("pad_value");
    for (std::int64_t pad : pads) spec_.padded |= pad != 0;

    const Expr n = kernel::var(spec_.n.var);
    const Expr c = kernel::var(spec_.c.var);
    const Expr filter = depthwise ? n : sum(product(group, kernel::from_dim(filters)), n);
    const Expr channel = depthwise ? n : sum(product(group, kernel::from_dim(channels)), c);
    Index a_index{image, channel};
    Index b_index{filter, depthwise ? kernel::index_constant(0) : c};
    Index out_index{image, filter};
    if (two) {
      a_index.push_back(kernel::var(spec_.a_y));
      b_index.push_back(kernel::var(spec_.r.var));
      out_index.push_back(kernel::var(spec_.y.var));
    }
    a_index.push_back(kernel::var(spec_.a_x));
    b_index.push_back(kernel::var(spec_.s.var));
    out_index.push_back(kernel::var(spec_.x.var));
    pull_operands(a_index, b_index);
    pull_epilogue(out_index, root_.operand(2) ? pull_.operand(root_, 2, {filter}) : nullptr);
    return finish();
  }

  Contraction matmul() {
    const Shape& a_shape = root_.operand(0)->type.shape;
    const Shape& b_shape = root_.operand(1)->type.shape;
    const Shape& shape = root_.result()->type.shape;
    const int rank = static_cast<int>(shape.size());
    spec_.n.extent = shape[rank - 1];
    spec_.c.extent = a_shape.back();

    // Where all matrices share b, its rows are one long matrix: the last two extents over 1 become y and x.
    std::vector<bool> shared(rank - 1, true);
    bool b_is_shared = true;
    for (int i = 0; i < rank - 2; ++i) b_is_shared = b_is_shared && operand_extent(b_shape, i, rank) == Dim(1);
    for (int i = 0; i < rank - 2; ++i) shared[i] = b_is_shared;

    Index index(rank, kernel::index_constant(0));
    index[rank - 1] = kernel::var(spec_.n.var);
    std::vector<Axis*> rows{&spec_.x, &spec_.y};
    for (int i = rank - 2; i >= 0; --i) {
      if (shape[i] == Dim(1)) continue;
      if (shared[i] && !rows.empty()) {
        Axis* axis = rows.front();
        rows.erase(rows.begin());
        axis->extent = shape[i];
        index[i] = kernel::var(axis->var);
      } else {
        add_batch_axis(shape[i]);
        index[i] = kernel::var(spec_.batch.back().var);
      }
    }
    spec_.input_height = spec_.y.extent;
    spec_.input_width = spec_.x.extent;

    Index a_index = operand_index(index, a_shape);
    Index b_index = operand_index(index, b_shape);
    a_index.back() = kernel::var(spec_.c.var);
    for (Expr& e : a_index) {
      e = kernel::substitute(e, spec_.y.var, kernel::var(spec_.a_y));
      e = kernel::substitute(e, spec_.x.var, kernel::var(spec_.a_x));
    }
    b_index[b_index.size() - 2] = kernel::var(spec_.c.var);
    pull_operands(a_index, b_index);
    pull_epilogue(index, nullptr);
    return finish();
  }

 private:
  void add_batch_axis(Dim extent) { spec_.batch.push_back({spec_.new_variable(), std::move(extent)}); }

  static Dim operand_extent(const Shape& shape, int axis, int rank) {
    const int i = axis - (rank - static_cast<int>(shape.size()));
    return i < 0 ? Dim(1) : shape[i];
  }

  /// The index of an operand that broadcasts to the result.
  static Index operand_index(const Index& index, const Shape& shape) {
    Index result(index.end() - static_cast<std::ptrdiff_t>(shape.size()), index.end());
    for (std::size_t i = 0; i + 2 < shape.size(); ++i) {
      if (shape[i] == Dim(1)) result[i] = kernel::index_constant(0);
    }
    return result;
  }

  void pull_operands(const Index& a_index, const Index& b_index) {
    spec_.a = kernel::cast(pull_.operand(root_, 0, a_index), spec_.compute);
    spec_.b = kernel::cast(pull_.operand(root_, 1, b_index), spec_.compute);
    const Value* weight = root_.operand(1);
    if (weight->producer()) return;
    const bool depends_on_batch = [&] {
      for (std::size_t i = 0; i < spec_.batch.size(); ++i) {
        if (static_cast<int>(i) != spec_.group_axis && kernel::depends_on(spec_.b, spec_.batch[i].var)) return true;
      }
      return false;
    }();
    if (kernel_node_.operand(weight->index())->is_constant() && !depends_on_batch) spec_.constant_b = weight->index();
  }

  void pull_epilogue(const Index& index, const Expr& bias) {
    Expr accumulated = kernel::local(spec_.accumulator, spec_.compute);
    if (bias) accumulated = sum(accumulated, bias);
    std::vector<std::string> expected;
    for (const Expr& e : index) expected.push_back(kernel::to_text(e));
    const Shape& shape = root_.result()->type.shape;
    pull_.bind(*root_.result(), [accumulated, expected, &shape](const Index& at) {
      for (std::size_t i = 0; i < at.size(); ++i) {
        if (shape[i] == Dim(1)) continue;  // there is one index only, however it is written
        internal_check(kernel::to_text(at[i]) == expected[i], "the epilogue of a contraction reads it at another index");
      }
      return accumulated;
    });
    const Value* result = region_.results()[0];
    spec_.result = pull_.value(*result, index);
    spec_.offset = linear_offset(result->type, index);
    spec_.result_dtype = result->type.dtype;
  }

  /// True if every address in `e` advances along `outer` by `extent` steps of `inner`, so that the two loops are one.
  static bool is_one_line(const Expr& e, int outer, int inner, const Dim& extent) {
    bool ok = true;
    const auto check_offset = [&](const Expr& offset) {
      const auto along_outer = kernel::linear_in(offset, outer);
      const auto along_inner = kernel::linear_in(offset, inner);
      ok = ok && along_outer && along_inner &&
           kernel::to_text(along_outer->stride) == kernel::to_text(product(along_inner->stride, kernel::from_dim(extent)));
    };
    const std::function<void(const Expr&)> walk = [&](const Expr& part) {
      if (part->kind == kernel::ExprKind::load) return check_offset(part->args[0]);
      if (part->kind == kernel::ExprKind::var && (part->var == outer || part->var == inner)) ok = false;
      for (const Expr& arg : part->args) walk(arg);
    };
    walk(e);
    return ok;
  }

  /// A 1x1 convolution over an image without gaps is a matmul over its pixels: longer lines make better tiles.
  void merge_lines() {
    const bool one_tap = spec_.r.extent == Dim(1) && spec_.s.extent == Dim(1) && spec_.stride_x == 1 && spec_.stride_y == 1 && !spec_.padded;
    if (!one_tap || spec_.y.extent == Dim(1) || spec_.kind != Contraction::Kind::dense) return;
    const Dim width = spec_.x.extent;
    const auto offset = kernel::load(0, DType::f32, spec_.offset);  // wrapped, so that the store's address is checked like those of loads
    if (!is_one_line(spec_.a, spec_.a_y, spec_.a_x, width) || !is_one_line(spec_.result, spec_.y.var, spec_.x.var, width) ||
        !is_one_line(offset, spec_.y.var, spec_.x.var, width)) {
      return;
    }
    const Expr zero = kernel::index_constant(0);
    spec_.a = kernel::substitute(spec_.a, spec_.a_y, zero);
    spec_.result = kernel::substitute(spec_.result, spec_.y.var, zero);
    spec_.offset = kernel::substitute(spec_.offset, spec_.y.var, zero);
    spec_.x.extent = spec_.y.extent * width;
    spec_.y.extent = 1;
    spec_.input_width = spec_.x.extent;
    spec_.input_height = 1;
  }

  Contraction finish() {
    merge_lines();
    spec_.name = fmt::format("{}_{}_n{}_k{}", root_.op_name(), dtype_name(spec_.compute), spec_.n.extent.constant().value_or(0),
                             spec_.reduction_extent().constant().value_or(0));
    if (kernel_node_.region()->results()[0]->type.dtype != spec_.result->dtype) spec_.result = kernel::cast(spec_.result, spec_.result_dtype);
    return std::move(spec_);
  }

  const Node& kernel_node_;
  const Graph& region_;
  const Node& root_;
  RegionPull pull_;
  Contraction spec_;
};

}  // namespace

Dim Contraction::multiplications() const {
  Dim count = y.extent * x.extent * n.extent * reduction_extent();
  for (const Axis& axis : batch) count = count * axis.extent;
  return count;
}

std::optional<Contraction> describe_contraction(const Node& kernel_node) {
  const Graph& region = *kernel_node.region();
  const Node* root = region_root(region);
  internal_check(root && root->op().op_class == OpClass::contraction, "a group without a contraction");
  internal_check(region.results().size() == 1, "a contraction with several results");
  if (root->is("matmul")) return Describer(kernel_node, *root).matmul();
  if (root->operand(0)->type.rank() > 4) return std::nullopt;
  return Describer(kernel_node, *root).conv();
}

DType sum_dtype(const Node& root) {
  const DType dtype = root.result()->type.dtype;
  return dtype == DType::f16 || dtype == DType::bf16 ? DType::f32 : dtype;
}

Dim contraction_flops(const Node& root) {
  const Shape& result = root.result()->type.shape;
  const Shape& b = root.operand(1)->type.shape;
  if (root.is("matmul")) return element_count(result) * root.operand(0)->type.shape.back() * 2;
  Dim sum = b[1];
  for (std::size_t i = 2; i < b.size(); ++i) sum = sum * b[i];
  return element_count(result) * sum * 2;
}

Dim elements_read(const Node& kernel_node, int operand) {
  const Shape& shape = kernel_node.operand(operand)->type.shape;
  const Node* root = region_root(*kernel_node.region());
  const bool is_image = root && root->is("conv") && !root->operand(0)->producer() && root->operand(0)->index() == operand;
  if (!is_image) return element_count(shape);
  const Shape& weight = root->operand(1)->type.shape;
  const Shape& output = root->result()->type.shape;
  const auto strides = entries_or(root->integers("strides"), shape.size() - 2, 1), dilations = entries_or(root->integers("dilations"), shape.size() - 2, 1);
  Dim elements = shape[0] * shape[1];
  for (std::size_t i = 2; i < shape.size(); ++i) {
    const bool skips = dilations[i - 2] == 1 && weight[i].is_constant() && weight[i].value() < strides[i - 2];
    elements = elements * (skips ? output[i] * weight[i] : shape[i]);
  }
  return elements;
}

}  // namespace intaglio
