// Places buffers with lifetimes into one arena: for static plans at compile time, for others when shapes are bound.
#pragma once

#include <cstdint>
#include <vector>

namespace intaglio {

/// A piece of memory that is in use from step `first` to step `last`, both included.
struct ArenaRequest {
  std::int64_t bytes = 0;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};

struct ArenaLayout {
  std::vector<std::int64_t> offsets;  ///< one for each request, multiples of 64
  std::int64_t bytes = 0;
};

/// Greedy by size: the largest first, each into the smallest gap that holds it among those whose lifetime it shares.
ArenaLayout lay_out_arena(const std::vector<ArenaRequest>& requests);

}  // namespace intaglio
