// The command line: one binary, subcommands, exit codes. Errors of any kind end here as a sentence.

#include <CLI/CLI.hpp>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <new>
#include <system_error>

#include "intaglio/runtime.hpp"
#include "support/diagnostics.h"
#include "tools/commands.h"

namespace {

int report(const char* text, int code) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", text);
  return code;
}

/// `code`, unless the results that were printed did not arrive.
int finish(int code) {
  errno = 0;
  if (std::fflush(stdout) == 0 && !std::ferror(stdout)) return code;
  const intaglio::Diagnostic lost{"stdout", std::string("the results cannot be written: ") + std::strerror(errno ? errno : EIO), "", "", "the disk or device may be full"};
  return report(intaglio::to_text(lost).c_str(), static_cast<int>(intaglio::ErrorCode::environment));
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Intaglio compiles ONNX models to artifacts that a small runtime runs."};
  app.require_subcommand(0, 1);
  app.set_version_flag("--version", "intaglio 0.1.0");
  app.footer("Example: intaglio compile model.onnx -o model.tar && intaglio run model.tar --input data.npy");
  int exit_code = 0;
  intaglio::add_compile(app);
  intaglio::add_run(app, exit_code);
  intaglio::add_bench(app);
  intaglio::add_inspect(app);
  intaglio::add_opt(app);
  try {
    app.parse(argc, argv);
    // Asked for here and not of the parser, which would not name a subcommand that does not exist.
    if (app.get_subcommands().empty()) throw CLI::RequiredError("A subcommand");
  } catch (const CLI::Success& success) {
    return app.exit(success);
  } catch (const CLI::ParseError& error) {
    const std::string text = intaglio::to_text({"", error.what(), "", "", "intaglio --help, or intaglio SUBCOMMAND --help, lists what there is"});
    return report(text.c_str(), static_cast<int>(intaglio::ErrorCode::usage));
  } catch (const intaglio::CompileError& error) {
    return report(error.what(), static_cast<int>(error.code()));
  } catch (const intaglio::RuntimeError& error) {
    return report(error.what(), static_cast<int>(error.status()));
  } catch (const std::bad_alloc&) {
    return report("error: out of memory", static_cast<int>(intaglio::ErrorCode::environment));
  } catch (const std::system_error& error) {
    return report(intaglio::to_text({"", error.what()}).c_str(), static_cast<int>(intaglio::ErrorCode::environment));
  } catch (const std::exception& error) {
    const std::string text = intaglio::to_text({"internal", error.what(), "", "", "this is a bug of Intaglio: please report the command and the model"});
    return report(text.c_str(), static_cast<int>(intaglio::ErrorCode::internal));
  }
  return finish(exit_code);
}
