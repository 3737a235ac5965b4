// What the lanes of a warp do together: shuffles, votes, fragments of matrices and their products.
#include <array>
#include <cstring>

#include "support/small_float.h"
#include "tests/codegen/emulator/block.h"

namespace intaglio::testing {
namespace {

constexpr std::uint32_t kAllLanes = 0xffffffff;
constexpr std::uint32_t kMatrixRowBytes = 16;

int element_bits(emulated::Element element) {
  switch (element) {
    case emulated::Element::f16:
    case emulated::Element::bf16: return 16;
    case emulated::Element::tf32: return 32;
    default: return 8;
  }
}

/// Every value of a small float, by its bits: products decode each element many times.
class DecodeTable {
 public:
  explicit DecodeTable(DType dtype) {
    for (std::uint32_t bits = 0; bits < 1u << dtype_bits(dtype); ++bits) values_.push_back(decode_small_float(dtype, bits));
  }
  double at(std::uint32_t bits) const { return values_[bits & (values_.size() - 1)]; }

 private:
  std::vector<double> values_;
};

/// The fragments of a lane.
struct Fragments {
  std::array<std::uint32_t, 4> a;
  std::array<std::uint32_t, 2> b;
};

/// Element (row, k) of `a`. Groups of four lanes hold a row; a lane's registers are rows 0 to 7 and 8 to 15, then the same of the second half of k.
double element_of_a(const Fragments* lanes, int row, int k, emulated::Element element) {
  const int per_register = 32 / element_bits(element);
  const int lane = row % 8 * 4 + k / per_register % 4;
  const std::uint32_t bits = lanes[lane].a[static_cast<std::size_t>(row / 8 + 2 * (k / (4 * per_register)))];
  return emulated::decode(element, bits >> (k % per_register * element_bits(element)));
}

double element_of_b(const Fragments* lanes, int k, int column, emulated::Element element) {
  const int per_register = 32 / element_bits(element);
  const int lane = column * 4 + k / per_register % 4;
  const std::uint32_t bits = lanes[lane].b[static_cast<std::size_t>(k / (4 * per_register))];
  return emulated::decode(element, bits >> (k % per_register * element_bits(element)));
}

template <typename Accumulator, typename Sum>
void multiply(Accumulator* d, const std::uint32_t* a, const std::uint32_t* b, emulated::Element element_a, emulated::Element element_b) {
  Block& block = Block::current();
  const Fragments mine{{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
  const Fragments* lanes = block.exchange(kAllLanes, mine, "mma");
  const int depth = 8 * 32 / element_bits(element_a);
  for (int i = 0; i < 4; ++i) {
    const int row = block.lane() / 4 + i / 2 * 8, column = block.lane() % 4 * 2 + i % 2;
    Sum sum = 0;
    for (int k = 0; k < depth; ++k) sum += static_cast<Sum>(element_of_a(lanes, row, k, element_a) * element_of_b(lanes, k, column, element_b));
    d[i] = static_cast<Accumulator>(static_cast<Sum>(d[i]) + sum);
  }
}

}  // namespace

namespace emulated {

double decode(Element element, unsigned bits) {
  static const DecodeTable f16(DType::f16), bf16(DType::bf16), e4m3(DType::f8e4m3fn), e5m2(DType::f8e5m2);
  switch (element) {
    case Element::f16: return f16.at(bits);
    case Element::bf16: return bf16.at(bits);
    case Element::e4m3: return e4m3.at(bits);
    case Element::e5m2: return e5m2.at(bits);
    case Element::s8: return static_cast<signed char>(bits);
    case Element::u8: return static_cast<unsigned char>(bits);
    case Element::tf32: break;
  }
  // The hardware reads the upper 19 bits.
  float value;
  bits &= 0xffffe000;
  std::memcpy(&value, &bits, sizeof value);
  return static_cast<double>(value);
}

float decode_f16(unsigned short bits) { return static_cast<float>(decode_small_float(DType::f16, bits)); }
unsigned short encode_f16(float value) { return static_cast<unsigned short>(encode_small_float(DType::f16, static_cast<double>(value))); }
unsigned short encode_bf16(float value) { return static_cast<unsigned short>(encode_small_float(DType::bf16, static_cast<double>(value))); }

void sync_warp(unsigned mask) { Block::current().exchange(mask, 0, "__syncwarp"); }

unsigned long long shuffle(unsigned mask, unsigned long long value, unsigned source) {
  if (!(mask >> source & 1)) throw EmulationError(fmt::format("a shuffle reads lane {}, which is not in its mask {:#x}", source, mask));
  return Block::current().exchange(mask, value, "a shuffle")[source];
}

unsigned vote(unsigned mask, bool value) {
  const bool* values = Block::current().exchange(mask, value, "a vote");
  unsigned result = 0;
  for (unsigned lane = 0; lane < kWarpLanes; ++lane) {
    if (mask >> lane & 1 && values[lane]) result |= 1u << lane;
  }
  return result;
}

void load_matrices(unsigned* registers, unsigned row, int count, bool transposed) {
  Block& block = Block::current();
  const std::uint32_t* rows = block.exchange(kAllLanes, row, "ldmatrix");
  const int lane = block.lane();
  for (int matrix = 0; matrix < count; ++matrix) {
    const auto element = [&](int i, int j) {
      std::uint16_t bits;
      const std::byte* memory = block.shared().at(rows[matrix * 8 + i], kMatrixRowBytes, kMatrixRowBytes);
      std::memcpy(&bits, memory + j * 2, sizeof bits);
      return std::uint32_t{bits};
    };
    const int across = lane / 4, along = lane % 4 * 2;
    registers[matrix] = transposed ? element(along, across) | element(along + 1, across) << 16 : element(across, along) | element(across, along + 1) << 16;
  }
}

void multiply_fragments(float* d, const unsigned* a, const unsigned* b, Element element) { multiply<float, double>(d, a, b, element, element); }
void multiply_fragments(int* d, const unsigned* a, const unsigned* b, Element element_a, Element element_b) {
  multiply<int, long long>(d, a, b, element_a, element_b);
}

}  // namespace emulated
}  // namespace intaglio::testing
