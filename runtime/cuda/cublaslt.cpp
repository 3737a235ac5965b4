// See cublaslt.h.

#include "runtime/cuda/cublaslt.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include "runtime/cuda/library_symbols.h"

namespace intaglio::runtime::cuda {
namespace {

struct Loading {
  std::optional<CublasLt> functions;
  std::string why_not;
};

/// From the loader's path, or what the toolkit installs; from nowhere but the folder that INTAGLIO_CUBLASLT_PATH names, if it does.
void* open_library() {
  constexpr std::array kNames{"libcublasLt.so.13", "libcublasLt.so.12"};
  std::vector<std::string> folders{""};
  if (const char* home = std::getenv("CUDA_HOME")) folders.push_back(std::string(home) + "/lib64/");
  folders.push_back("/usr/local/cuda/lib64/");
  if (const char* given = std::getenv("INTAGLIO_CUBLASLT_PATH")) folders = {std::string(given) + "/"};
  for (const std::string& folder : folders) {
    for (const char* name : kNames) {
      if (void* library = dlopen((folder + name).c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    }
  }
  return nullptr;
}

Loading load() {
  void* library = open_library();
  if (!library) return {{}, "libcublasLt.so.13 cannot be opened (INTAGLIO_CUBLASLT_PATH may name its folder)"};
  CublasLt lt = {};
  LibrarySymbols symbols(library);
  symbols.find("cublasLtCreate", lt.create);
  symbols.find("cublasLtDestroy", lt.destroy);
  symbols.find("cublasLtMatmulDescCreate", lt.operation_create);
  symbols.find("cublasLtMatmulDescDestroy", lt.operation_destroy);
  symbols.find("cublasLtMatmulDescSetAttribute", lt.operation_set);
  symbols.find("cublasLtMatrixLayoutCreate", lt.layout_create);
  symbols.find("cublasLtMatrixLayoutDestroy", lt.layout_destroy);
  symbols.find("cublasLtMatrixLayoutSetAttribute", lt.layout_set);
  symbols.find("cublasLtMatmulPreferenceCreate", lt.preference_create);
  symbols.find("cublasLtMatmulPreferenceDestroy", lt.preference_destroy);
  symbols.find("cublasLtMatmulPreferenceSetAttribute", lt.preference_set);
  symbols.find("cublasLtMatmulAlgoGetHeuristic", lt.choose);
  symbols.find("cublasLtMatmul", lt.multiply);
  if (!symbols.missing().empty()) return {{}, fmt::format("the library has no {}", symbols.missing())};
  return {lt, {}};
}

void note_once(const std::string& why_not) {
  static std::atomic_flag noted;
  if (!noted.test_and_set()) std::fprintf(stderr, "note: cuBLASLt is not used, matrix products run as Intaglio's own kernels: %s\n", why_not.c_str());
}

}  // namespace

const CublasLt* find_cublaslt(std::string& why_not) {
  static const Loading loading = load();
  why_not = loading.why_not;
  return loading.functions ? &*loading.functions : nullptr;
}

std::unique_ptr<CublasLibrary> CublasLibrary::open() {
  std::string why_not;
  const CublasLt* functions = find_cublaslt(why_not);
  CublasHandle handle = nullptr;
  if (functions) {
    const CublasStatus status = functions->create(&handle);
    if (status == 0) return std::unique_ptr<CublasLibrary>(new CublasLibrary(*functions, handle));
    why_not = fmt::format("the library does not start (status {}); it may want a newer driver", status);
  }
  note_once(why_not);
  return nullptr;
}

CublasLibrary::~CublasLibrary() { functions_.destroy(handle_); }

}  // namespace intaglio::runtime::cuda
