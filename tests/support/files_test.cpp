// Output files are whole or not there; messages have one shape.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "support/diagnostics.h"
#include "support/files.h"

namespace intaglio::test {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ / name; }
  std::size_t count() const { return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_), fs::directory_iterator())); }

 private:
  fs::path folder_;
};

TEST_F(Files, AreReadBack) {
  write_file(path("a"), [](std::ostream& out) { out << std::string("x\0y", 3); });
  EXPECT_EQ(read_file(path("a")), std::string("x\0y", 3));
  EXPECT_EQ(count(), 1u);
}

TEST_F(Files, KeepTheOldContentWhereWritingFails) {
  write_file(path("a"), [](std::ostream& out) { out << "old"; });
  EXPECT_THROW(write_file(path("a"),
                          [](std::ostream& out) {
                            out << "half";
                            throw std::runtime_error("stop");
                          }),
               std::runtime_error);
  EXPECT_EQ(read_file(path("a")), "old");
  EXPECT_EQ(count(), 1u);
}

TEST_F(Files, ThatCannotBeWrittenAreOfTheEnvironment) {
  const auto code = [](const std::string& file) {
    try {
      write_file(file, [](std::ostream& out) { out << "content"; });
    } catch (const CompileError& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  EXPECT_EQ(code(path("missing/a")), ErrorCode::environment);
  EXPECT_EQ(code("/dev/full"), ErrorCode::environment);
  EXPECT_EQ(count(), 0u);
}

TEST_F(Files, ThatAreMissingAreNamed) {
  try {
    read_file(path("missing"));
    FAIL();
  } catch (const CompileError& error) {
    EXPECT_EQ(error.code(), ErrorCode::environment);
    EXPECT_NE(std::string(error.what()).find(path("missing")), std::string::npos);
  }
}

TEST(Diagnostics, HaveOneShape) {
  EXPECT_EQ(to_text(Diagnostic{"model.onnx: node 'a'", "is wrong", "this", "that", "do so"}), "error: model.onnx: node 'a': is wrong\n  expected: this\n  got:      that\n  help:     do so");
  EXPECT_EQ(to_text(Diagnostic{"", "is wrong"}), "error: is wrong");
}

}  // namespace
}  // namespace intaglio::test
