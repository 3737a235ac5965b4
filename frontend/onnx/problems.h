// Gathers the problems of one model, so that a user sees all of them at once.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/diagnostics.h"

namespace intaglio {

class Problems {
 public:
  explicit Problems(std::string file) : file_(std::move(file)) {}

  const std::string& file() const { return file_; }
  bool empty() const { return diagnostics_.empty(); }

  /// Notes a problem of the file as a whole.
  void add(std::string message, std::string expected = {}, std::string got = {}, std::string help = {}) {
    diagnostics_.push_back({file_, std::move(message), std::move(expected), std::move(got), std::move(help)});
  }
  /// Notes a problem of a part of it: "node 'conv1' (Conv, opset 13)", "input 'x'".
  void add_at(const std::string& part, Diagnostic problem) {
    problem.subject = file_ + ": " + part;
    diagnostics_.push_back(std::move(problem));
  }
  /// Notes what an import function or type inference threw.
  void add_at(const std::string& part, const CompileError& error) {
    for (const Diagnostic& problem : error.diagnostics()) add_at(part, problem);
  }

  /// Throws what was gathered, if anything was.
  void throw_if_any() const {
    if (!diagnostics_.empty()) throw CompileError(ErrorCode::invalid, diagnostics_);
  }

 private:
  std::string file_;
  std::vector<Diagnostic> diagnostics_;
};

}  // namespace intaglio
