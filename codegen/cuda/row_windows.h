// Convolutions of few channels whose windows pad_windows has laid out.
#pragma once

#include <optional>

#include "codegen/schedule/contraction.h"

namespace intaglio::cuda {

/// `spec` with the taps of a row as channels of one tap: pixels then overlap, a stride apart. Nothing where taps do not lie side by side in whole words of 16
/// bytes, or fill more than a line of a tile. Its `b` is right only packed: packed weights lie in the same order as before.
std::optional<Contraction> with_rows_as_channels(const Contraction& spec);

}  // namespace intaglio::cuda
