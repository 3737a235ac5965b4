// LLD as a library: its state is global, so one link runs at a time.

#include "codegen/cpu/link.h"

#include <lld/Common/Driver.h>
#include <llvm/Support/raw_ostream.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <mutex>

#include "support/diagnostics.h"
#include "support/temporary_folder.h"

LLD_HAS_DRIVER(elf)

namespace intaglio::cpu {
namespace {

void write(const std::filesystem::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  if (!file) throw CompileError(ErrorCode::environment, Diagnostic{path.string(), "the file cannot be written", "", "", "is the disk full? TMPDIR moves temporary files"});
}

}  // namespace

std::string link_shared_library(const std::vector<std::string>& objects) {
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  const TemporaryFolder folder;
  // File names reach the output: they must not vary.
  std::vector<std::string> arguments{"ld.lld", "-shared", "--no-undefined", "--gc-sections", "--hash-style=gnu", "--build-id=none", "-z", "noexecstack",
                                     "-soname", "kernels", "--strip-all"};
  for (std::size_t i = 0; i < objects.size(); ++i) {
    const auto path = folder.path() / fmt::format("{}.o", i);
    write(path, objects[i]);
    arguments.push_back(path.string());
  }
  const std::string output = (folder.path() / "kernels.so").string();
  arguments.insert(arguments.end(), {"-o", output});
  std::vector<const char*> pointers;
  for (const std::string& argument : arguments) pointers.push_back(argument.c_str());
  std::string problem;
  llvm::raw_string_ostream errors(problem);
  const lld::Result result = lld::lldMain(pointers, llvm::nulls(), errors, {{lld::Gnu, &lld::elf::link}});
  internal_check(result.retCode == 0, "linking failed: {}", problem);
  std::ifstream file(output, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace intaglio::cpu
