// Reads the text form of graphs; docs/ir.md has the grammar.

#include <algorithm>
#include <cctype>
#include <charconv>
#include <random>

#include "ir/graph.h"
#include "ir/op.h"
#include "support/diagnostics.h"
#include "support/elements.h"

namespace intaglio {
namespace {

/// Regions in regions: deeper is no graph of ours.
constexpr int kDeepestRegion = 16;
/// A constant written in a test: more elements than this are a mistake.
constexpr std::int64_t kMostElements = std::int64_t{1} << 28;

class Parser {
 public:
  Parser(std::string_view text, const std::string& source, const ConstantTable& constants) : text_(text), source_(source), constants_(constants) {}

  std::vector<std::unique_ptr<Graph>> parse() {
    std::vector<std::unique_ptr<Graph>> graphs;
    while (!at_end()) graphs.push_back(graph());
    if (graphs.empty()) fail("the text holds no graph", "graph @name(%x: f32[N]) -> f32[N] { .. }");
    return graphs;
  }

 private:
  using Names = std::map<std::string, Value*>;

  // --- characters ---

  [[noreturn]] void fail(std::string message, std::string expected = {}) const {
    const std::string_view before = text_.substr(0, at_);
    const auto line = 1 + std::ranges::count(before, '\n');
    const auto last_line = before.rfind('\n');
    const std::size_t column = last_line == std::string_view::npos ? at_ + 1 : at_ - last_line;
    std::string found(text_.substr(at_, std::min<std::size_t>(24, text_.find_first_of("\n", at_) - at_)));
    throw CompileError(ErrorCode::invalid, Diagnostic{fmt::format("{}:{}:{}", source_, line, column), std::move(message), std::move(expected),
                                                      found.empty() ? "the end of the line" : found});
  }

  void skip() {
    while (at_ < text_.size()) {
      if (std::isspace(static_cast<unsigned char>(text_[at_]))) {
        ++at_;
      } else if (text_[at_] == ';' || text_.substr(at_).starts_with("//")) {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else {
        return;
      }
    }
  }

  bool at_end() {
    skip();
    return at_ == text_.size();
  }

  bool peek(std::string_view token) {
    skip();
    return text_.substr(at_).starts_with(token);
  }

  bool take(std::string_view token) {
    if (!peek(token)) return false;
    at_ += token.size();
    return true;
  }

  void expect(std::string_view token) {
    if (!take(token)) fail(fmt::format("'{}' is missing", token), std::string(token));
  }

  std::string quoted() {
    expect("\"");
    std::string result;
    for (; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size()) {
        ++at_;
        result += text_[at_] == 'n' ? '\n' : text_[at_];
      } else {
        result += text_[at_];
      }
    }
    if (at_ == text_.size()) fail("a string has no end", "\"");
    ++at_;
    return result;
  }

  std::string word() {
    if (peek("\"")) return quoted();
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_' || text_[at_] == '.')) ++at_;
    if (at_ == begin) fail("a name is missing", "a name");
    return std::string(text_.substr(begin, at_ - begin));
  }

  /// Text up to a delimiter outside of parentheses.
  std::string_view until(std::string_view delimiters) {
    skip();
    const std::size_t begin = at_;
    int depth = 0;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (depth == 0 && delimiters.find(c) != std::string_view::npos) break;
      if (c == '(') ++depth;
      if (c == ')') --depth;
    }
    return text_.substr(begin, at_ - begin);
  }

  // --- numbers, dims, types ---

  double real() {
    const std::string text(until(",]}) \n"));
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    if (text.empty() || *end) fail("a number is missing", "a number");
    return value;
  }

  std::int64_t integer() {
    const std::string_view text = until(",]}) \n");
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) fail("an integer is missing", "an integer");
    return value;
  }

  Dim dim(std::string_view delimiters) {
    const std::size_t begin = at_;
    const auto value = parse_dim(until(delimiters));
    if (!value) {
      at_ = begin;
      fail("this is no dimension", "an integer, a symbol or an expression such as 2*S+1 or floordiv(H,2)");
    }
    return *value;
  }

  template <typename F>
  auto list(F element) {
    std::vector<decltype(element())> values;
    expect("[");
    if (take("]")) return values;
    do values.push_back(element());
    while (take(","));
    expect("]");
    return values;
  }

  DType dtype() {
    const std::string name = word();
    const auto value = parse_dtype(name);
    if (!value) fail(fmt::format("'{}' is no element type", name), "f32, i64, bool ..");
    return *value;
  }

  Type type() {
    Type result;
    result.dtype = dtype();
    result.shape = list([&] { return dim(",]"); });
    if (at_ < text_.size() && text_[at_] == '{') {  // a layout stands directly after the bracket
      ++at_;
      do result.layout.push_back(static_cast<int>(integer()));
      while (take(","));
      expect("}");
      Layout sorted = result.layout;
      std::ranges::sort(sorted);
      for (int i = 0; i < static_cast<int>(sorted.size()); ++i) {
        if (sorted.size() != result.shape.size() || sorted[i] != i) fail("the layout is no order of the dimensions");
      }
    }
    return result;
  }

  Attribute attribute(const AttributeSpec& spec) {
    switch (spec.kind) {
      case AttributeKind::integer: return integer();
      case AttributeKind::real: return real();
      case AttributeKind::string: return quoted();
      case AttributeKind::dtype: return dtype();
      case AttributeKind::integers: return list([&] { return integer(); });
      case AttributeKind::reals: return list([&] { return real(); });
      case AttributeKind::dims: return Shape(list([&] { return dim(",]"); }));
      case AttributeKind::tensor: break;
    }
    fail("a tensor stands only after const");
  }

  // --- constants ---

  /// What stands between `const` and the type; the tensor is made when the type is known.
  struct ConstantText {
    std::vector<std::string> elements;
    std::string reference;
    bool wildcard = false;
    bool random = false;
    std::uint32_t seed = 0;
    double low = -1, high = 1;
  };

  ConstantText constant_text() {
    ConstantText result;
    if (take("_")) {
      result.wildcard = true;
    } else if (take("#")) {
      result.reference = word();
    } else if (take("random")) {
      result.random = true;
      expect("(");
      while (!take(")")) {
        const std::string key = word();
        expect("=");
        if (key == "seed") {
          result.seed = static_cast<std::uint32_t>(integer());
        } else if (key == "min") {
          result.low = real();
        } else if (key == "max") {
          result.high = real();
        } else {
          fail(fmt::format("random has no parameter '{}'", key), "seed, min or max");
        }
        take(",");
      }
    } else {
      result.elements = list([&] { return std::string(until(",] \n")); });
    }
    return result;
  }

  Tensor tensor(const ConstantText& text, const Type& type) {
    if (!is_static(type.shape)) fail("a constant has a static shape");
    std::int64_t count = 1;
    for (std::int64_t extent : static_extents(type.shape)) {
      if (extent < 0 || (extent > 0 && count > kMostElements / extent)) fail("the constant is too large");
      count *= extent;
    }
    if (dtype_bits(type.dtype) == 0 || type.dtype == DType::c64 || type.dtype == DType::c128) fail("constants of this type have no text");
    if (!text.reference.empty()) {
      const auto found = constants_.find(text.reference);
      if (found == constants_.end()) fail(fmt::format("constant #{} is not given", text.reference), "a constant that stands beside the text");
      if (found->second.dtype() != type.dtype || found->second.shape() != static_extents(type.shape)) fail("the constant is of another type");
      return found->second;
    }
    Tensor result(type.dtype, static_extents(type.shape));
    if (text.random) {
      std::mt19937 random(text.seed);
      for (std::int64_t i = 0; i < result.elements(); ++i) set_real(result, i, text.low + (text.high - text.low) * (random() / 4294967296.0));
    } else if (!text.wildcard) {
      if (static_cast<std::int64_t>(text.elements.size()) != result.elements()) {
        fail(fmt::format("the constant has {} elements", text.elements.size()), fmt::format("{}", result.elements()));
      }
      for (std::int64_t i = 0; i < result.elements(); ++i) set_element(result, i, text.elements[static_cast<std::size_t>(i)]);
    }
    return result;
  }

  void set_element(Tensor& into, std::int64_t i, const std::string& text) {
    char* end = nullptr;
    if (is_float(into.dtype())) {
      set_real(into, i, std::strtod(text.c_str(), &end));
    } else if (into.dtype() == DType::u64) {
      set_integer(into, i, static_cast<std::int64_t>(std::strtoull(text.c_str(), &end, 10)));
    } else {
      set_integer(into, i, std::strtoll(text.c_str(), &end, 10));
    }
    if (text.empty() || *end) fail(fmt::format("'{}' is no number", text), "a number");
  }

  // --- graphs ---

  Value* use(const Names& names) {
    const std::string name = word();
    const auto found = names.find(name);
    if (found == names.end()) fail(fmt::format("%{} is not defined before it is used", name));
    return found->second;
  }

  void define(Names& names, const std::string& name, Value* value) {
    if (!names.emplace(name, value).second) fail(fmt::format("%{} is defined twice", name));
    // Numbers are what the printer gives to values without a name.
    if (!std::ranges::all_of(name, [](unsigned char c) { return std::isdigit(c) != 0; })) value->name = name;
  }

  std::unique_ptr<Graph> graph() {
    if (++depth_ > kDeepestRegion) fail("regions are nested too deeply");
    expect("graph");
    expect("@");
    auto result = std::make_unique<Graph>(word());
    Names names;
    expect("(");
    while (!take(")")) {
      expect("%");
      const std::string name = word();
      expect(":");
      define(names, name, result->add_argument(type(), ""));
      if (!peek(")")) expect(",");
    }
    expect("->");
    std::vector<Type> declared;
    if (take("(")) {
      while (!take(")")) {
        declared.push_back(type());
        if (!peek(")")) expect(",");
      }
    } else {
      declared.push_back(type());
    }
    expect("{");
    while (take("require")) equation(*result);
    while (!take("return")) node(*result, names);
    do {
      if (!peek("%")) break;
      expect("%");
      Value* value = use(names);
      result->add_result(value, take("as") ? quoted() : "");
    } while (take(","));
    expect("}");
    check_results(*result, declared);
    --depth_;
    return result;
  }

  void check_results(const Graph& result, const std::vector<Type>& declared) {
    bool same = declared.size() == result.results().size();
    for (std::size_t i = 0; same && i < declared.size(); ++i) same = to_text(declared[i]) == to_text(result.results()[i]->type);
    if (!same) fail(fmt::format("graph @{} returns other types than it declares", result.name));
  }

  void equation(Graph& into) {
    skip();
    const std::size_t equals = text_.find("==", at_);
    if (equals == std::string_view::npos) fail("'==' is missing");
    const auto left = parse_dim(text_.substr(at_, equals - at_));
    at_ = equals + 2;
    const auto right = parse_dim(until("\"\n"));
    if (!left || !right) fail("this is no equation of dimensions");
    into.equations.push_back({*left, *right, quoted()});
  }

  void node(Graph& into, Names& names) {
    std::vector<std::string> results;
    do {
      expect("%");
      results.push_back(word());
    } while (take(","));
    expect("=");
    const std::string op = word();
    const OpRecord* record = find_op(op);
    if (!record) fail(fmt::format("no operator is named '{}'", op));
    std::vector<Value*> operands;
    Attributes attributes;
    ConstantText constant;
    if (op == "const") {
      constant = constant_text();
    } else {
      operands = operand_list(names);
      if (take("{")) attributes = attribute_list(*record);
    }
    expect(":");
    std::vector<Type> types{type()};
    while (take(",")) types.push_back(type());
    if (types.size() != results.size()) fail("results and types are not one to one");
    if (op == "const") {
      attributes["value"] = tensor(constant, types[0]);
      if (constant.wildcard) attributes["wildcard"] = std::int64_t{1};
    }
    Node* made = nullptr;
    if (take("with")) {
      made = into.add_node_typed(op, std::move(operands), std::move(attributes), types, graph());
    } else {
      made = infer(into, op, operands, std::move(attributes), types);
    }
    for (std::size_t i = 0; i < results.size(); ++i) {
      made->result(static_cast<int>(i))->type.layout = types[i].is_row_major() ? Layout{} : types[i].layout;
      define(names, results[i], made->result(static_cast<int>(i)));
    }
  }

  Node* infer(Graph& into, const std::string& op, const std::vector<Value*>& operands, Attributes attributes, const std::vector<Type>& types) {
    const auto count = static_cast<int>(operands.size());
    const OpRecord& record = *find_op(op);
    if (count < record.min_operands || (record.max_operands >= 0 && count > record.max_operands)) fail(fmt::format("{} has another number of operands", op));
    Node* made = nullptr;
    try {
      made = into.add_node(op, operands, std::move(attributes));
    } catch (const CompileError& error) {
      Diagnostic diagnostic = error.diagnostics().front();
      fail(diagnostic.message, diagnostic.expected);
    }
    if (made->result_count() != static_cast<int>(types.size())) fail(fmt::format("{} has another number of results", op));
    for (std::size_t i = 0; i < types.size(); ++i) {
      Type& inferred = made->result(static_cast<int>(i))->type;
      if (inferred.dtype != types[i].dtype || inferred.shape != types[i].shape) {
        fail(fmt::format("the result of {} is of another type", op), to_text(inferred));
      }
    }
    return made;
  }

  std::vector<Value*> operand_list(const Names& names) {
    std::vector<Value*> operands;
    expect("(");
    while (!take(")")) {
      if (take("%")) {
        operands.push_back(use(names));
      } else {
        expect("_");
        operands.push_back(nullptr);
      }
      if (!peek(")")) expect(",");
    }
    return operands;
  }

  Attributes attribute_list(const OpRecord& record) {
    Attributes attributes;
    while (!take("}")) {
      const std::string key = word();
      const auto spec = std::ranges::find(record.attributes, key, &AttributeSpec::name);
      if (spec == record.attributes.end()) fail(fmt::format("{} has no attribute '{}'", record.name, key));
      expect("=");
      attributes.insert_or_assign(key, attribute(*spec));
      if (!peek("}")) expect(",");
    }
    return attributes;
  }

  std::string_view text_;
  const std::string& source_;
  const ConstantTable& constants_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::vector<std::unique_ptr<Graph>> parse_graphs(std::string_view text, const std::string& source, const ConstantTable& constants) {
  return Parser(text, source, constants).parse();
}

}  // namespace intaglio
