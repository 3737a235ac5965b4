// See driver.h.

#include "runtime/cuda/driver.h"

#include <dlfcn.h>

#include <optional>

#include "runtime/cuda/library_symbols.h"
#include "support/diagnostics.h"

namespace intaglio::runtime::cuda {
namespace {

struct Loading {
  std::optional<Driver> driver;
  std::string why_not;
};

std::string fill(void* library, Driver& d) {
  LibrarySymbols symbols(library);
  symbols.find("cuInit", d.init);
  symbols.find("cuGetErrorName", d.get_error_name);
  symbols.find("cuGetErrorString", d.get_error_string);
  symbols.find("cuDeviceGetCount", d.device_count);
  symbols.find("cuDeviceGet", d.device_get);
  symbols.find("cuDeviceGetName", d.device_name);
  symbols.find("cuDeviceGetAttribute", d.device_attribute);
  symbols.find("cuDevicePrimaryCtxRetain", d.primary_retain);
  symbols.find("cuDevicePrimaryCtxRelease_v2", d.primary_release);
  symbols.find("cuCtxPushCurrent_v2", d.context_push);
  symbols.find("cuCtxPopCurrent_v2", d.context_pop);
  symbols.find("cuMemGetInfo_v2", d.memory_info);
  symbols.find("cuMemAlloc_v2", d.memory_alloc);
  symbols.find("cuMemFree_v2", d.memory_free);
  symbols.find("cuMemHostAlloc", d.host_alloc);
  symbols.find("cuMemFreeHost", d.host_free);
  symbols.find("cuMemcpyHtoD_v2", d.copy_to_device);
  symbols.find("cuMemcpyHtoDAsync_v2", d.copy_to_device_async);
  symbols.find("cuMemcpyDtoHAsync_v2", d.copy_to_host_async);
  symbols.find("cuMemcpyDtoDAsync_v2", d.copy_on_device_async);
  symbols.find("cuMemsetD8Async", d.fill_async);
  symbols.find("cuModuleLoadDataEx", d.module_load);
  symbols.find("cuModuleUnload", d.module_unload);
  symbols.find("cuModuleGetFunction", d.module_function);
  symbols.find("cuFuncSetAttribute", d.function_set_attribute);
  symbols.find("cuLaunchKernelEx", d.launch);
  symbols.find("cuTensorMapEncodeTiled", d.encode_tiled);
  symbols.find("cuTensorMapEncodeIm2col", d.encode_im2col);
  symbols.find("cuStreamCreate", d.stream_create);
  symbols.find("cuStreamDestroy_v2", d.stream_destroy);
  symbols.find("cuStreamSynchronize", d.stream_synchronize);
  symbols.find("cuStreamBeginCapture_v2", d.capture_begin);
  symbols.find("cuStreamEndCapture", d.capture_end);
  symbols.find("cuGraphInstantiateWithFlags", d.graph_instantiate);
  symbols.find("cuGraphLaunch", d.graph_launch);
  symbols.find("cuGraphDestroy", d.graph_destroy);
  symbols.find("cuGraphExecDestroy", d.graph_exec_destroy);
  symbols.find("cuEventCreate", d.event_create);
  symbols.find("cuEventDestroy_v2", d.event_destroy);
  symbols.find("cuEventRecord", d.event_record);
  symbols.find("cuEventRecordWithFlags", d.event_record_with_flags);
  symbols.find("cuEventElapsedTime", d.event_elapsed_ms);
  return symbols.missing();
}

Loading load() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) return {{}, "libcuda.so.1, the NVIDIA driver's library, cannot be opened"};
  Driver driver = {};
  if (const std::string missing = fill(library, driver); !missing.empty())
    return {{}, fmt::format("the NVIDIA driver is too old: it has no {}", missing)};
  if (const CUresult result = driver.init(0)) {
    const char* text = "an unknown error";
    driver.get_error_string(result, &text);
    return {{}, fmt::format("the NVIDIA driver does not start: {}", text)};
  }
  return {driver, {}};
}

const Loading& loading() {
  // Never destroyed: models that live until the process ends still need it.
  static const Loading& once = *new Loading(load());
  return once;
}

}  // namespace

const Driver* find_driver(std::string& why_not) {
  why_not = loading().why_not;
  return loading().driver ? &*loading().driver : nullptr;
}

const Driver& driver() {
  internal_check(loading().driver.has_value(), "a CUDA call without a driver");
  return *loading().driver;
}

void check(CUresult result, const std::string& what) {
  if (result == 0) return;
  const char *name = "CUDA_ERROR_UNKNOWN", *text = "an unknown error";
  driver().get_error_name(result, &name);
  driver().get_error_string(result, &text);
  const std::string help = result == kErrorOutOfMemory ? "close what else uses the GPU, or run smaller batches" : "";
  throw CompileError(ErrorCode::environment, Diagnostic{"cuda", fmt::format("{}: {} ({})", what, text, name), "", "", help});
}

CurrentContext::CurrentContext(CUcontext context) { check(driver().context_push(context), "the GPU's context cannot be made current"); }

CurrentContext::CurrentContext(CUcontext context, std::nothrow_t) noexcept : is_current_(driver().context_push(context) == 0) {}

CurrentContext::~CurrentContext() {
  if (!is_current_) return;
  CUcontext popped = nullptr;
  driver().context_pop(&popped);
}

}  // namespace intaglio::runtime::cuda
