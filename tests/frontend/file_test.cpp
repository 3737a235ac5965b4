// Bytes that are no model, or the beginning of one.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "models.h"
#include "support/diagnostics.h"

namespace intaglio::test {
namespace {

std::string whole() { return model("(float[N,4] x) => (float[N,4] y) <float[4] w = {1,2,3,4}> { [sum] a = Add(x, w)  [relu] y = Relu(a) }").SerializeAsString(); }

TEST(ModelFile, ThatIsEmptyIsRefused) { EXPECT_EQ(refusal_of_bytes(""), "error: m.onnx: the file is empty\n  expected: an ONNX model"); }

std::string not_onnx(const std::string& got) { return "error: m.onnx: not an ONNX model\n  expected: a protobuf of type ModelProto with a graph\n  got:      " + got; }

TEST(ModelFile, OfAnotherFormatIsGuessed) {
  const std::string rest(400, '\x7f');
  EXPECT_EQ(refusal_of_bytes("version https://git-lfs.github.com/spec/v1\n"), not_onnx("probably a Git LFS pointer: fetch the file itself with 'git lfs pull'"));
  EXPECT_EQ(refusal_of_bytes("PK\x03\x04" + rest), not_onnx("probably a zip archive (PyTorch saves .pt files so): export it with torch.onnx.export"));
  EXPECT_EQ(refusal_of_bytes("\x89HDF\r\n" + rest), not_onnx("probably an HDF5 file (Keras saves those): export it with tf2onnx"));
  EXPECT_EQ(refusal_of_bytes(std::string("\x1c\0\0\0TFL3", 8) + rest), not_onnx("probably a TensorFlow Lite model: convert it with tf2onnx"));
  EXPECT_EQ(refusal_of_bytes("\x1f\x8b\x08" + rest), not_onnx("probably compressed with gzip: unpack it first"));
  EXPECT_EQ(refusal_of_bytes(std::string(257, 'm') + "ustar" + rest), not_onnx("probably a tar archive: if it is an artifact, use 'intaglio run' or 'intaglio inspect'"));
  EXPECT_EQ(refusal_of_bytes("\x93NUMPY" + rest), not_onnx("probably a NumPy array"));
  EXPECT_EQ(refusal_of_bytes("<html>" + rest), not_onnx("probably an HTML or XML page: was it downloaded from the right address?"));
  EXPECT_EQ(refusal_of_bytes("{\"a\": 1}"), not_onnx("probably JSON text"));
  EXPECT_EQ(refusal_of_bytes(std::string(100, '\xff')), not_onnx("100 bytes that do not parse"));
}

TEST(ModelFile, WithoutAGraphIsRefused) {
  onnx::ModelProto empty;
  empty.set_ir_version(8);
  EXPECT_EQ(refusal_of_bytes(empty.SerializeAsString()), not_onnx("2 bytes that hold no graph"));
}

TEST(ModelFile, ThatIsCutShortIsRefused) {
  const std::string bytes = whole();
  ASSERT_EQ(refusal_of_bytes(bytes), "");
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_TRUE(refusal_of_bytes(bytes.substr(0, size)).starts_with("error: m.onnx: ")) << size << " of " << bytes.size() << " bytes";
  // The graph is the last but one field: the length that stands before it tells how long the file was.
  const std::string text = refusal_of_bytes(bytes.substr(0, bytes.size() / 2));
  EXPECT_TRUE(text.starts_with("error: m.onnx: the file is truncated\n  expected: at least ")) << text;
  EXPECT_NE(text.find(fmt::format("got:      {} bytes\n  help:     copy or download it again", bytes.size() / 2)), std::string::npos) << text;
}

TEST(ModelFile, ThatIsDamagedIsReadOrRefusedButNeverCrashes) {
  const std::string bytes = whole();
  std::mt19937 random(1);
  int refused = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string damaged = bytes;
    for (int changes = 1 + i % 3; changes > 0; --changes) {
      const std::size_t position = random() % damaged.size();
      damaged[position] = static_cast<char>(damaged[position] ^ (1 << random() % 8));
    }
    refused += !refusal_of_bytes(damaged).empty();
  }
  EXPECT_GT(refused, 1000);
}

TEST(ModelFile, ThatCannotBeReadIsTheEnvironmentsFault) {
  for (const auto& [path, reason] : {std::pair{"/no/such/model.onnx", "cannot open the model: No such file or directory"}, {"/", "cannot read the model: Is a directory"}}) {
    try {
      import_onnx(path);
      FAIL() << path;
    } catch (const CompileError& error) {
      EXPECT_EQ(error.code(), ErrorCode::environment);
      EXPECT_EQ(error.what(), fmt::format("error: {}: {}", path, reason));
    }
  }
}

}  // namespace
}  // namespace intaglio::test
