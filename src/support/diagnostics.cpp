// The one shape of every message.

#include "support/diagnostics.h"

namespace intaglio {
namespace {

void append_field(std::string& text, std::string_view name, const std::string& value) {
  if (!value.empty()) text += fmt::format("\n  {:<9} {}", fmt::format("{}:", name), value);
}

std::string joined_text(const std::vector<Diagnostic>& diagnostics) {
  std::string text;
  for (const Diagnostic& diagnostic : diagnostics) {
    if (!text.empty()) text += '\n';
    text += to_text(diagnostic);
  }
  return text;
}

}  // namespace

std::string to_text(const Diagnostic& diagnostic) {
  std::string text = "error: ";
  if (!diagnostic.subject.empty()) text += diagnostic.subject + ": ";
  text += diagnostic.message;
  append_field(text, "expected", diagnostic.expected);
  append_field(text, "got", diagnostic.got);
  append_field(text, "help", diagnostic.help);
  return text;
}

CompileError::CompileError(ErrorCode code, std::vector<Diagnostic> diagnostics)
    : std::runtime_error(joined_text(diagnostics)), code_(code), diagnostics_(std::move(diagnostics)) {}

void internal_error(const char* file, int line, std::string message) { throw InternalError(fmt::format("{}:{}: {}", file, line, message)); }

}  // namespace intaglio
