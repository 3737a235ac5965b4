// The tensors of weights.bin: shared by all steps and variants, equal contents stored once.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "intaglio/tensor.h"

namespace intaglio {

class WeightStore {
 public:
  /// Where the tensor's bytes begin in weights.bin, aligned to INTAGLIO_ALIGNMENT.
  std::int64_t add(const Tensor& tensor);
  /// In the order of their offsets.
  const std::vector<Tensor>& tensors() const { return tensors_; }
  const std::vector<std::int64_t>& offsets() const { return offsets_; }
  std::int64_t bytes() const { return bytes_; }

 private:
  std::vector<Tensor> tensors_;
  std::vector<std::int64_t> offsets_;
  std::multimap<std::uint64_t, std::size_t> by_hash_;
  std::int64_t bytes_ = 0;
};

}  // namespace intaglio
