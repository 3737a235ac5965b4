// Buffers that live at the same time never share memory, and those that do not, do.
#include <gtest/gtest.h>

#include <random>

#include "support/arena_layout.h"

namespace intaglio::test {
namespace {

bool share_time(const ArenaRequest& a, const ArenaRequest& b) { return a.first <= b.last && b.first <= a.last; }

TEST(ArenaLayout, KeepsLivingBuffersApart) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::vector<ArenaRequest> requests(1 + random() % 40);
    for (ArenaRequest& request : requests) {
      request.bytes = static_cast<std::int64_t>(random() % 5000);
      request.first = static_cast<std::uint32_t>(random() % 30);
      request.last = request.first + static_cast<std::uint32_t>(random() % 6);
    }
    const ArenaLayout layout = lay_out_arena(requests);
    for (std::size_t i = 0; i < requests.size(); ++i) {
      ASSERT_EQ(layout.offsets[i] % 64, 0);
      ASSERT_LE(layout.offsets[i] + requests[i].bytes, layout.bytes);
      for (std::size_t j = 0; j < i; ++j) {
        const bool apart = layout.offsets[i] + requests[i].bytes <= layout.offsets[j] || layout.offsets[j] + requests[j].bytes <= layout.offsets[i];
        const bool empty = requests[i].bytes == 0 || requests[j].bytes == 0;
        ASSERT_TRUE(apart || empty || !share_time(requests[i], requests[j]));
      }
    }
  }
}

TEST(ArenaLayout, UsesMemoryAgain) {
  std::vector<ArenaRequest> chain;
  for (std::uint32_t i = 0; i < 20; ++i) chain.push_back({1024, i, i + 1});
  EXPECT_EQ(lay_out_arena(chain).bytes, 2048);
}

}  // namespace
}  // namespace intaglio::test
