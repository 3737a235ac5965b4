// Reads the text of a dimension: sums, products, names, functions of two operands.

#include <cctype>
#include <charconv>

#include "ir/dim.h"

namespace intaglio {
namespace {

class DimParser {
 public:
  explicit DimParser(std::string_view text) : text_(text) {}

  std::optional<Dim> parse() {
    auto result = sum();
    skip_spaces();
    if (at_ != text_.size()) return std::nullopt;
    return result;
  }

 private:
  static constexpr int kDeepest = 100;

  void skip_spaces() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  bool take(char c) {
    skip_spaces();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  std::optional<Dim> sum() {
    if (++depth_ > kDeepest) return std::nullopt;
    Dim result;
    bool negative = take('-');
    while (true) {
      const auto term = product();
      if (!term) return std::nullopt;
      result = negative ? result - *term : result + *term;
      if (take('+')) {
        negative = false;
      } else if (take('-')) {
        negative = true;
      } else {
        --depth_;
        return result;
      }
    }
  }

  std::optional<Dim> product() {
    auto result = factor();
    while (result && take('*')) {
      const auto next = factor();
      if (!next) return std::nullopt;
      result = *result * *next;
    }
    return result;
  }

  std::optional<Dim> factor() {
    skip_spaces();
    if (take('(')) {
      auto inner = sum();
      return take(')') ? inner : std::nullopt;
    }
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (error == std::errc() && end != text_.data() + at_ && text_[at_] != '-') {
      at_ = static_cast<std::size_t>(end - text_.data());
      return Dim(number);
    }
    const std::string name = identifier();
    if (name.empty()) return std::nullopt;
    if (!take('(')) return Dim::symbol(name);
    const auto a = sum();
    if (!a || !take(',')) return std::nullopt;
    const auto b = sum();
    if (!b || !take(')')) return std::nullopt;
    return call(name, *a, *b);
  }

  static std::optional<Dim> call(const std::string& name, const Dim& a, const Dim& b) {
    const bool divides = name == "floordiv" || name == "ceildiv" || name == "mod";
    if (divides && b == Dim(0)) return std::nullopt;
    if (name == "floordiv") return Dim::floordiv(a, b);
    if (name == "ceildiv") return Dim::ceildiv(a, b);
    if (name == "mod") return Dim::mod(a, b);
    if (name == "min") return Dim::min(a, b);
    if (name == "max") return Dim::max(a, b);
    if (name == "bcast") return Dim::bcast(a, b);
    return std::nullopt;
  }

  std::string identifier() {
    const std::size_t begin = at_;
    const auto is_name = [&](char c) {
      return std::isalpha(static_cast<unsigned char>(c)) || c == '_' || (at_ > begin && (std::isdigit(static_cast<unsigned char>(c)) || c == '.'));
    };
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::optional<Dim> parse_dim(std::string_view text) { return DimParser(text).parse(); }

}  // namespace intaglio
