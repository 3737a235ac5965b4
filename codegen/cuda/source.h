// Writes expressions of kernel IR as CUDA C++: readable, one named value for each shared subexpression.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "codegen/schedule/lanes.h"
#include "ir/kernel/kernel.h"

namespace intaglio::cuda {

/// "float", "int64": the C++ type (of prelude.cuh) that an element is in registers.
std::string type_name(DType dtype);
/// The constant that a fold with `op` starts from.
std::string fold_identity(kernel::Op op, DType dtype);
/// "op::Add": the functor of prelude.cuh.
std::string fold_functor(kernel::Op op);

/// The text of one function, grown line by line. Loop variables are called v3, locals t3, buffers b3, symbols s3, each by its number.
/// A thread that computes several consecutive elements does so in `Lanes`: loads and stores that lie side by side are one access of up to 16 bytes, what is
/// the same for all lanes is computed once, and the rest stands in an unrolled loop over an array.
class Source {
 public:
  /// `narrow`: every offset fits 32 bits, so that index arithmetic is done in int. `checked`: every load and store verifies its offset. What is named is
  /// called `prefix` and a number.
  Source(const std::vector<kernel::Buffer>& buffers, const std::vector<std::string>& symbols, bool narrow, bool checked, std::string prefix = "x")
      : buffers_(buffers), symbols_(symbols), narrow_(narrow), checked_(checked), prefix_(std::move(prefix)) {}

  void line(const std::string& text);
  /// "for (..) {" or "{": lines until close() are inside. What was named inside is forgotten outside.
  void open(const std::string& text);
  void close();
  const std::string& text() const { return text_; }

  /// "int" or "int64": what index arithmetic is done in.
  std::string index_type() const { return narrow_ ? "int" : "int64"; }
  static std::string var_name(int var) { return "v" + std::to_string(var); }

  /// An expression for the value of `e`; lines that it needs are written first. As an index it is in index_type().
  std::string value(const kernel::Expr& e);
  std::string index(const kernel::Expr& e);
  /// b[offset] = value.
  void store(int buffer, const kernel::Expr& offset, const std::string& value);

  /// From now on the variable or local is known to be a multiple of `multiple`. What is aligned follows from it.
  void set_multiple(int id, std::int64_t multiple) { multiples_[id] = multiple; }
  const Multiples& multiples() const { return multiples_; }
  /// The name of an array with the value of `e` in each lane; var_name(lanes.var) is the first lane's.
  std::string values(const kernel::Expr& e, const Lanes& lanes);
  /// Loads the lanes of `load` into an array that is there already; 0 where a `condition` is given and does not hold.
  void load_values(const kernel::Expr& load, const std::string& array, const Lanes& lanes, const std::string& condition = "");
  /// Starts the load of lanes that lie side by side into an op::Fetched, which op::unpack_lanes makes an array of.
  void fetch_values(const kernel::Expr& load, const std::string& to, const Lanes& lanes);
  /// Says that the lanes of `e` are in an array, until the scope ends.
  void set_values(const kernel::Expr& e, const std::string& array);
  /// b[offset] = array[lane] for each lane.
  void store_values(int buffer, const kernel::Expr& offset, const std::string& array, const Lanes& lanes);
  /// The first `count` elements of an array, in accesses of `bytes` bytes, to the buffer from `offset` on.
  void store_array(int buffer, const kernel::Expr& offset, const std::string& array, std::int64_t count, int bytes);
  /// total[lane] = op(total[lane], value of `e`) for each lane of the array `total`.
  void fold_values(const std::string& total, kernel::Op op, const kernel::Expr& e, const Lanes& lanes);
  /// The same with one total for all lanes.
  void fold_values_into(const std::string& total, kernel::Op op, const kernel::Expr& e, const Lanes& lanes);

  /// How wide the accesses to `lanes` elements from `offset` on are, in bytes; 0 if each lane's is one of its own.
  int access_bytes(int buffer, const kernel::Expr& offset, const Lanes& lanes) const;

  /// In checked mode, a line that verifies an offset before it is used.
  void check(int buffer, const std::string& offset);
  /// In checked mode, lines that say how long each buffer is, for the head of the function.
  std::string elements();

 private:
  struct Scope {
    std::unordered_map<const kernel::ExprNode*, std::string> values, indices;
    /// Arrays with a value for each lane.
    std::unordered_map<const kernel::ExprNode*, std::string> arrays;
  };
  /// True if `e` is too small to be named.
  static bool is_atom(const kernel::Expr& e);
  /// A loop over lanes that is being written.
  struct LaneLoop {
    const Lanes& lanes;
    LaneStrides& strides;
    std::size_t scope;  ///< the number of the scope inside of it
  };
  std::string new_name() { return prefix_ + std::to_string(names_++); }
  std::string emit(const kernel::Expr& e, bool as_index, bool named = false);
  std::string compute(const kernel::Expr& e, bool as_index);
  std::string load(const kernel::Expr& e);
  std::string reduce(const kernel::Expr& e);
  void forget_loads(int stored_buffer);
  kernel::Expr as_written(const kernel::Expr& e) const;
  const std::string* array_of(const kernel::ExprNode* e) const;
  void prepare_lanes(const kernel::Expr& e, const Lanes& lanes, LaneStrides& strides, std::set<const kernel::ExprNode*>& done);
  void reduce_lanes(const kernel::Expr& e, const Lanes& lanes);
  void for_lanes(const std::vector<kernel::Expr>& read, const Lanes& lanes, const std::function<void()>& body);
  void note_uses(const kernel::Expr& e);

  const std::vector<kernel::Buffer>& buffers_;
  const std::vector<std::string>& symbols_;
  bool narrow_, checked_;
  const std::string prefix_;
  std::string text_;
  int depth_ = 1;
  int names_ = 0;
  std::vector<Scope> scopes_{1};
  /// Nodes with several users among the expressions seen so far, and the expressions themselves, which keep them alive.
  std::unordered_map<const kernel::ExprNode*, int> uses_;
  std::set<kernel::Expr> seen_;
  std::set<int> loaded_buffers_;
  Multiples multiples_;
  const LaneLoop* lane_loop_ = nullptr;
};

}  // namespace intaglio::cuda
