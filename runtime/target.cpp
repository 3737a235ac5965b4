// See target.h.

#include "runtime/target.h"

#include <chrono>

#include "support/diagnostics.h"

namespace intaglio::runtime {

void throw_kernel_failure(const IntaglioKernelStatus& status, const std::string& step_name) {
  if (status.code == INTAGLIO_KERNEL_INDEX_OUT_OF_RANGE) {
    // An index that counts from the end is checked with the extent added.
    const std::int64_t index = status.value < 0 ? status.value - status.high : status.value;
    throw CompileError(ErrorCode::invalid, Diagnostic{step_name, "an index in the data is out of range",
                                                      fmt::format("-{} <= index < {}", status.high, status.high), std::to_string(index),
                                                      "check the values of the model's inputs"});
  }
  throw InternalError(fmt::format("{}: generated code would have accessed element {} of buffer {}, which has {}", step_name, status.value,
                                  status.low, status.high));
}

double now_us() { return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace intaglio::runtime
