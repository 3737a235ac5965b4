// numpy's files: .npy arrays and .npz archives of them.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "intaglio/tensor.h"

namespace intaglio {

/// Reads an array: C or Fortran order, either byte order. CompileError (invalid) about `source` if it is damaged or of a type that no tensor has.
Tensor parse_npy(std::string_view bytes, const std::string& source);
/// The bytes of an array file, version 1.0. f16 and bf16 are written as f2 and V2.
std::string npy_bytes(const Tensor& tensor);

/// Reads the arrays of an archive by name (without .npy).
std::map<std::string, Tensor> read_npz(const std::string& path);
/// Writes an archive of uncompressed arrays.
void write_npz(const std::string& path, const std::map<std::string, Tensor>& arrays);

}  // namespace intaglio
