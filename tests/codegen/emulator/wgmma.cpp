// wgmma: four warps multiply tiles of shared memory. A product is computed when it is waited for; until then its sums are poisoned, and its
// operands must stay what they were when it began.
#include <cstring>

#include "tests/codegen/emulator/block.h"
#include "tests/codegen/emulator/tensor_map.h"

namespace intaglio::testing {
namespace {

using emulated::Element;

constexpr int kOperandBytes = 32;  // along the sum
constexpr int kThreadsOfGroup = 128;

int bytes_of(Element element) { return element == Element::tf32 ? 4 : element == Element::f16 || element == Element::bf16 ? 2 : 1; }

/// A tile of shared memory, as the 64-bit descriptor has it.
struct Tile {
  std::uint32_t start, leading, stride;  ///< bytes; `leading` from one line of the swizzle to the next, `stride` from 8 lines to the next 8
  int swizzle;

  explicit Tile(std::uint64_t descriptor)
      : start(static_cast<std::uint32_t>(descriptor & 0x3fff) << 4),
        leading(static_cast<std::uint32_t>(descriptor >> 16 & 0x3fff) << 4),
        stride(static_cast<std::uint32_t>(descriptor >> 32 & 0x3fff) << 4),
        swizzle(std::array{0, 128, 64, 32}[descriptor >> 62]) {
    if (swizzle == 0) throw EmulationError("wgmma: the emulator knows only swizzled tiles");
    if (descriptor >> 49 & 7) throw EmulationError("wgmma: a base offset, which only tiles have that begin within a pattern of the swizzle");
  }

  /// Where 16-byte aligned byte `byte` of line `line` begins: lines lie along the sum.
  std::uint32_t along_sum(int line, int byte) const {
    return swizzled_address(start + static_cast<std::uint32_t>(line / 8) * stride + static_cast<std::uint32_t>(line % 8 * swizzle + byte), swizzle);
  }
  /// The same of element (line, step) where lines of the swizzle lie across the sum.
  std::uint32_t across_sum(int line, int step, int element_bytes) const {
    const int across = swizzle / element_bytes;
    return swizzled_address(start + static_cast<std::uint32_t>(line / across) * leading + static_cast<std::uint32_t>(step / 8) * stride +
                                static_cast<std::uint32_t>(step % 8 * swizzle + line % across * element_bytes),
                            swizzle);
  }
};

/// The bytes of a line of 32 bytes along the sum.
void append_line(std::vector<std::byte>& bytes, const Tile& tile, int line, Element element, bool transposed) {
  const SharedMemory& shared = Block::current().shared();
  const int unit = transposed ? bytes_of(element) : 16;
  for (int at = 0; at < kOperandBytes; at += unit) {
    const std::uint32_t address = transposed ? tile.across_sum(line, at / unit, unit) : tile.along_sum(line, at);
    const std::byte* memory = shared.at(address, static_cast<std::size_t>(unit), static_cast<std::uint32_t>(unit));
    bytes.insert(bytes.end(), memory, memory + unit);
  }
}

int row_of(int thread) { return thread % kThreadsOfGroup / 32 * 16 + thread % 32 / 4; }

/// What the running thread needs of both operands: two rows of `a`, two columns of each 8 of `b`.
std::vector<std::byte> operands(const PendingProduct& product) {
  std::vector<std::byte> bytes;
  const Tile a(product.a), b(product.b);
  const int thread = Block::current().thread(), row = row_of(thread), column = thread % 4 * 2;
  for (int i = 0; i < 2; ++i) append_line(bytes, a, row + i * 8, product.element_a, false);
  for (int j = 0; j < product.columns; j += 8) {
    for (int i = 0; i < 2; ++i) append_line(bytes, b, j + column + i, product.element_b, product.transpose_b);
  }
  return bytes;
}

double element_of(const std::byte* line, int k, Element element) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, line + k * bytes_of(element), static_cast<std::size_t>(bytes_of(element)));
  return emulated::decode(element, bits);
}

template <typename Accumulator, typename Sum>
void multiply(const PendingProduct& product, std::vector<std::uint32_t>& sums) {
  const int depth = kOperandBytes / bytes_of(product.element_a);
  std::vector<double> values;
  for (std::size_t line = 0; line * kOperandBytes < product.operands.size(); ++line) {
    const Element element = line < 2 ? product.element_a : product.element_b;
    for (int k = 0; k < depth; ++k) values.push_back(element_of(product.operands.data() + line * kOperandBytes, k, element));
  }
  for (std::size_t i = 0; i < sums.size(); ++i) {
    const double* a = &values[i / 2 % 2 * static_cast<std::size_t>(depth)];
    const double* b = &values[(2 + i / 4 * 2 + i % 2) * static_cast<std::size_t>(depth)];
    Accumulator before;
    std::memcpy(&before, &sums[i], sizeof before);
    Sum sum = product.add ? static_cast<Sum>(before) : 0;
    for (int k = 0; k < depth; ++k) sum += static_cast<Sum>(a[k] * b[k]);
    const auto after = static_cast<Accumulator>(sum);
    std::memcpy(&sums[i], &after, sizeof after);
  }
}

void complete(const PendingProduct& product, std::vector<std::uint32_t>& sums) {
  if (operands(product) != product.operands) throw EmulationError("shared memory was written while wgmma multiplied what was there");
  if (product.element_a == Element::s8 || product.element_a == Element::u8) {
    multiply<std::int32_t, std::int64_t>(product, sums);
  } else {
    multiply<float, double>(product, sums);
  }
}

}  // namespace

namespace emulated {

void wgmma_fence() { Block::current().products().fenced = true; }

void wgmma(void* d, int columns, unsigned long long a, unsigned long long b, bool add, Element element_a, Element element_b, bool transpose_b) {
  Products& products = Block::current().products();
  if (!products.fenced) throw EmulationError("wgmma without a fence after the last wait");
  const auto bytes = static_cast<std::size_t>(columns / 2) * sizeof(std::uint32_t);
  const auto [known, is_new] = products.sums.try_emplace(d, columns / 2);
  if (is_new) std::memcpy(known->second.data(), d, bytes);
  std::memset(d, 0xff, bytes);
  PendingProduct product{d, columns, a, b, add, element_a, element_b, transpose_b, {}};
  product.operands = operands(product);
  products.groups.back().push_back(std::move(product));
}

void wgmma_commit() { Block::current().products().groups.emplace_back(); }

void wgmma_wait(int pending) {
  Block& block = Block::current();
  Products& products = block.products();
  while (static_cast<int>(products.groups.size()) - 1 > pending) {
    for (const PendingProduct& product : products.groups.front()) complete(product, products.sums.at(product.d));
    products.groups.pop_front();
  }
  products.fenced = false;
  // Sums of which nothing is under way any more belong to the thread again.
  std::erase_if(products.sums, [&](const auto& entry) {
    for (const auto& group : products.groups) {
      for (const PendingProduct& product : group) {
        if (product.d == entry.first) return false;
      }
    }
    std::memcpy(entry.first, entry.second.data(), entry.second.size() * sizeof(std::uint32_t));
    return true;
  });
  // A warp goes on together: what one lane then says is true of all.
  block.exchange(0xffffffff, 0, "wgmma.wait_group");
}

}  // namespace emulated
}  // namespace intaglio::testing
