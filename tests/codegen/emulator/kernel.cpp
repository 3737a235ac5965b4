// See kernel.h.
#include "tests/codegen/emulator/kernel.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <dlfcn.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <utility>
#include <vector>

#include "support/files.h"
#include "tests/codegen/emulator/cluster.h"

namespace intaglio::testing {
namespace {

namespace fs = std::filesystem;

/// Undefined behaviour that a GPU punishes becomes a trap: misaligned vectors, indices outside of arrays.
constexpr const char* kCompiler =
    INTAGLIO_CXX_COMPILER " -std=c++20 -O1 -shared -fPIC -fvisibility=hidden -fno-gnu-unique -fwrapv -fno-strict-aliasing -fno-math-errno -w "
                          "-nostdlib -fsanitize=alignment,bounds -fsanitize-undefined-trap-on-error -I" INTAGLIO_SOURCE_DIR;

/// What `extern __shared__ float tile[];` says: a pointer to where the block's dynamic shared memory begins.
std::string with_dynamic_shared(const std::string& source) {
  static const std::regex plain(R"(extern __shared__ (\w+) (\w+)\[\];)"), aligned(R"(extern __shared__ __align__\((\d+)\) (\w+) (\w+)\[\];)");
  const std::string text = std::regex_replace(source, aligned, "$2* const $3 = static_cast<$2*>(emulated::dynamic_shared($1));");
  return std::regex_replace(text, plain, "$1* const $2 = static_cast<$1*>(emulated::dynamic_shared(16));");
}

std::string full_source(const std::string& source, const std::string& name) {
  constexpr const char* kTail = R"(
extern "C" __global__ void emulated_launch(void** parameters) {{ emulated_call(&{}, parameters); }}
extern "C" __global__ char* emulated_shared_begin() {{ return __start_shared_memory; }}
extern "C" __global__ char* emulated_shared_end() {{ return __stop_shared_memory; }}
)";
  return "#include \"tests/codegen/emulator/device.h\"\n" + with_dynamic_shared(source) + fmt::format(kTail, name);
}

/// The library of a source: its name is the hash of all that it depends on, so that it is compiled once in a build folder.
fs::path compile(const std::string& source, const std::string& name) {
  static const std::string everything_else = [] {
    std::string text = kCompiler;
    for (const char* header : {"tests/codegen/emulator/device.h", "tests/codegen/emulator/device_asm.h", "tests/codegen/emulator/device_calls.h",
                               "codegen/cuda/prelude.cuh", "codegen/cuda/prelude_tile.cuh"}) {
      text += read_file(std::string(INTAGLIO_SOURCE_DIR "/") + header);
    }
    return text;
  }();
  const std::string text = full_source(source, name), key = everything_else + text;
  const fs::path folder = INTAGLIO_EMULATOR_DIR "/kernels";
  const fs::path library = folder / fmt::format("{:016x}.so", XXH3_64bits(key.data(), key.size()));
  if (fs::exists(library)) return library;
  fs::create_directories(folder);
  const fs::path part = folder / fmt::format("{}.{}", library.stem().string(), getpid());
  const std::string code = part.string() + ".cpp", log = part.string() + ".log", output = part.string() + ".so";
  write_file(code, [&](std::ostream& out) { out << text; });
  const std::string command = fmt::format("{} {} -o {} > {} 2>&1", kCompiler, code, output, log);
  if (std::system(command.c_str()) != 0) throw EmulationError(fmt::format("the C++ compiler rejects {}:\n{}", code, read_file(log)));
  fs::remove(code);
  fs::remove(log);
  fs::rename(output, library);
  return library;
}

template <typename F>
F symbol(void* library, const char* name) {
  return reinterpret_cast<F>(dlsym(library, name));
}

/// EmulatedLaunch::previous_ends, until it is called.
std::function<void()> previous_ends;

std::array<char, 120> fault_text;

/// A fault in a thread of the kernel ends that thread with an error; any other one is not ours.
void on_fault(int number, siginfo_t* info, void*) {
  if (!Block::is_running()) {
    signal(number, SIG_DFL);
    return;
  }
  if (number == SIGILL) Block::current().fail_in_handler("an index outside of an array, or an address that is not aligned as its type");
  const char* kind = previous_ends ? "before the kernel before this one has ended, or outside of all buffers" : "outside of all buffers";
  std::snprintf(fault_text.data(), fault_text.size(), "touches memory at %p, %s", info->si_addr, kind);
  Block::current().fail_in_handler(fault_text.data());
}

/// Handlers of faults while kernels run, on a stack of their own: the fiber's may be what overflowed.
class FaultHandlers {
 public:
  FaultHandlers() : stack_(64 << 10) {
    const stack_t ours = {stack_.data(), 0, stack_.size()};
    sigaltstack(&ours, &old_stack_);
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    // The handler may not return, so nothing would unblock the signal.
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &old_[i]);
  }
  ~FaultHandlers() {
    for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &old_[i], nullptr);
    sigaltstack(&old_stack_, nullptr);
  }

 private:
  static constexpr std::array kSignals{SIGSEGV, SIGBUS, SIGILL, SIGFPE};
  std::vector<char> stack_;
  stack_t old_stack_ = {};
  std::array<struct sigaction, kSignals.size()> old_ = {};
};

}  // namespace

namespace emulated {

void wait_for_previous_kernel() {
  if (const auto ends = std::exchange(previous_ends, {})) ends();
}

}  // namespace emulated

EmulatedKernel::EmulatedKernel(const std::string& source, const std::string& name) {
  static const std::regex cluster(R"(__cluster_dims__\((\d+)\))");
  if (std::smatch match; std::regex_search(source, match, cluster)) cluster_ = static_cast<unsigned>(std::stoul(match[1]));
  library_ = dlopen(compile(source, name).c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library_) throw EmulationError(fmt::format("{} cannot be loaded: {}", name, dlerror()));
}

EmulatedKernel::~EmulatedKernel() {
  if (library_) dlclose(library_);
}

void EmulatedKernel::launch(const EmulatedLaunch& launch, void** parameters) const {
  const auto bound = [&](const char* name) { return symbol<std::byte* (*)()>(library_, name)(); };
  const std::span<std::byte> declared(bound("emulated_shared_begin"), bound("emulated_shared_end"));
  // Declared arrays are one place in the compiled kernel.
  if (cluster_ > 1 && !declared.empty()) throw EmulationError("the emulator knows only dynamic shared memory in clusters");
  if (launch.blocks % cluster_ != 0) throw EmulationError(fmt::format("{} blocks are no whole clusters of {}", launch.blocks, cluster_));
  std::deque<SharedMemory> shared;
  for (unsigned i = 0; i < cluster_; ++i) shared.emplace_back(declared, launch.shared_bytes);
  const auto function = symbol<void (*)(void**)>(library_, "emulated_launch");
  const std::function<void()> kernel = [&] { function(parameters); };
  emulated::block_extent = {launch.threads, 1, 1};
  emulated::grid_extent = {launch.blocks, 1, 1};
  previous_ends = launch.previous_ends;
  const FaultHandlers handlers;
  for (unsigned i = 0; i < launch.blocks; i += cluster_) {
    const unsigned first = launch.backwards ? launch.blocks - cluster_ - i : i;
    Cluster(first, static_cast<int>(launch.threads), launch.backwards, shared, kernel).run();
  }
  if (previous_ends) throw EmulationError("the kernel starts early and never waits for the one before it");
}

}  // namespace intaglio::testing
