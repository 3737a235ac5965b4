// Caller memory: what it is like, and copies of it.
#pragma once

#include <string>

#include "intaglio/runtime.h"

namespace intaglio::runtime {

/// "f32[2,3]", for messages.
std::string type_text(const intaglio_tensor& tensor);

/// Row-major without gaps.
bool is_dense(const intaglio_tensor& tensor);

/// Dense, and aligned as kernels want it.
bool is_usable_in_place(const intaglio_tensor& tensor);

/// Copies the elements of a tensor, whatever its strides, to dense memory.
void copy_to_dense(const intaglio_tensor& tensor, char* dense);

/// The other way around.
void copy_from_dense(const char* dense, const intaglio_tensor& tensor);

}  // namespace intaglio::runtime
