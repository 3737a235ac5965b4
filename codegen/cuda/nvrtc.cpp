// See nvrtc.h.

#include "codegen/cuda/nvrtc.h"

#include <dlfcn.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "support/diagnostics.h"

namespace intaglio::cuda {
namespace {

// The part of nvrtc.h that is used here (its functions keep their meaning over versions).
using NvrtcProgram = void*;
using NvrtcResult = int;

struct Nvrtc {
  NvrtcResult (*version)(int* major, int* minor);
  NvrtcResult (*create_program)(NvrtcProgram*, const char* source, const char* name, int headers, const char* const* header_sources, const char* const* header_names);
  NvrtcResult (*destroy_program)(NvrtcProgram*);
  NvrtcResult (*compile_program)(NvrtcProgram, int options, const char* const* option_texts);
  NvrtcResult (*get_ptx_size)(NvrtcProgram, std::size_t*);
  NvrtcResult (*get_ptx)(NvrtcProgram, char*);
  NvrtcResult (*get_cubin_size)(NvrtcProgram, std::size_t*);
  NvrtcResult (*get_cubin)(NvrtcProgram, char*);
  NvrtcResult (*get_program_log_size)(NvrtcProgram, std::size_t*);
  NvrtcResult (*get_program_log)(NvrtcProgram, char*);
  const char* (*get_error_string)(NvrtcResult);
};

/// Where the library may be: the loader's path, then what the toolkit installs; nowhere but in the folder that INTAGLIO_NVRTC_PATH names, if it does.
std::vector<std::string> candidates() {
  constexpr std::array kNames{"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"};
  std::vector<std::string> folders{""};
  for (const char* variable : {"CUDA_HOME", "CUDA_PATH"}) {
    if (const char* home = std::getenv(variable)) folders.push_back(std::string(home) + "/lib64/");
  }
  folders.push_back("/usr/local/cuda/lib64/");
  if (const char* given = std::getenv("INTAGLIO_NVRTC_PATH")) folders = {std::string(given) + "/"};
  std::vector<std::string> paths;
  for (const std::string& folder : folders) {
    for (const char* name : kNames) paths.push_back(folder + name);
  }
  return paths;
}

template <typename F>
void find(void* library, const char* name, F& function) {
  function = reinterpret_cast<F>(dlsym(library, name));
  if (!function) throw CompileError(ErrorCode::environment, Diagnostic{"NVRTC", fmt::format("the library has no {}", name), "CUDA 12 or newer", "", "install a newer CUDA Toolkit"});
}

Nvrtc load() {
  void* library = nullptr;
  std::string problem;
  for (const std::string& path : candidates()) {
    library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library) break;
    // Of those that are not there the loader says nothing that helps.
    if (problem.empty() && std::filesystem::exists(path)) problem = dlerror();
  }
  if (!library) {
    throw CompileError(ErrorCode::environment, Diagnostic{"--target cuda", problem.empty() ? "NVRTC, which compiles the kernels, was not found" : "NVRTC, which compiles the kernels, cannot be loaded",
                                                          "libnvrtc.so.13 or libnvrtc.so.12", problem,
                                                          "install the CUDA Toolkit or `pip install nvidia-cuda-nvrtc`, and set INTAGLIO_NVRTC_PATH to the folder of libnvrtc.so; no GPU is needed"});
  }
  Nvrtc nvrtc = {};
  find(library, "nvrtcVersion", nvrtc.version);
  find(library, "nvrtcCreateProgram", nvrtc.create_program);
  find(library, "nvrtcDestroyProgram", nvrtc.destroy_program);
  find(library, "nvrtcCompileProgram", nvrtc.compile_program);
  find(library, "nvrtcGetPTXSize", nvrtc.get_ptx_size);
  find(library, "nvrtcGetPTX", nvrtc.get_ptx);
  find(library, "nvrtcGetCUBINSize", nvrtc.get_cubin_size);
  find(library, "nvrtcGetCUBIN", nvrtc.get_cubin);
  find(library, "nvrtcGetProgramLogSize", nvrtc.get_program_log_size);
  find(library, "nvrtcGetProgramLog", nvrtc.get_program_log);
  find(library, "nvrtcGetErrorString", nvrtc.get_error_string);
  return nvrtc;
}

const Nvrtc& nvrtc() {
  static const Nvrtc loaded = load();
  return loaded;
}

void check(NvrtcResult result, const char* what) { internal_check(result == 0, "NVRTC: {}: {}", what, nvrtc().get_error_string(result)); }

/// A program that is destroyed with its scope.
struct Program {
  NvrtcProgram handle = nullptr;
  ~Program() {
    if (handle) nvrtc().destroy_program(&handle);
  }
};

}  // namespace

CudaTarget resolve_arch(const std::string& arch) {
  if (arch == "sm_90a" || arch == "ptx") return {arch};
  throw CompileError(ErrorCode::usage, Diagnostic{"--arch", "this GPU architecture is not known", "sm_90a (Hopper) or ptx (any GPU from compute capability 8.0 on)", arch});
}

std::string compile_cuda(const std::string& source, const std::string& name, const CudaTarget& target) {
  const Nvrtc& api = nvrtc();
  Program program;
  check(api.create_program(&program.handle, source.c_str(), (name + ".cu").c_str(), 0, nullptr, nullptr), "create a program");
  const std::string arch = target.is_ptx() ? "--gpu-architecture=compute_80" : "--gpu-architecture=" + target.arch;
  const std::array options{arch.c_str(), "--std=c++17"};
  const NvrtcResult result = api.compile_program(program.handle, static_cast<int>(options.size()), options.data());
  if (result != 0) {
    std::size_t size = 0;
    api.get_program_log_size(program.handle, &size);
    std::string log(size, '\0');
    api.get_program_log(program.handle, log.data());
    internal_check(false, "NVRTC rejects kernel {}: {}\n{}", name, api.get_error_string(result), log);
  }
  std::size_t size = 0;
  std::string code;
  if (target.is_ptx()) {
    check(api.get_ptx_size(program.handle, &size), "size of PTX");
    code.resize(size);
    check(api.get_ptx(program.handle, code.data()), "PTX");
    code.resize(code.find('\0'));  // the size counts the zero byte
  } else {
    check(api.get_cubin_size(program.handle, &size), "size of the cubin");
    code.resize(size);
    check(api.get_cubin(program.handle, code.data()), "cubin");
  }
  return code;
}

std::string nvrtc_version() {
  int major = 0, minor = 0;
  check(nvrtc().version(&major, &minor), "version");
  return fmt::format("{}.{}", major, minor);
}

}  // namespace intaglio::cuda
