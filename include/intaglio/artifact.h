/* The contract between compiled code and the runtime: the kernel ABI, and the names and versions inside an artifact.
   Standalone C, so that generated code, the runtime and other loaders share one definition. docs/artifact.md tells the rest. */
#ifndef INTAGLIO_ARTIFACT_H
#define INTAGLIO_ARTIFACT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A loader opens exactly its own version. */
#define INTAGLIO_FORMAT_VERSION 5

/* Alignment in bytes of every buffer that a kernel is given, and of every tensor in weights.bin. */
#define INTAGLIO_ALIGNMENT 64
/* Alignment in bytes of weights.bin inside the tar file, so that it can be mapped. */
#define INTAGLIO_WEIGHTS_ALIGNMENT 65536

#define INTAGLIO_MANIFEST_NAME "manifest.json"
#define INTAGLIO_WEIGHTS_NAME "weights.bin"
/* Inside each variant's folder. */
#define INTAGLIO_LAYERS_NAME "layers.json"
#define INTAGLIO_PLAN_NAME "plan.fb"
#define INTAGLIO_CPU_CODE_NAME "code.so"   /* one shared library */
#define INTAGLIO_CUDA_CODE_NAME "code.bin" /* one cubin or PTX text a kernel, each ended by a zero byte, at the offsets of the plan */

/* What a kernel returns, and what `code` of its status holds. */
enum {
  INTAGLIO_KERNEL_OK = 0,
  /* A value read from a tensor is out of range (an index of gather, say): `value` is it, after the extent was
     added to one that counts from the end, and [low, high) the valid range. */
  INTAGLIO_KERNEL_INDEX_OUT_OF_RANGE = 1,
  /* Checked mode only: generated code would have accessed a buffer outside its extent. `value` is the element offset,
     `high` the number of elements, `low` the index of the buffer. A bug of the compiler. */
  INTAGLIO_KERNEL_BAD_ACCESS = 2,
};

/* Written by the first task that fails; the caller clears it. Which of several failing tasks wins is not defined. */
typedef struct {
  int32_t code;
  int32_t reserved;
  int64_t value;
  int64_t low;
  int64_t high;
} IntaglioKernelStatus;

/* What a kernel is called with. All of it is shared by the tasks of a step, and read-only but for what the pointers reach. */
typedef struct {
  /* One pointer a buffer, in the order of the step; each aligned to INTAGLIO_ALIGNMENT. */
  void* const* buffers;
  /* The values of the symbols that the kernel uses, in the order of the step. */
  const int64_t* symbols;
  /* Worker w owns the bytes [w * scratch_stride, (w + 1) * scratch_stride) of `scratch`; aligned like buffers. */
  char* scratch;
  int64_t scratch_stride;
  IntaglioKernelStatus* status;
} IntaglioKernelArgs;

/* Runs the tasks [task_begin, task_end). Tasks are independent: they may run in any order, on any threads, at once or not.
   `worker` tells which scratch is this call's. Returns INTAGLIO_KERNEL_OK or the code that it left in `args->status`. */
typedef int32_t (*IntaglioKernel)(const IntaglioKernelArgs* args, int64_t task_begin, int64_t task_end, int32_t worker);

#ifdef __cplusplus
}
#endif
#endif
