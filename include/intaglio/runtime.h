/* The C interface of Intaglio's runtime: load an artifact, make a context, run it.
   No C++ exception crosses it. Every call that can fail returns a status; the text of the calling thread's last failure is intaglio_last_error(). */
#ifndef INTAGLIO_RUNTIME_H
#define INTAGLIO_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define INTAGLIO_API __attribute__((visibility("default")))
#else
#define INTAGLIO_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* The values are the exit codes of the command line. */
typedef enum {
  INTAGLIO_OK = 0,
  INTAGLIO_INVALID = 3,     /* the artifact or an input is invalid or does not fit */
  INTAGLIO_ENVIRONMENT = 4, /* a file, memory or a device is missing, or the artifact was built for another one */
  INTAGLIO_INTERNAL = 70    /* a bug of Intaglio's */
} intaglio_status;

/* A loaded artifact: immutable, may be shared by any number of threads. */
typedef struct intaglio_model intaglio_model;
/* What one run at a time needs: memory and shapes. One thread at a time; several contexts of a model may run at once. */
typedef struct intaglio_context intaglio_context;

/* Most dimensions a tensor may have at this interface. */
#define INTAGLIO_MAX_RANK 16
/* Most threads that a run may use. */
#define INTAGLIO_MAX_THREADS 1024

/* A tensor in host memory that the caller owns. `dtype` is a number of ONNX's TensorProto.DataType. */
typedef struct {
  void* data;
  int32_t dtype;
  int32_t rank;
  int64_t shape[INTAGLIO_MAX_RANK];
  /* In elements. Null: dense, row-major. */
  const int64_t* strides;
} intaglio_tensor;

/* An input or output as the model declares it. A dimension of -1 is symbolic; its expression is in `shape_text`. Strings live as long as the model. */
typedef struct {
  const char* name;
  const char* shape_text; /* "f32[batch,3,224,224]" */
  int32_t dtype;
  int32_t rank;
  int64_t shape[INTAGLIO_MAX_RANK];
} intaglio_port;

/* One executed step of a run; see intaglio_run_profiled. */
typedef struct {
  uint32_t step;
  uint32_t layer;     /* index into the artifact's layers.json; UINT32_MAX for a copy of caller memory */
  const char* kernel; /* its name, or "copy input 'x' (unaligned)" .. */
  double start_us;    /* since the run began */
  double duration_us;
  int64_t tasks;
  int32_t threads;
} intaglio_step_time;

/* What a run took, in microseconds. On a GPU the three last are what the device spent; on the CPU they are 0. */
typedef struct {
  double enqueue_us; /* of the caller's thread, until the run was started; on the CPU the whole run */
  double h2d_us;     /* inputs to the device */
  double compute_us; /* the steps */
  double d2h_us;     /* outputs to the host */
} intaglio_run_times;

/* A GPU as its driver describes it. */
typedef struct {
  int32_t compute_capability; /* 90 is 9.0 */
  int32_t multiprocessors;
  double clock_ghz;           /* the highest that the multiprocessors may have */
  double memory_gbytes_per_s; /* clock times width of its memory */
} intaglio_device;

/* Instead of a GPU's ordinal. */
#define INTAGLIO_DEVICE_BEST (-1) /* the first GPU if the artifact has code for it, else the CPU */
#define INTAGLIO_DEVICE_CPU (-2)

/* Opens an artifact file for the best device there is, or for a certain one. */
INTAGLIO_API intaglio_status intaglio_load(const char* path, intaglio_model** model);
INTAGLIO_API intaglio_status intaglio_load_for(const char* path, int32_t device, intaglio_model** model);
INTAGLIO_API void intaglio_free(intaglio_model* model);

INTAGLIO_API int32_t intaglio_input_count(const intaglio_model* model);
INTAGLIO_API int32_t intaglio_output_count(const intaglio_model* model);
INTAGLIO_API intaglio_status intaglio_input(const intaglio_model* model, int32_t index, intaglio_port* port);
INTAGLIO_API intaglio_status intaglio_output(const intaglio_model* model, int32_t index, intaglio_port* port);
/* The device that the model runs on: "cpu" or a GPU's name. */
INTAGLIO_API const char* intaglio_device_name(const intaglio_model* model);
/* What that GPU is made of; all 0 for the CPU. */
INTAGLIO_API intaglio_status intaglio_describe_device(const intaglio_model* model, intaglio_device* device);
/* The artifact's manifest.json, and the layers.json of the variant in use; the texts live as long as the model. */
INTAGLIO_API const char* intaglio_manifest(const intaglio_model* model);
INTAGLIO_API const char* intaglio_layers(const intaglio_model* model);

/* `threads`: how many threads a run uses, the caller's included, at most INTAGLIO_MAX_THREADS; 0 for all cores. The context keeps the model alive. */
INTAGLIO_API intaglio_status intaglio_context_create(intaglio_model* model, int32_t threads, intaglio_context** context);
INTAGLIO_API void intaglio_context_free(intaglio_context* context);

/* Binds the inputs (all of them, in the model's order) and computes the outputs' shapes, which intaglio_output_shape then tells.
   The memory that a run of these shapes needs is allocated here or in the first run. */
INTAGLIO_API intaglio_status intaglio_bind(intaglio_context* context, const intaglio_tensor* inputs, int32_t count);
INTAGLIO_API intaglio_status intaglio_output_shape(const intaglio_context* context, int32_t index, int32_t* rank, int64_t* shape);

/* Runs with the inputs bound last. Each output's data is the caller's memory of the right dtype and shape,
   or null: then the context's own memory, valid until the next run, is written there. Memory that is not dense or not aligned to 64 bytes is copied. */
INTAGLIO_API intaglio_status intaglio_run(intaglio_context* context, intaglio_tensor* outputs, int32_t count);
/* The same, and tells what each step took: `times` stays valid until the context's next run. */
INTAGLIO_API intaglio_status intaglio_run_profiled(intaglio_context* context, intaglio_tensor* outputs, int32_t count,
                                                   const intaglio_step_time** times, int32_t* time_count);
/* Starts a run and returns; on a GPU the caller's thread is free meanwhile, on the CPU it has done the work. The inputs' data has been taken when it returns;
   `outputs` must stay where it is until intaglio_wait, which every started run needs before the context's next call. */
INTAGLIO_API intaglio_status intaglio_run_async(intaglio_context* context, intaglio_tensor* outputs, int32_t count);
INTAGLIO_API intaglio_status intaglio_wait(intaglio_context* context);
/* What the last run took. */
INTAGLIO_API intaglio_status intaglio_last_run_times(const intaglio_context* context, intaglio_run_times* times);
/* Bytes that the context holds on its device and for staging: arena, scratch, inputs, outputs. */
INTAGLIO_API int64_t intaglio_context_bytes(const intaglio_context* context);

/* What went wrong in this thread's last failed call: one or more lines, empty if none failed. */
INTAGLIO_API const char* intaglio_last_error(void);

#ifdef __cplusplus
}
#endif
#endif
