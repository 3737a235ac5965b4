// Fused groups without a contraction, as loops: binds the root, pulls the results, and schedules the nest around them.
#include "codegen/schedule/loops.h"

#include <algorithm>
#include <cctype>

#include "codegen/schedule/loops_group.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace loops {
namespace {

using kernel::Expr;
using kernel::Op;

/// Part of a kernel's tasks: those numbered from `begin` on.
struct Piece {
  Dim begin;
  TaskLoops loops;
};

void check_results(const Graph& region) {
  internal_check(!region.results().empty(), "a fused group returns nothing");
  for (const Value* result : region.results()) {
    internal_check(result->type.shape == region.results()[0]->type.shape, "results {} and {} of a fused group differ in shape",
                   to_text(region.results()[0]->type), to_text(result->type));
  }
}

/// The concat that every element of the result comes from at the same index, if that is how the group ends; null otherwise.
const Node* final_concat(const Graph& region) {
  if (region.results().size() != 1) return nullptr;
  const Node* node = region.results()[0]->producer();
  while (node && node->op().op_class == OpClass::elementwise) {
    const Node* next = nullptr;
    for (const Value* operand : node->operands()) {
      if (operand && operand->producer() && operand->type.shape == node->result()->type.shape) next = operand->producer();
    }
    node = next;
  }
  return node && node->is("concat") ? node : nullptr;
}

TaskLoops scheduled(Group& group, const std::function<Expr(const Dim&)>& task_of) {
  group.nest.coalesce();
  group.nest.choose_vector_loop();
  return group.nest.build(task_of);
}

/// A loop nest for each operand of the concat, each with its own tasks.
void lower_concat(const Graph& region, const Node& concat, kernel::Kernel& kernel, const LoopTraits& traits) {
  const std::size_t axis = static_cast<std::size_t>(concat.integer("axis"));
  std::vector<Piece> pieces;
  Dim begin = 0, first = 0;
  for (int i = 0; i < concat.operand_count(); ++i) {
    const Shape& shape = concat.operand(i)->type.shape;
    Group group(region, kernel, traits);
    Index offset(shape.size(), kernel::index_constant(0));
    offset[axis] = kernel::from_dim(first);
    group.add_result_axes(shape, offset);
    // Within this piece the concat is its operand; at any other index it is what its record says.
    group.pull.bind(*concat.result(), [&, i](const Index& index) {
      if (index != group.result_index) return concat.op().pull(group.pull, concat, index);
      Index local = index;
      local[axis] = kernel::binary(Op::sub, index[axis], offset[axis]);
      return group.pull.operand(concat, i, local);
    });
    group.add_stores();
    const auto task_of = [&](const Dim& tasks) {
      // The range of the number is that of this piece, once the earlier pieces' tasks are taken off.
      const Expr number = kernel::var(kernel.task_var);
      return kernel::binary(Op::sub, tasks == Dim(1) ? kernel::from_dim(begin) : number, kernel::from_dim(begin));
    };
    pieces.push_back({begin, scheduled(group, task_of)});
    begin = begin + pieces.back().loops.tasks;
    first = first + shape[axis];
  }
  kernel.tasks = begin;
  std::vector<kernel::StmtRef> body;
  for (const Piece& piece : pieces) {
    const Expr task = kernel::var(kernel.task_var);
    const Expr is_later = kernel::compare(Op::le, kernel::from_dim(piece.begin), task);
    const Expr is_earlier = kernel::compare(Op::lt, task, kernel::from_dim(piece.begin + piece.loops.tasks));
    body.push_back(kernel::when(kernel::binary(Op::logical_and, is_later, is_earlier), piece.loops.body));
  }
  kernel.body = kernel::block(std::move(body));
}

void bind_root(Group& group, const Node& root) {
  if (root.op().op_class == OpClass::reduction) return bind_reduction(group, root);
  if (root.is("softmax")) return bind_softmax(group, root);
  if (root.is("layer_norm")) return bind_layer_norm(group, root);
  if (root.op().op_class == OpClass::window) return bind_pool(group, root);
  internal_check(false, "{} cannot be lowered to loops", root.op_name());
}

void lower_group(const Graph& region, const Node* root, kernel::Kernel& kernel, const LoopTraits& traits) {
  Group group(region, kernel, traits);
  group.add_result_axes(region.results()[0]->type.shape, {});
  if (root) bind_root(group, *root);
  group.add_stores();
  const auto task_of = [&](const Dim& tasks) { return kernel::var(kernel.task_var, kernel::from_dim(tasks)); };
  TaskLoops loops;
  if (root) {
    group.order_loops();
    group.nest.coalesce();
    loops = group.nest.build(task_of);
  } else {
    loops = scheduled(group, task_of);
  }
  kernel.tasks = loops.tasks;
  kernel.body = loops.body;
}

std::string sanitized(std::string text) {
  for (char& c : text) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return text;
}

/// Operators that a name can do without.
bool is_silent(const Node& node) { return node.op().op_class == OpClass::constant || node.is("reshape") || node.is("expand"); }

}  // namespace

std::string kernel_name(const Graph& region) {
  constexpr int kMostOperators = 6;
  std::vector<std::string_view> operators;
  for (const Node* node : region.nodes()) {
    if (!is_silent(*node) && (operators.empty() || operators.back() != node->op_name())) operators.push_back(node->op_name());
  }
  if (operators.empty()) operators.push_back("copy");
  std::string name;
  for (std::size_t i = 0; i < std::min<std::size_t>(operators.size(), kMostOperators); ++i) name += std::string(operators[i]) + "_";
  if (operators.size() > kMostOperators) name += fmt::format("and_{}_more_", operators.size() - kMostOperators);
  const Node* root = region_root(region);
  const Type& type = root ? root->operand(0)->type : region.results()[0]->type;
  name += dtype_name(type.dtype);
  for (std::size_t d = 0; d < type.shape.size(); ++d) name += fmt::format("{}{}", d == 0 ? "_" : "x", sanitized(type.shape[d].text()));
  return name;
}

}  // namespace loops

kernel::Kernel lower_to_loops(const Node& kernel_node, const LoopTraits& traits) {
  const Graph& region = *kernel_node.region();
  loops::check_results(region);
  kernel::Kernel kernel;
  kernel.name = loops::kernel_name(region);
  kernel.buffers = region_buffers(region);
  kernel.symbols = region_symbols(region);
  const Node* root = region_root(region);
  const Node* concat = root ? nullptr : loops::final_concat(region);
  if (concat) {
    loops::lower_concat(region, *concat, kernel, traits);
  } else {
    loops::lower_group(region, root, kernel, traits);
  }
  return kernel;
}

}  // namespace intaglio
