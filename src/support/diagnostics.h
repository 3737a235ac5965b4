// What goes wrong, said in one shape everywhere: where, what, what was expected, what was found, what to do.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace intaglio {

/// Exit codes of the command line, and the status of the C interface.
enum class ErrorCode : int {
  differs = 1,      ///< results differ from what was expected
  usage = 2,        ///< unknown flag or bad value
  invalid = 3,      ///< the model, input or artifact is invalid or not supported
  environment = 4,  ///< file, memory, device
  internal = 70,    ///< a bug of ours
};

/// One problem. `subject` is the file, or file and node: "model.onnx: node 'layer1/conv' (Conv, opset 13)". Empty fields are not printed.
struct Diagnostic {
  std::string subject;
  std::string message;
  std::string expected = {};
  std::string got = {};
  std::string help = {};
};

/// The text that the user sees:
///     error: model.onnx: node 'conv1' (Conv, opset 13): message
///       expected: ..
///       got:      ..
///       help:     ..
std::string to_text(const Diagnostic& diagnostic);

/// A problem that is not ours: one or more diagnostics and the exit code they lead to.
class CompileError : public std::runtime_error {
 public:
  CompileError(ErrorCode code, std::vector<Diagnostic> diagnostics);
  CompileError(ErrorCode code, Diagnostic diagnostic) : CompileError(code, std::vector{std::move(diagnostic)}) {}

  ErrorCode code() const { return code_; }
  const std::vector<Diagnostic>& diagnostics() const { return diagnostics_; }

 private:
  ErrorCode code_;
  std::vector<Diagnostic> diagnostics_;
};

/// A bug of ours: caught at the edge, printed with what to report, exit 70.
class InternalError : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

[[noreturn]] void internal_error(const char* file, int line, std::string message);

}  // namespace intaglio

/// Stops with InternalError unless `condition` holds. Always on: the compiler's speed is in what it generates.
#define internal_check(condition, ...)                                                                                  \
  do {                                                                                                                  \
    if (!(condition)) ::intaglio::internal_error(__FILE__, __LINE__, std::string(#condition " ") + fmt::format(__VA_ARGS__)); \
  } while (false)
