// The header of an array is a Python dictionary; the archive is a zip file, which libarchive reads and writes.

#include "driver/npy.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "support/diagnostics.h"
#include "support/files.h"

namespace intaglio {
namespace {

/// numpy has no names for bf16 and the 8-bit floats: arrays of the ml_dtypes package are bytes, but for f8e5m2, which numpy cannot read back. A code is read
/// as the first type here, a type written as its first code.
struct DTypeCode {
  std::string_view code;  ///< without the byte order
  DType dtype;
};
constexpr std::array kCodes = {
    DTypeCode{"b1", DType::boolean}, DTypeCode{"i1", DType::i8}, DTypeCode{"i2", DType::i16}, DTypeCode{"i4", DType::i32}, DTypeCode{"i8", DType::i64},
    DTypeCode{"u1", DType::u8},      DTypeCode{"u2", DType::u16}, DTypeCode{"u4", DType::u32}, DTypeCode{"u8", DType::u64}, DTypeCode{"f2", DType::f16},
    DTypeCode{"f4", DType::f32},     DTypeCode{"f8", DType::f64}, DTypeCode{"V2", DType::bf16},
    DTypeCode{"V1", DType::f8e4m3fn}, DTypeCode{"V1", DType::f8e5m2},   DTypeCode{"f1", DType::f8e5m2},
};

[[noreturn]] void invalid(const std::string& source, const std::string& what, const std::string& got = {}) {
  throw CompileError(ErrorCode::invalid, Diagnostic{source, what, "an array that numpy.save or numpy.savez wrote", got});
}

/// What stands after 'key': in the header, up to a delimiter.
std::string field(std::string_view header, const std::string& key, const std::string& source) {
  const std::size_t at = header.find("'" + key + "'");
  if (at == std::string_view::npos) invalid(source, fmt::format("the array's header lacks '{}'", key));
  std::size_t begin = header.find(':', at);
  if (begin == std::string_view::npos) invalid(source, "the array's header is malformed");
  begin = header.find_first_not_of(' ', begin + 1);
  if (begin == std::string_view::npos) invalid(source, "the array's header is malformed");
  const char closing = header[begin] == '(' ? ')' : header[begin] == '\'' ? '\'' : ',';
  const std::size_t end = header.find(closing, begin + 1);
  if (end == std::string_view::npos) invalid(source, "the array's header is malformed");
  return std::string(header.substr(begin, end - begin));
}

Extents parse_shape(const std::string& text, const std::string& source) {
  Extents shape;
  std::int64_t count = 1;
  for (std::size_t at = 1; at < text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string number = text.substr(at, end - at);
    if (number.find_first_not_of(' ') != std::string::npos) {
      char* rest = nullptr;
      const long long extent = std::strtoll(number.c_str(), &rest, 10);
      if (extent < 0 || (extent > 0 && count > (std::int64_t{1} << 40) / extent)) invalid(source, "the array's shape is malformed", text);
      count *= std::max(1ll, extent);
      shape.push_back(extent);
    }
    at = end + 1;
  }
  return shape;
}

void swap_bytes(Tensor& tensor, std::size_t size) {
  auto bytes = tensor.mutable_span<char>();
  for (std::size_t i = 0; i + size <= bytes.size(); i += size) std::reverse(bytes.begin() + static_cast<std::ptrdiff_t>(i), bytes.begin() + static_cast<std::ptrdiff_t>(i + size));
}

/// From column-major to row-major.
Tensor reordered(const Tensor& columns, std::size_t size) {
  Tensor rows(columns.dtype(), columns.shape());
  const auto from = columns.span<char>();
  const auto to = rows.mutable_span<char>();
  Extents index(columns.shape().size(), 0);
  for (std::int64_t i = 0; i < columns.elements(); ++i) {
    std::int64_t offset = 0;
    for (std::size_t d = index.size(); d-- > 0;) offset = offset * columns.shape()[d] + index[d];
    std::memcpy(&to[static_cast<std::size_t>(i) * size], &from[static_cast<std::size_t>(offset) * size], size);
    for (std::size_t d = index.size(); d-- > 0 && ++index[d] == columns.shape()[d];) index[d] = 0;
  }
  return rows;
}

struct ArchiveDeleter {
  void operator()(archive* a) const { archive_free(a); }
};

}  // namespace

Tensor parse_npy(std::string_view bytes, const std::string& source) {
  constexpr std::string_view kMagic = "\x93NUMPY";
  if (bytes.size() < 12 || !bytes.starts_with(kMagic)) invalid(source, "this is no numpy array");
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i])); };
  const bool long_header = byte(6) >= 2;
  const std::size_t begin = long_header ? 12 : 10;
  const std::size_t length = byte(8) | byte(9) << 8 | (long_header ? byte(10) << 16 | byte(11) << 24 : 0);
  if (length > bytes.size() - begin) invalid(source, "the array's header is cut short");
  const std::string_view header = bytes.substr(begin, length);
  const std::string descr = field(header, "descr", source).substr(1);
  const auto known = std::ranges::find(kCodes, std::string_view(descr).substr(std::min<std::size_t>(1, descr.size())), &DTypeCode::code);
  if (known == kCodes.end()) invalid(source, "the array's type is not supported", descr);
  Extents shape = parse_shape(field(header, "shape", source), source);
  const std::string_view data = bytes.substr(begin + length);
  // Before memory is asked for: a damaged header may name any size.
  const std::size_t needed = static_cast<std::size_t>(element_count(shape) * dtype_bits(known->dtype) / 8);
  if (data.size() < needed) invalid(source, "the array's data is cut short", fmt::format("{} of {} bytes", data.size(), needed));
  Tensor tensor(known->dtype, std::move(shape));
  std::memcpy(tensor.mutable_data(), data.data(), tensor.bytes());
  const auto size = static_cast<std::size_t>(dtype_bits(known->dtype) / 8);
  if (descr[0] == '>' && size > 1) swap_bytes(tensor, size);
  return field(header, "fortran_order", source).starts_with("True") ? reordered(tensor, size) : tensor;
}

std::string npy_bytes(const Tensor& tensor) {
  const auto known = std::ranges::find(kCodes, tensor.dtype(), &DTypeCode::dtype);
  internal_check(known != kCodes.end(), "{} has no numpy type", dtype_name(tensor.dtype()));
  std::string shape;
  for (std::int64_t extent : tensor.shape()) shape += std::to_string(extent) + ",";
  const char order = dtype_bits(tensor.dtype()) == 8 ? '|' : '<';
  std::string header = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}), }}", order, known->code, shape);
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(header.size() & 255);
  bytes += static_cast<char>(header.size() >> 8);
  return bytes + header + std::string(static_cast<const char*>(tensor.data()), tensor.bytes());
}

std::map<std::string, Tensor> read_npz(const std::string& path) {
  const std::string file = read_file(path);
  const std::unique_ptr<archive, ArchiveDeleter> reader(archive_read_new());
  archive_read_support_format_zip(reader.get());
  if (archive_read_open_memory(reader.get(), file.data(), file.size()) != ARCHIVE_OK) invalid(path, "this is no npz archive");
  std::map<std::string, Tensor> arrays;
  archive_entry* entry = nullptr;
  int status = ARCHIVE_OK;
  while ((status = archive_read_next_header(reader.get(), &entry)) == ARCHIVE_OK) {
    std::string name = archive_entry_pathname(entry);
    std::string content;
    std::array<char, 1 << 16> chunk{};
    la_ssize_t count = 0;
    while ((count = archive_read_data(reader.get(), chunk.data(), chunk.size())) > 0) content.append(chunk.data(), static_cast<std::size_t>(count));
    if (count < 0) invalid(path, fmt::format("array '{}' cannot be unpacked", name), archive_error_string(reader.get()));
    if (name.ends_with(".npy")) name.resize(name.size() - 4);
    arrays[name] = parse_npy(content, path + ": " + name);
  }
  if (status != ARCHIVE_EOF) invalid(path, "this is no npz archive");
  return arrays;
}

void write_npz(const std::string& path, const std::map<std::string, Tensor>& arrays) {
  write_file(path, [&](std::ostream& out) {
    const std::unique_ptr<archive, ArchiveDeleter> writer(archive_write_new());
    archive_write_set_format_zip(writer.get());
    archive_write_zip_set_compression_store(writer.get());
    const auto write = [](archive*, void* stream, const void* data, std::size_t size) -> la_ssize_t {
      auto& to = *static_cast<std::ostream*>(stream);
      to.write(static_cast<const char*>(data), static_cast<std::streamsize>(size));
      return to ? static_cast<la_ssize_t>(size) : -1;
    };
    archive_write_set_bytes_in_last_block(writer.get(), 1);
    archive_write_open(writer.get(), &out, nullptr, write, nullptr);
    for (const auto& [name, tensor] : arrays) {
      const std::string bytes = npy_bytes(tensor);
      archive_entry* entry = archive_entry_new();
      archive_entry_set_pathname(entry, (name + ".npy").c_str());
      archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
      archive_entry_set_filetype(entry, AE_IFREG);
      archive_entry_set_perm(entry, 0644);
      archive_write_header(writer.get(), entry);
      archive_write_data(writer.get(), bytes.data(), bytes.size());
      archive_entry_free(entry);
    }
    archive_write_close(writer.get());
  });
}

}  // namespace intaglio
