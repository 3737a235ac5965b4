// Links objects into one shared library, in this process.
#pragma once

#include <string>
#include <vector>

namespace intaglio::cpu {

/// The bytes of a shared library of these objects. It needs no other library and leaves no symbol undefined; equal objects give equal bytes.
std::string link_shared_library(const std::vector<std::string>& objects);

}  // namespace intaglio::cpu
