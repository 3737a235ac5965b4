// The table of element types.

#include <algorithm>
#include <array>

#include "intaglio/tensor.h"

namespace intaglio {
namespace {

enum class Family { none, real, signed_integer, unsigned_integer };

struct DTypeRecord {
  DType dtype;
  std::string_view name;
  int bits;
  Family family;
};

constexpr std::array kDTypes = {
    DTypeRecord{DType::undefined, "undefined", 0, Family::none},
    DTypeRecord{DType::f32, "f32", 32, Family::real},
    DTypeRecord{DType::u8, "u8", 8, Family::unsigned_integer},
    DTypeRecord{DType::i8, "i8", 8, Family::signed_integer},
    DTypeRecord{DType::u16, "u16", 16, Family::unsigned_integer},
    DTypeRecord{DType::i16, "i16", 16, Family::signed_integer},
    DTypeRecord{DType::i32, "i32", 32, Family::signed_integer},
    DTypeRecord{DType::i64, "i64", 64, Family::signed_integer},
    DTypeRecord{DType::string, "string", 0, Family::none},
    DTypeRecord{DType::boolean, "bool", 8, Family::none},
    DTypeRecord{DType::f16, "f16", 16, Family::real},
    DTypeRecord{DType::f64, "f64", 64, Family::real},
    DTypeRecord{DType::u32, "u32", 32, Family::unsigned_integer},
    DTypeRecord{DType::u64, "u64", 64, Family::unsigned_integer},
    DTypeRecord{DType::c64, "c64", 64, Family::none},
    DTypeRecord{DType::c128, "c128", 128, Family::none},
    DTypeRecord{DType::bf16, "bf16", 16, Family::real},
    DTypeRecord{DType::f8e4m3fn, "f8e4m3fn", 8, Family::real},
    DTypeRecord{DType::f8e4m3fnuz, "f8e4m3fnuz", 8, Family::real},
    DTypeRecord{DType::f8e5m2, "f8e5m2", 8, Family::real},
    DTypeRecord{DType::f8e5m2fnuz, "f8e5m2fnuz", 8, Family::real},
    DTypeRecord{DType::u4, "u4", 4, Family::unsigned_integer},
    DTypeRecord{DType::i4, "i4", 4, Family::signed_integer},
    DTypeRecord{DType::f4e2m1, "f4e2m1", 4, Family::real},
    DTypeRecord{DType::f8e8m0, "f8e8m0", 8, Family::real},
    DTypeRecord{DType::u2, "u2", 2, Family::unsigned_integer},
    DTypeRecord{DType::i2, "i2", 2, Family::signed_integer},
};

const DTypeRecord& record(DType dtype) {
  const auto i = static_cast<std::size_t>(dtype);
  return i < kDTypes.size() ? kDTypes[i] : kDTypes[0];
}

}  // namespace

std::string_view dtype_name(DType dtype) { return record(dtype).name; }

std::optional<DType> parse_dtype(std::string_view name) {
  const auto found = std::ranges::find(kDTypes, name, &DTypeRecord::name);
  if (found == kDTypes.end() || found->dtype == DType::undefined) return std::nullopt;
  return found->dtype;
}

int dtype_bits(DType dtype) { return record(dtype).bits; }
bool is_float(DType dtype) { return record(dtype).family == Family::real; }
bool is_signed_integer(DType dtype) { return record(dtype).family == Family::signed_integer; }
bool is_unsigned_integer(DType dtype) { return record(dtype).family == Family::unsigned_integer; }

}  // namespace intaglio
