// Files as the command line treats them: errors are sentences, outputs are whole or not there.
#pragma once

#include <functional>
#include <ostream>
#include <string>

namespace intaglio {

/// The bytes of a file. CompileError (environment) if it is missing or unreadable.
std::string read_file(const std::string& path);

/// Writes a file beside its name and renames it when it is whole; a path that is no regular file (a pipe, a device) is written straight.
/// CompileError (environment) if it cannot be written, with nothing left behind.
void write_file(const std::string& path, const std::function<void(std::ostream&)>& write);

}  // namespace intaglio
