// Structural equality of graphs, for pass tests.

#include <algorithm>

#include "ir/graph.h"
#include "support/diagnostics.h"

namespace intaglio {
namespace {

class Comparer {
 public:
  explicit Comparer(std::string* why) : why_(why) {}

  bool equal(const Graph& a, const Graph& b) {
    if (a.arguments().size() != b.arguments().size()) return differ("the graphs have {} and {} arguments", a.arguments().size(), b.arguments().size());
    for (std::size_t i = 0; i < a.arguments().size(); ++i) {
      if (!same_type(*a.arguments()[i], *b.arguments()[i], fmt::format("argument {}", i))) return false;
      twin_[a.arguments()[i].get()] = b.arguments()[i].get();
    }
    const auto x = computed(a), y = computed(b);
    for (std::size_t i = 0; i < std::min(x.size(), y.size()); ++i) {
      if (!equal(*x[i], *y[i], i)) return false;
    }
    if (x.size() != y.size()) return differ("the graphs have {} and {} nodes besides constants", x.size(), y.size());
    if (a.results().size() != b.results().size()) return differ("the graphs have {} and {} results", a.results().size(), b.results().size());
    for (std::size_t i = 0; i < a.results().size(); ++i) {
      if (!same_value(a.results()[i], b.results()[i])) return differ("result {} is another value", i);
    }
    return true;
  }

 private:
  template <typename... Args>
  bool differ(fmt::format_string<Args...> format, Args&&... args) {
    if (why_) *why_ = fmt::format(format, std::forward<Args>(args)...);
    return false;
  }

  /// Where constants stand does not matter: they are compared where they are read.
  static std::vector<Node*> computed(const Graph& graph) {
    std::vector<Node*> result = graph.nodes();
    std::erase_if(result, [](const Node* node) { return node->is("const"); });
    return result;
  }

  bool same_type(const Value& a, const Value& b, const std::string& what) {
    if (a.type.dtype == b.type.dtype && a.type.shape == b.type.shape && explicit_layout(a.type) == explicit_layout(b.type)) return true;
    return differ("{} has types {} and {}", what, to_text(a.type), to_text(b.type));
  }

  bool same_value(const Value* a, const Value* b) {
    if (!a || !b) return a == b;
    if (a->is_constant() != b->is_constant()) return false;
    if (!a->is_constant()) return twin_[a] == b;
    if (a->type.dtype != b->type.dtype || a->type.shape != b->type.shape) return false;
    if (a->producer()->has("wildcard") || b->producer()->has("wildcard")) return true;
    return intaglio::equal(Attribute(a->constant()), Attribute(b->constant()));
  }

  bool equal(const Node& a, const Node& b, std::size_t position) {
    if (a.op_name() != b.op_name()) return differ("node {} is {} and {}", position, a.op_name(), b.op_name());
    const int operands = std::max(a.operand_count(), b.operand_count());
    for (int i = 0; i < operands; ++i) {
      if (!same_value(a.operand(i), b.operand(i))) return differ("operand {} of node {} ({}) is another value", i, position, a.op_name());
    }
    if (!same_attributes(a, b)) return differ("node {} ({}) has other attributes", position, a.op_name());
    if (!a.region() != !b.region()) return differ("one of the nodes {} has a region", position);
    if (a.region() && !Comparer(why_).equal(*a.region(), *b.region())) return false;
    if (a.result_count() != b.result_count()) return differ("node {} has {} and {} results", position, a.result_count(), b.result_count());
    for (int i = 0; i < a.result_count(); ++i) {
      if (!same_type(*a.result(i), *b.result(i), fmt::format("result {} of node {} ({})", i, position, a.op_name()))) return false;
      twin_[a.result(i)] = b.result(i);
    }
    return true;
  }

  /// An attribute that is left out equals its default.
  static bool same_attributes(const Node& a, const Node& b) {
    const auto covered = [](const Node& x, const Node& y) {
      return std::ranges::all_of(x.attributes, [&](const auto& entry) {
        const Attribute* other = y.find(entry.first);
        return other && intaglio::equal(entry.second, *other);
      });
    };
    return covered(a, b) && covered(b, a);
  }

  std::string* why_;
  std::map<const Value*, const Value*> twin_;
};

}  // namespace

bool structurally_equal(const Graph& a, const Graph& b, std::string* why) { return Comparer(why).equal(a, b); }

}  // namespace intaglio
