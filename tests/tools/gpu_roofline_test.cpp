// The peaks of known GPUs, and which of arithmetic and memory bounds a step.
#include "tools/gpu_roofline.h"

#include <gtest/gtest.h>

namespace intaglio {
namespace {

/// An H100 SXM at the clock of NVIDIA's data sheet (the driver names a higher one).
const GpuRoofline kHopper({90, 132, 1.83, 3352});

TEST(GpuRoofline, HasThePeaksOfTheDataSheet) {
  EXPECT_NEAR(kHopper.gflops("f16"), 989.4e3, 0.3e3);
  EXPECT_NEAR(kHopper.gflops("tf32"), 494.7e3, 0.3e3);
  EXPECT_NEAR(kHopper.gflops("i8"), 1979e3, 1e3);
  EXPECT_NEAR(kHopper.gflops("f32"), 61.8e3, 0.1e3);
  EXPECT_NEAR(GpuRoofline({80, 108, 1.41, 1555}).gflops("bf16"), 312e3, 0.2e3);
}

TEST(GpuRoofline, BoundsByWhatTakesLonger) {
  const auto arithmetic = kHopper.bound(989.4e9, "f16", 1e6), memory = kHopper.bound(1e6, "f16", 3352e6);
  ASSERT_TRUE(arithmetic && memory);
  EXPECT_NEAR(arithmetic->us, 1000, 1);
  EXPECT_FALSE(arithmetic->by_memory);
  EXPECT_NEAR(memory->us, 1000, 1);
  EXPECT_TRUE(memory->by_memory);
  EXPECT_TRUE(kHopper.bound(0, "", 3352e6)->by_memory);
}

TEST(GpuRoofline, DoesNotGuess) {
  EXPECT_FALSE(kHopper.bound(1e9, "i32", 1e6));
  EXPECT_FALSE(GpuRoofline({120, 170, 2.4, 1792}).bound(1e9, "f16", 1e6));
  EXPECT_FALSE(GpuRoofline({}).bound(0, "", 1e6));
}

}  // namespace
}  // namespace intaglio
