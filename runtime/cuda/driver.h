// The CUDA driver, opened when first needed: an artifact for the CPU runs where no CUDA is installed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <new>
#include <string>

namespace intaglio::runtime::cuda {

// Of cuda.h what is used here; these types and numbers are part of the driver's stable binary interface.
using CUresult = int;
using CUdevice = int;
using CUdeviceptr = std::uint64_t;
using CUcontext = struct CUctx_st*;
using CUmodule = struct CUmod_st*;
using CUfunction = struct CUfunc_st*;
using CUstream = struct CUstream_st*;
using CUevent = struct CUevent_st*;
using CUgraph = struct CUgraph_st*;
using CUgraphExec = struct CUgraphExec_st*;
struct alignas(64) CUtensorMap {
  std::uint64_t opaque[16];
};
struct CUlaunchAttribute {
  int id;
  alignas(8) int value[16];
};
struct CUlaunchConfig {
  unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared_bytes;
  CUstream stream;
  CUlaunchAttribute* attributes;
  unsigned attribute_count;
};

enum : int {
  kErrorOutOfMemory = 2,
  kClockKilohertz = 13,  // CUdevice_attribute
  kMultiprocessors = 16,
  kMemoryClockKilohertz = 36,
  kMemoryBusBits = 37,
  kComputeCapabilityMajor = 75,
  kComputeCapabilityMinor = 76,
  kMaxDynamicSharedBytes = 8,  // CUfunction_attribute
  kStreamNonBlocking = 1,
  kCaptureThreadLocal = 1,
  kEventRecordExternal = 1,
  kJitErrorLog = 5,  // CUjit_option
  kJitErrorLogBytes = 6,
  kProgrammaticStreamSerialization = 6,  // CUlaunchAttributeID
};

struct Driver {
  CUresult (*init)(unsigned flags);
  CUresult (*get_error_name)(CUresult, const char** text);
  CUresult (*get_error_string)(CUresult, const char** text);
  CUresult (*device_count)(int* count);
  CUresult (*device_get)(CUdevice*, int ordinal);
  CUresult (*device_name)(char* name, int length, CUdevice);
  CUresult (*device_attribute)(int* value, int attribute, CUdevice);
  CUresult (*primary_retain)(CUcontext*, CUdevice);
  CUresult (*primary_release)(CUdevice);
  CUresult (*context_push)(CUcontext);
  CUresult (*context_pop)(CUcontext*);
  CUresult (*memory_info)(std::size_t* free_bytes, std::size_t* all_bytes);
  CUresult (*memory_alloc)(CUdeviceptr*, std::size_t bytes);
  CUresult (*memory_free)(CUdeviceptr);
  CUresult (*host_alloc)(void**, std::size_t bytes, unsigned flags);
  CUresult (*host_free)(void*);
  CUresult (*copy_to_device)(CUdeviceptr, const void*, std::size_t bytes);
  CUresult (*copy_to_device_async)(CUdeviceptr, const void*, std::size_t bytes, CUstream);
  CUresult (*copy_to_host_async)(void*, CUdeviceptr, std::size_t bytes, CUstream);
  CUresult (*copy_on_device_async)(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream);
  CUresult (*fill_async)(CUdeviceptr, unsigned char value, std::size_t bytes, CUstream);
  CUresult (*module_load)(CUmodule*, const void* image, unsigned options, int* option_names, void** option_values);
  CUresult (*module_unload)(CUmodule);
  CUresult (*module_function)(CUfunction*, CUmodule, const char* name);
  CUresult (*function_set_attribute)(CUfunction, int attribute, int value);
  CUresult (*launch)(const CUlaunchConfig*, CUfunction, void** parameters, void** extra);
  CUresult (*encode_tiled)(CUtensorMap*, int dtype, std::uint32_t rank, CUdeviceptr, const std::uint64_t* extents, const std::uint64_t* strides,
                           const std::uint32_t* box, const std::uint32_t* steps, int interleave, int swizzle, int l2_promotion, int fill);
  CUresult (*encode_im2col)(CUtensorMap*, int dtype, std::uint32_t rank, CUdeviceptr, const std::uint64_t* extents, const std::uint64_t* strides,
                            const int* lower, const int* upper, std::uint32_t channels, std::uint32_t pixels, const std::uint32_t* steps,
                            int interleave, int swizzle, int l2_promotion, int fill);
  CUresult (*stream_create)(CUstream*, unsigned flags);
  CUresult (*stream_destroy)(CUstream);
  CUresult (*stream_synchronize)(CUstream);
  CUresult (*capture_begin)(CUstream, int mode);
  CUresult (*capture_end)(CUstream, CUgraph*);
  CUresult (*graph_instantiate)(CUgraphExec*, CUgraph, unsigned long long flags);
  CUresult (*graph_launch)(CUgraphExec, CUstream);
  CUresult (*graph_destroy)(CUgraph);
  CUresult (*graph_exec_destroy)(CUgraphExec);
  CUresult (*event_create)(CUevent*, unsigned flags);
  CUresult (*event_destroy)(CUevent);
  CUresult (*event_record)(CUevent, CUstream);
  CUresult (*event_record_with_flags)(CUevent, CUstream, unsigned flags);
  CUresult (*event_elapsed_ms)(float* ms, CUevent began, CUevent ended);
};

/// The driver, if this machine has one that works; otherwise null, and `why_not` says what is missing.
const Driver* find_driver(std::string& why_not);

/// The driver of a machine that is known to have one.
const Driver& driver();

/// CompileError (environment) if a call failed; `what` says what was tried: "the inputs cannot be copied to the GPU".
void check(CUresult result, const std::string& what);

/// Makes a context current for the calling thread, and the one before it again at the end.
class CurrentContext {
 public:
  explicit CurrentContext(CUcontext context);
  /// For destructors: at the end of a process the driver may have gone before a model; it has freed everything then, and calls only fail.
  CurrentContext(CUcontext context, std::nothrow_t) noexcept;
  ~CurrentContext();
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

 private:
  bool is_current_ = true;
};

}  // namespace intaglio::runtime::cuda
