// Archives: what is written is read back, at the alignment that was asked for; a damaged one is refused and never read beyond its end.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <sstream>

#include "support/diagnostics.h"
#include "support/tar.h"

namespace intaglio::test {
namespace {

std::string archive() {
  std::ostringstream out;
  TarWriter tar(out);
  tar.add("first.txt", "hello");
  tar.add("folder/empty", "");
  tar.begin("aligned.bin", 3, 4096);
  tar.write("a");
  tar.write("bc");
  tar.end();
  tar.finish();
  return out.str();
}

std::vector<TarEntry> read(const std::string& bytes) { return read_tar_index(std::as_bytes(std::span(bytes)), "test.tar"); }

std::string content(const std::string& bytes, const std::string& name) {
  for (const TarEntry& entry : read(bytes)) {
    if (entry.name == name) return bytes.substr(entry.offset, entry.size);
  }
  ADD_FAILURE() << "no entry " << name;
  return {};
}

TEST(Tar, IsReadBack) {
  const std::string bytes = archive();
  EXPECT_EQ(content(bytes, "first.txt"), "hello");
  EXPECT_EQ(content(bytes, "folder/empty"), "");
  EXPECT_EQ(content(bytes, "aligned.bin"), "abc");
  EXPECT_EQ(bytes.size() % 512, 0u);
}

TEST(Tar, AlignsContents) {
  const auto entries = read(archive());
  const auto aligned = std::ranges::find(entries, "aligned.bin", &TarEntry::name);
  ASSERT_NE(aligned, entries.end());
  EXPECT_EQ(aligned->offset % 4096, 0u);
}

TEST(Tar, OfEqualContentsIsEqual) { EXPECT_EQ(archive(), archive()); }

TEST(Tar, EntriesLieInsideWhateverIsDamaged) {
  const std::string whole = archive();
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string bytes = whole.substr(0, i % 3 == 0 ? random() % whole.size() : whole.size());
    for (int flips = 0; flips < i % 4 && !bytes.empty(); ++flips) bytes[random() % std::min<std::size_t>(bytes.size(), 512)] ^= static_cast<char>(1u << (random() % 8));
    try {
      for (const TarEntry& entry : read(bytes)) ASSERT_LE(entry.offset + entry.size, bytes.size());
    } catch (const CompileError& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid);
      ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
}

}  // namespace
}  // namespace intaglio::test
