// See context.h.

#include "runtime/context.h"

#include "support/diagnostics.h"

namespace intaglio::runtime {
namespace {

void require(bool condition, const char* what, const char* expected) {
  if (!condition) throw CompileError(ErrorCode::invalid, Diagnostic{"", what, expected});
}

}  // namespace

Context::Context(std::shared_ptr<const Model> model, int threads)
    : binding_(std::move(model)), executor_(binding_.model().target().make_executor(binding_, threads)) {}

void Context::bind(const intaglio_tensor* inputs, int count) {
  require(!started_, "a run is under way", "intaglio_wait before this call");
  if (binding_.bind(inputs, count)) executor_->shapes_changed();
}

void Context::start(intaglio_tensor* outputs, int count, bool profile) {
  require(!started_, "a run is under way", "intaglio_wait before this call");
  binding_.check_outputs(outputs, count);
  executor_->start(outputs, profile);
  started_ = true;
}

void Context::wait() {
  require(started_, "no run is under way", "intaglio_run_async before this call");
  started_ = false;
  executor_->finish();
}

void Context::run(intaglio_tensor* outputs, int count, bool profile) {
  start(outputs, count, profile);
  wait();
}

}  // namespace intaglio::runtime
