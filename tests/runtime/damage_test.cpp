// Artifacts that are damaged, cut short or of elsewhere: refused, never a crash.
#include <gtest/gtest.h>

#include <fmt/format.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <nlohmann/json.hpp>
#include <random>
#include <span>

#include "artifacts.h"
#include "intaglio/artifact.h"
#include "support/tar.h"

namespace intaglio::test {
namespace {

using Json = nlohmann::ordered_json;

/// The convolution's artifact, the same for all tests.
const Artifact& artifact() {
  static const Artifact result(kConvolution);
  return result;
}

/// The artifact with its manifest changed.
template <typename F>
std::string with_manifest(F change) {
  Entries entries = unpack(artifact().bytes());
  std::string& text = entry(entries, INTAGLIO_MANIFEST_NAME);
  Json manifest = Json::parse(text);
  change(manifest);
  text = manifest.dump(1);
  return pack(entries);
}

TEST(Damage, AnUnchangedArtifactIsLoaded) {
  EXPECT_EQ(load(artifact().bytes()).text, "");
  EXPECT_EQ(load(pack(unpack(artifact().bytes()))).text, "");
  EXPECT_EQ(load(with_manifest([](Json&) {})).text, "");
}

TEST(Damage, AnotherFormatVersionIsRefused) {
  for (int version : {0, INTAGLIO_FORMAT_VERSION + 1, -1}) {
    const Loaded loaded = load(with_manifest([&](Json& manifest) { manifest["format_version"] = version; }));
    EXPECT_EQ(loaded.status, INTAGLIO_INVALID);
    EXPECT_NE(loaded.text.find(fmt::format("the artifact is of another format version\n  expected: version {}\n  got:      version {}\n", INTAGLIO_FORMAT_VERSION, version)), std::string::npos)
        << loaded.text;
  }
}

// The environment is wrong, not the artifact.
TEST(Damage, AnotherCpuIsRefused) {
  const Loaded loaded = load(with_manifest([](Json& manifest) {
    manifest["variants"][0]["cpu"] = "future-cpu";
    manifest["variants"][0]["features"].push_back("avx4096");
  }));
  EXPECT_EQ(loaded.status, INTAGLIO_ENVIRONMENT);
  EXPECT_NE(loaded.text.find("the artifact was built for another CPU\n  expected: a CPU with the features of future-cpu\n  got:      this one lacks avx4096\n"), std::string::npos) << loaded.text;
}

TEST(Damage, AManifestThatLacksSomethingIsRefused) {
  const std::vector<std::string> paths{"/format_version", "/inputs", "/inputs/0", "/inputs/0/shape", "/inputs/0/shape/0", "/outputs", "/variants", "/variants/0", "/variants/0/layers", "/variants/0/layers_xxh64",
                                       "/variants/0/features", "/variants/0/plan", "/variants/0/code", "/variants/0/plan_xxh64", "/variants/0/code_xxh64"};
  for (const std::string& path : paths) {
    const Json::json_pointer pointer(path);
    const Loaded gone = load(with_manifest([&](Json& manifest) {
      Json& parent = manifest[pointer.parent_pointer()];
      parent.is_array() ? parent.erase(std::stoul(pointer.back())) : static_cast<void>(parent.erase(pointer.back()));
    }));
    EXPECT_EQ(gone.status, INTAGLIO_INVALID) << path << ": " << gone.text;
    const Loaded wrong = load(with_manifest([&](Json& manifest) { manifest[pointer] = {{"neither", "this"}}; }));
    EXPECT_EQ(wrong.status, INTAGLIO_INVALID) << path << ": " << wrong.text;
  }
}

TEST(Damage, AnArtifactThatLacksAnEntryIsRefused) {
  const Entries whole = unpack(artifact().bytes());
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Entries entries = whole;
    entries.erase(entries.begin() + static_cast<std::ptrdiff_t>(i));
    const Loaded loaded = load(pack(entries));
    EXPECT_EQ(loaded.status, INTAGLIO_INVALID) << whole[i].first;
    EXPECT_NE(loaded.text.find("the artifact has no " + whole[i].first), std::string::npos) << loaded.text;
  }
}

TEST(Damage, TruncatedArtifactsAreRefused) {
  const std::string bytes = artifact().bytes();
  std::mt19937 random(1);
  // All lengths near the end of an entry, and some of the others. The last two blocks only mark the end: one of them may be missing.
  std::vector<std::size_t> lengths{0, 1, 511, 512, 513, bytes.size() - 1025, bytes.size() - 1024, bytes.size() - 513};
  for (int i = 0; i < 60; ++i) lengths.push_back(random() % (bytes.size() - 1024));
  for (const TarEntry& found : read_tar_index(std::as_bytes(std::span(bytes)), "test")) {
    for (std::size_t length : {found.offset - 1, found.offset, found.offset + found.size - 1, found.offset + found.size}) lengths.push_back(length);
  }
  for (std::size_t length : lengths) {
    const Loaded loaded = load(bytes.substr(0, length));
    EXPECT_EQ(loaded.status, INTAGLIO_INVALID) << length << " bytes";
    EXPECT_NE(loaded.text.find("error: "), std::string::npos);
  }
}

/// Loads and runs what may be damaged. A file that is loaded may refuse inputs, but only as invalid.
intaglio_status use(const std::string& bytes, std::string& difference) {
  TemporaryFile file;
  file.write(bytes);
  try {
    const Model model(file.path());
    Context context(model, 1);
    const auto inputs = artifact().inputs(2, 1);
    difference = artifact().difference(inputs, run(model, context, inputs));
    return INTAGLIO_OK;
  } catch (const RuntimeError& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("error: ")) << error.what();
    return error.status();
  }
}

struct Region {
  std::string name;
  std::size_t begin, end;
};

/// The headers and contents of an artifact, in order, and the padding between them.
std::vector<Region> regions(const std::string& bytes) {
  std::vector<Region> result;
  for (const TarEntry& found : read_tar_index(std::as_bytes(std::span(bytes)), "test")) {
    result.push_back({"header", found.offset - 512, found.offset});
    result.push_back({found.name, found.offset, found.offset + found.size});
    const std::size_t padded = (found.size + 511) / 512 * 512;
    if (padded > found.size) result.push_back({"padding", found.offset + found.size, found.offset + padded});
  }
  return result;
}

/// Whether a header's sum, or its comparison, covers a byte: it does all but what ends the text of the sum itself.
bool is_summed(const Region& region, std::size_t position) {
  const std::size_t at = position - region.begin;
  return region.name == "header" && at != 154 && at != 155;
}

std::string flipped(std::string bytes, std::size_t position, int bit) {
  bytes[position] = static_cast<char>(bytes[position] ^ (1 << bit));
  return bytes;
}

// Layers, plan, code and headers are covered by checksums. Weights are not: damage there changes numbers. The rest may be refused, or does not matter.
TEST(Damage, FlippedBitsNeverCrashAndAreRefusedWhereAChecksumCoversThem) {
  const std::string bytes = artifact().bytes();
  std::mt19937 random(2);
  int refused = 0;
  for (const Region& region : regions(bytes)) {
    for (int i = 0; i < 40 && region.end > region.begin; ++i) {
      const std::size_t position = region.begin + random() % (region.end - region.begin);
      const int bit = static_cast<int>(random() % 8);
      const std::string what = fmt::format("bit {} of byte {} ({})", bit, position, region.name);
      std::string difference;
      const intaglio_status status = use(flipped(bytes, position, bit), difference);
      const bool covered = is_summed(region, position) || region.name.ends_with(INTAGLIO_PLAN_NAME) || region.name.ends_with(INTAGLIO_CPU_CODE_NAME) || region.name.ends_with(INTAGLIO_LAYERS_NAME);
      if (covered) {
        EXPECT_EQ(status, INTAGLIO_INVALID) << what;
      } else if (region.name != INTAGLIO_WEIGHTS_NAME) {
        EXPECT_EQ(difference, "") << what;
      }
      EXPECT_NE(status, INTAGLIO_INTERNAL) << what << ": " << intaglio_last_error();
      refused += status != INTAGLIO_OK;
    }
  }
  EXPECT_GT(refused, 200);
}

// With the checksum made to fit, the structure of the plan itself is checked: it is loaded and bound or refused, but nothing is read beyond it.
TEST(Damage, FlippedBitsInAPlanOfRightChecksumNeverCrash) {
  const Entries whole = unpack(artifact().bytes());
  std::mt19937 random(3);
  int refused = 0;
  for (int i = 0; i < 400; ++i) {
    Entries entries = whole;
    std::string& plan = entry(entries, INTAGLIO_PLAN_NAME);
    plan = flipped(plan, random() % plan.size(), static_cast<int>(random() % 8));
    std::string& text = entry(entries, INTAGLIO_MANIFEST_NAME);
    Json manifest = Json::parse(text);
    manifest["variants"][0]["plan_xxh64"] = fmt::format("{:016x}", XXH64(plan.data(), plan.size(), 0));
    text = manifest.dump(1);
    TemporaryFile file;
    file.write(pack(entries));
    try {
      const Model model(file.path());
      Context context(model, 1);
      context.bind(places(artifact().inputs(2, 1)));
    } catch (const RuntimeError& error) {
      EXPECT_EQ(error.status(), INTAGLIO_INVALID) << error.what();
      ++refused;
    }
  }
  EXPECT_GT(refused, 50);
}

}  // namespace
}  // namespace intaglio::test
