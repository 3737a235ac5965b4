// Writes expressions of kernel IR as CUDA C++: readable, one named value for each shared subexpression.
#pragma once

#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "ir/kernel/kernel.h"

namespace intaglio::cuda {

/// "float", "int64": the C++ type (of prelude.cuh) that an element is in registers.
std::string type_name(DType dtype);
/// The constant that a fold with `op` starts from.
std::string fold_identity(kernel::Op op, DType dtype);
/// "op::Add": the functor of prelude.cuh.
std::string fold_functor(kernel::Op op);

/// The text of one function, grown line by line. Loop variables are called v3, locals t3, buffers b3, symbols s3, each by its number.
class Source {
 public:
  /// `narrow`: every offset fits 32 bits, so that index arithmetic is done in int. `checked`: every load and store verifies its offset.
  Source(const std::vector<kernel::Buffer>& buffers, const std::vector<std::string>& symbols, bool narrow, bool checked)
      : buffers_(buffers), symbols_(symbols), narrow_(narrow), checked_(checked) {}

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
  /// In checked mode, lines that say how long each buffer is, for the head of the function.
  std::string elements();

 private:
  struct Scope {
    std::unordered_map<const kernel::ExprNode*, std::string> values, indices;
  };
  std::string emit(const kernel::Expr& e, bool as_index);
  std::string compute(const kernel::Expr& e, bool as_index);
  std::string load(const kernel::Expr& e);
  std::string reduce(const kernel::Expr& e);
  void check(int buffer, const std::string& offset);
  void note_uses(const kernel::Expr& e);

  const std::vector<kernel::Buffer>& buffers_;
  const std::vector<std::string>& symbols_;
  bool narrow_, checked_;
  std::string text_;
  int depth_ = 1;
  int names_ = 0;
  std::vector<Scope> scopes_{1};
  /// Nodes with several users among the expressions seen so far, and the expressions themselves, which keep them alive.
  std::unordered_map<const kernel::ExprNode*, int> uses_;
  std::set<kernel::Expr> seen_;
};

}  // namespace intaglio::cuda
