// The C interface: no exception leaves it.

#include <new>

#include "intaglio/runtime.h"
#include "runtime/context.h"
#include "runtime/model.h"
#include "runtime/target.h"
#include "support/diagnostics.h"

struct intaglio_model {
  std::shared_ptr<const intaglio::runtime::Model> model;
  std::string device_name;
};

struct intaglio_context {
  intaglio::runtime::Context context;
};

namespace {

thread_local std::string last_error;

template <typename F>
intaglio_status guarded(F call) {
  try {
    last_error.clear();
    call();
    return INTAGLIO_OK;
  } catch (const intaglio::CompileError& error) {
    last_error = error.what();
    return static_cast<intaglio_status>(error.code());
  } catch (const std::bad_alloc&) {
    last_error = "error: out of memory";
    return INTAGLIO_ENVIRONMENT;
  } catch (const std::exception& error) {
    last_error = std::string("error: internal: ") + error.what();
    return INTAGLIO_INTERNAL;
  } catch (...) {
    last_error = "error: internal: an unknown exception";
    return INTAGLIO_INTERNAL;
  }
}

void require(bool condition, const char* what) {
  if (!condition) throw intaglio::CompileError(intaglio::ErrorCode::invalid, intaglio::Diagnostic{"", what});
}

intaglio_status port(const std::vector<intaglio::runtime::Port>& ports, int32_t index, intaglio_port* into) {
  return guarded([&] {
    require(into && index >= 0 && index < static_cast<int32_t>(ports.size()), "there is no such input or output");
    *into = ports[static_cast<std::size_t>(index)].c;
  });
}

}  // namespace

extern "C" {

intaglio_status intaglio_load(const char* path, intaglio_model** model) { return intaglio_load_for(path, INTAGLIO_DEVICE_BEST, model); }

intaglio_status intaglio_load_for(const char* path, int32_t device, intaglio_model** model) {
  return guarded([&] {
    require(path && model, "a path and a place for the model are needed");
    require(device >= INTAGLIO_DEVICE_CPU, "there is no such device");
    auto loaded = std::make_shared<const intaglio::runtime::Model>(path, device);
    std::string name = loaded->target().device_name();
    *model = new intaglio_model{std::move(loaded), std::move(name)};
  });
}

void intaglio_free(intaglio_model* model) { delete model; }

int32_t intaglio_input_count(const intaglio_model* model) { return static_cast<int32_t>(model->model->inputs().size()); }
int32_t intaglio_output_count(const intaglio_model* model) { return static_cast<int32_t>(model->model->outputs().size()); }
intaglio_status intaglio_input(const intaglio_model* model, int32_t index, intaglio_port* into) {
  return port(model->model->inputs(), index, into);
}
intaglio_status intaglio_output(const intaglio_model* model, int32_t index, intaglio_port* into) {
  return port(model->model->outputs(), index, into);
}
const char* intaglio_device_name(const intaglio_model* model) { return model->device_name.c_str(); }
intaglio_status intaglio_describe_device(const intaglio_model* model, intaglio_device* device) {
  return guarded([&] {
    require(model && device, "a model and a place for its device are needed");
    *device = model->model->target().describe_device();
  });
}
const char* intaglio_manifest(const intaglio_model* model) { return model->model->manifest().c_str(); }
const char* intaglio_layers(const intaglio_model* model) { return model->model->layers().c_str(); }

intaglio_status intaglio_context_create(intaglio_model* model, int32_t threads, intaglio_context** context) {
  return guarded([&] {
    require(model && context, "a model and a place for the context are needed");
    *context = new intaglio_context{intaglio::runtime::Context(model->model, threads)};
  });
}

void intaglio_context_free(intaglio_context* context) { delete context; }

intaglio_status intaglio_bind(intaglio_context* context, const intaglio_tensor* inputs, int32_t count) {
  return guarded([&] { context->context.bind(inputs, count); });
}

intaglio_status intaglio_output_shape(const intaglio_context* context, int32_t index, int32_t* rank, int64_t* shape) {
  return guarded([&] {
    const auto& extents = context->context.output_shape(index);
    *rank = static_cast<int32_t>(extents.size());
    std::copy(extents.begin(), extents.end(), shape);
  });
}

intaglio_status intaglio_run(intaglio_context* context, intaglio_tensor* outputs, int32_t count) {
  return guarded([&] { context->context.run(outputs, count, false); });
}

intaglio_status intaglio_run_profiled(intaglio_context* context, intaglio_tensor* outputs, int32_t count, const intaglio_step_time** times,
                                      int32_t* time_count) {
  return guarded([&] {
    context->context.run(outputs, count, true);
    *times = context->context.step_times().data();
    *time_count = static_cast<int32_t>(context->context.step_times().size());
  });
}

intaglio_status intaglio_run_async(intaglio_context* context, intaglio_tensor* outputs, int32_t count) {
  return guarded([&] { context->context.start(outputs, count, false); });
}

intaglio_status intaglio_wait(intaglio_context* context) {
  return guarded([&] { context->context.wait(); });
}

intaglio_status intaglio_last_run_times(const intaglio_context* context, intaglio_run_times* times) {
  return guarded([&] {
    require(times, "a place for the times is needed");
    *times = context->context.run_times();
  });
}

int64_t intaglio_context_bytes(const intaglio_context* context) { return context->context.bytes(); }

const char* intaglio_last_error(void) { return last_error.c_str(); }

}  // extern "C"
