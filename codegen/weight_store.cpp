// See weight_store.h.

#include "codegen/weight_store.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>

#include "intaglio/artifact.h"

namespace intaglio {

std::int64_t WeightStore::add(const Tensor& tensor) {
  const std::uint64_t hash = XXH64(tensor.data(), tensor.bytes(), 0);
  for (auto [at, end] = by_hash_.equal_range(hash); at != end; ++at) {
    const Tensor& known = tensors_[at->second];
    if (known.bytes() == tensor.bytes() && std::memcmp(known.data(), tensor.data(), tensor.bytes()) == 0) return offsets_[at->second];
  }
  by_hash_.emplace(hash, tensors_.size());
  tensors_.push_back(tensor);
  offsets_.push_back(bytes_);
  bytes_ = (bytes_ + static_cast<std::int64_t>(tensor.bytes()) + INTAGLIO_ALIGNMENT - 1) / INTAGLIO_ALIGNMENT * INTAGLIO_ALIGNMENT;
  return offsets_.back();
}

}  // namespace intaglio
