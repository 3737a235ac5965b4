// POSIX ustar, with base-256 sizes beyond 8 GiB as GNU tar writes them.

#include "support/tar.h"

#include <array>
#include <cstring>

#include "support/diagnostics.h"

namespace intaglio {
namespace {

constexpr std::uint64_t kBlock = 512;
constexpr std::string_view kFiller = ".align";

using Header = std::array<char, kBlock>;

struct Field {
  std::size_t offset, size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUser{108, 8}, kGroup{116, 8}, kSize{124, 12}, kTime{136, 12}, kChecksum{148, 8}, kType{156, 1}, kMagic{257, 8};

void put_octal(Header& header, Field field, std::uint64_t value) {
  const std::string text = fmt::format("{:0{}o}", value, field.size - 1);
  std::memcpy(header.data() + field.offset, text.data(), field.size - 1);
}

/// The sum of the header's bytes, its own field counted as spaces.
std::uint64_t checksum(const char* header) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < kBlock; ++i) {
    const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.size;
    sum += own ? ' ' : static_cast<unsigned char>(header[i]);
  }
  return sum;
}

std::uint64_t get_number(const char* header, Field field, bool& valid) {
  const auto* text = reinterpret_cast<const unsigned char*>(header) + field.offset;
  std::uint64_t value = 0;
  if (text[0] & 0x80) {
    for (std::size_t i = field.size - 8; i < field.size; ++i) value = value << 8 | text[i];
    return value;
  }
  for (std::size_t i = 0; i < field.size && text[i] && text[i] != ' '; ++i) {
    if (text[i] < '0' || text[i] > '7') valid = false;
    value = value << 3 | (text[i] & 7u);
  }
  return value;
}

[[noreturn]] void damaged(const std::string& source, const std::string& what) {
  throw CompileError(ErrorCode::invalid, Diagnostic{source, what, "an artifact that `intaglio compile` wrote", "", "the file is damaged or cut short: compile the model again"});
}

}  // namespace

void TarWriter::header(std::string_view name, std::uint64_t size) {
  internal_check(name.size() < kName.size, "a tar entry's name is too long: {}", name);
  Header header{};
  std::memcpy(header.data() + kName.offset, name.data(), name.size());
  put_octal(header, kMode, 0644);
  put_octal(header, kUser, 0);
  put_octal(header, kGroup, 0);
  if (size < (std::uint64_t{1} << 33)) {
    put_octal(header, kSize, size);
  } else {
    header[kSize.offset] = static_cast<char>(0x80);
    for (std::size_t i = 0; i < 8; ++i) header[kSize.offset + kSize.size - 1 - i] = static_cast<char>(size >> (8 * i) & 0xff);
  }
  put_octal(header, kTime, 0);
  header[kType.offset] = '0';
  std::memcpy(header.data() + kMagic.offset, "ustar\00000", kMagic.size);
  const std::string sum = fmt::format("{:06o}", checksum(header.data()));
  std::memcpy(header.data() + kChecksum.offset, sum.data(), 6);
  header[kChecksum.offset + 6] = '\0';
  header[kChecksum.offset + 7] = ' ';
  out_.write(header.data(), kBlock);
  position_ += kBlock;
}

void TarWriter::pad() {
  static constexpr Header kZeros{};
  if (const std::uint64_t rest = position_ % kBlock) {
    out_.write(kZeros.data(), static_cast<std::streamsize>(kBlock - rest));
    position_ += kBlock - rest;
  }
}

void TarWriter::begin(std::string_view name, std::uint64_t size, std::uint64_t alignment) {
  if ((position_ + kBlock) % alignment != 0) {
    // After the filler's header and content comes this entry's header, and then its content.
    const std::uint64_t filled = (position_ + 2 * kBlock) % alignment;
    add(kFiller, std::string(filled ? alignment - filled : 0, '\0'));
  }
  header(name, size);
}

void TarWriter::write(std::string_view bytes) {
  out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  position_ += bytes.size();
}

void TarWriter::end() { pad(); }

void TarWriter::add(std::string_view name, std::string_view content) {
  header(name, content.size());
  write(content);
  end();
}

void TarWriter::finish() {
  static constexpr Header kZeros{};
  out_.write(kZeros.data(), kBlock);
  out_.write(kZeros.data(), kBlock);
}

std::vector<TarEntry> read_tar_index(std::span<const std::byte> file, const std::string& source) {
  std::vector<TarEntry> entries;
  const char* bytes = reinterpret_cast<const char*>(file.data());
  std::uint64_t at = 0;
  while (true) {
    if (file.size() - at < kBlock) damaged(source, entries.empty() ? "this is no Intaglio artifact" : "the artifact ends early");
    const char* header = bytes + at;
    if (header[0] == '\0') break;
    bool valid = std::memcmp(header + kMagic.offset, "ustar", 5) == 0;
    const std::uint64_t stored = get_number(header, kChecksum, valid);
    if (!valid || stored != checksum(header)) damaged(source, entries.empty() ? "this is no Intaglio artifact" : "an entry of the artifact has a wrong checksum");
    const std::uint64_t size = get_number(header, kSize, valid);
    const std::uint64_t content = at + kBlock;
    if (!valid || size > file.size() - content) damaged(source, "the artifact ends early");
    entries.push_back({std::string(header, strnlen(header, kName.size)), content, size});
    const std::uint64_t padded = (size + kBlock - 1) / kBlock * kBlock;
    if (padded > file.size() - content) damaged(source, "the artifact ends early");
    at = content + padded;
  }
  if (entries.empty()) damaged(source, "this is no Intaglio artifact");
  return entries;
}

}  // namespace intaglio
