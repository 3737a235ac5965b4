// Which contractions cuBLASLt can compute, and what it must be told of them.
#pragma once

#include "codegen/cuda/tile_rows.h"
#include "codegen/library_product.h"

namespace intaglio::cuda {

/// A dense contraction as a product of plain matrices: f32 (rounded with `tf32`), f16 or bf16, summed in f32, each operand with one distance between lines
/// and one between products; an epilogue of a factor, a bias along columns, an addend that lies as the result does and relu. Nothing for others.
std::optional<LibraryProduct> find_library_product(const Contraction& spec, const TileRows& rows, bool tf32);

/// Readable text, part of what `--emit kernels` prints.
std::string to_text(const LibraryProduct& product);

}  // namespace intaglio::cuda
