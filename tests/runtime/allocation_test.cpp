// After the first run at a shape nothing is allocated. Every operator new of this program is counted, the runtime library's included.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "artifacts.h"

namespace {

std::atomic<long> allocations{0};

void* counted(std::size_t size, std::size_t alignment) {
  ++allocations;
  void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (!memory) throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__); }
void* operator new(std::size_t size, std::align_val_t alignment) { return counted(size, static_cast<std::size_t>(alignment)); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace intaglio::test {
namespace {

/// How often memory is allocated while `call` runs.
template <typename F>
long allocations_of(F call) {
  const long before = allocations;
  call();
  return allocations - before;
}

TEST(Allocation, IsCountedInsideTheRuntimeLibrary) {
  const Artifact artifact(kConvolution);
  const Model model(artifact.path());
  intaglio_context* context = nullptr;
  const long made = allocations_of([&] { intaglio_context_create(model.get(), 1, &context); });
  ASSERT_NE(context, nullptr);
  EXPECT_GT(made, 5);
  intaglio_context_free(context);
}

/// Binds and runs through the C interface alone: whatever is allocated is the runtime's.
void bind_and_run(intaglio_context* context, const std::vector<intaglio_tensor>& inputs, std::vector<intaglio_tensor>& outputs, bool profile) {
  ASSERT_EQ(intaglio_bind(context, inputs.data(), static_cast<int>(inputs.size())), INTAGLIO_OK);
  if (!profile) {
    ASSERT_EQ(intaglio_run(context, outputs.data(), static_cast<int>(outputs.size())), INTAGLIO_OK);
    return;
  }
  const intaglio_step_time* times = nullptr;
  int32_t count = 0;
  ASSERT_EQ(intaglio_run_profiled(context, outputs.data(), static_cast<int>(outputs.size()), &times, &count), INTAGLIO_OK);
}

void expect_none_after_the_first_run(const std::string& graph, bool unaligned, bool profile) {
  const Artifact artifact(graph);
  const Model model(artifact.path());
  intaglio_context* context = nullptr;
  ASSERT_EQ(intaglio_context_create(model.get(), 2, &context), INTAGLIO_OK);
  for (int batch : {4, 40}) {
    auto tensors = artifact.inputs(batch, 1);
    auto inputs = places(tensors);
    std::vector<Tensor> shifted;
    if (unaligned) {
      for (auto& input : inputs) {
        shifted.emplace_back(DType::u8, Extents{1 << 20});
        input.data = static_cast<char*>(shifted.back().mutable_data()) + 4;
      }
    }
    std::vector<intaglio_tensor> outputs(model.outputs().size());
    bind_and_run(context, inputs, outputs, profile);
    const std::int64_t bytes = intaglio_context_bytes(context);
    EXPECT_EQ(allocations_of([&] {
                for (int i = 0; i < 5; ++i) bind_and_run(context, inputs, outputs, profile);
              }),
              0);
    EXPECT_EQ(intaglio_context_bytes(context), bytes);
  }
  intaglio_context_free(context);
}

TEST(Allocation, NoneAfterTheFirstRunAtAShape) {
  expect_none_after_the_first_run(kConvolution, false, false);
  expect_none_after_the_first_run(perceptron_text(), false, false);
}
TEST(Allocation, NoneWhereMemoryIsCopied) { expect_none_after_the_first_run(kConvolution, true, false); }
TEST(Allocation, NoneWhereStepsAreTimed) { expect_none_after_the_first_run(kConvolution, true, true); }

}  // namespace
}  // namespace intaglio::test
