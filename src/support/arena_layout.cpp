// See arena_layout.h. Quadratic in the number of buffers, which is a few hundred.

#include "support/arena_layout.h"

#include <algorithm>
#include <numeric>

namespace intaglio {

ArenaLayout lay_out_arena(const std::vector<ArenaRequest>& requests) {
  constexpr std::int64_t kAlignment = 64;
  const auto rounded = [](std::int64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; };
  ArenaLayout layout;
  layout.offsets.assign(requests.size(), 0);
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return requests[a].bytes > requests[b].bytes; });

  struct Piece {
    std::int64_t begin, end;
  };
  std::vector<std::size_t> placed;
  for (std::size_t i : order) {
    const std::int64_t bytes = rounded(requests[i].bytes);
    std::vector<Piece> taken;  // by those alive at the same time
    for (std::size_t other : placed) {
      const bool together = requests[other].first <= requests[i].last && requests[i].first <= requests[other].last;
      if (together) taken.push_back({layout.offsets[other], layout.offsets[other] + rounded(requests[other].bytes)});
    }
    std::ranges::sort(taken, {}, &Piece::begin);
    std::int64_t end = 0, best = -1, best_gap = 0;
    for (const Piece& piece : taken) {
      const std::int64_t gap = piece.begin - end;
      if (gap >= bytes && (best < 0 || gap < best_gap)) {
        best = end;
        best_gap = gap;
      }
      end = std::max(end, piece.end);
    }
    layout.offsets[i] = best >= 0 ? best : end;
    layout.bytes = std::max(layout.bytes, layout.offsets[i] + bytes);
    placed.push_back(i);
  }
  return layout;
}

}  // namespace intaglio
