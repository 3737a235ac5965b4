// Reading and parsing, and guesses at what a file is that does not parse.
#include "frontend/onnx/model_file.h"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <optional>

#include <fmt/format.h>

#include "support/diagnostics.h"

namespace intaglio {
namespace {

[[noreturn]] void refuse(const std::string& name, std::string message, std::string expected = {}, std::string got = {}, std::string help = {}) {
  throw CompileError(ErrorCode::invalid, Diagnostic{name, std::move(message), std::move(expected), std::move(got), std::move(help)});
}

/// What the first bytes betray of a file that is not ONNX; empty if nothing.
std::string_view guess_format(std::string_view bytes) {
  struct Signature {
    std::size_t offset;
    std::string_view magic;
    std::string_view what;
  };
  static constexpr Signature kSignatures[] = {
      {0, "version https://git-lfs", "a Git LFS pointer: fetch the file itself with 'git lfs pull'"},
      {0, "PK\x03\x04", "a zip archive (PyTorch saves .pt files so): export it with torch.onnx.export"},
      {0, "\x89HDF", "an HDF5 file (Keras saves those): export it with tf2onnx"},
      {4, "TFL3", "a TensorFlow Lite model: convert it with tf2onnx"},
      {0, "\x1f\x8b", "compressed with gzip: unpack it first"},
      {257, "ustar", "a tar archive: if it is an artifact, use 'intaglio run' or 'intaglio inspect'"},
      {0, "\x93NUMPY", "a NumPy array"},
      {0, "<", "an HTML or XML page: was it downloaded from the right address?"},
      {0, "{", "JSON text"},
  };
  for (const Signature& signature : kSignatures) {
    if (bytes.size() >= signature.offset && bytes.substr(signature.offset).starts_with(signature.magic)) return signature.what;
  }
  return {};
}

/// Reads a varint at `position` and moves it on; nothing at the end of the bytes or if it is too long.
std::optional<std::uint64_t> read_varint(std::string_view bytes, std::size_t& position) {
  std::uint64_t value = 0;
  for (int shift = 0; shift < 64 && position < bytes.size(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[position++]);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  return std::nullopt;
}

/// The wire type that ModelProto's field has: 0 varint, 2 with a length; nothing for a number that is no field of it.
std::optional<int> model_wire_type(std::uint64_t field) {
  switch (field) {
    case 1:   // ir_version
    case 5:   // model_version
      return 0;
    case 2:   // producer_name
    case 3:   // producer_version
    case 4:   // domain
    case 6:   // doc_string
    case 7:   // graph
    case 8:   // opset_import
    case 14:  // metadata_props
    case 20:  // training_info
    case 25:  // functions
    case 26:  // configuration
      return 2;
    default:
      return std::nullopt;
  }
}

/// How many bytes the file must have had, judged by the lengths of the model's fields; nothing if the bytes are not those of a model that was cut off.
std::optional<std::uint64_t> size_before_truncation(std::string_view bytes) {
  std::size_t position = 0;
  bool any = false;
  while (position < bytes.size()) {
    const std::optional<std::uint64_t> tag = read_varint(bytes, position);
    if (!tag) return any ? std::optional<std::uint64_t>(bytes.size() + 1) : std::nullopt;
    if (model_wire_type(*tag >> 3) != static_cast<int>(*tag & 7)) return std::nullopt;
    const std::optional<std::uint64_t> value = read_varint(bytes, position);
    if (!value) return any ? std::optional<std::uint64_t>(bytes.size() + 1) : std::nullopt;
    any = true;
    if ((*tag & 7) == 0) continue;
    if (*value > bytes.size() - position) return position + *value;
    position += *value;
  }
  return std::nullopt;
}

}  // namespace

std::string read_model_file(const std::string& path, const std::string& name) {
  const auto fail = [&name](const char* what) {
    throw CompileError(ErrorCode::environment, Diagnostic{name, fmt::format("{}: {}", what, std::strerror(errno))});
  };
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), [](std::FILE* f) { return f ? std::fclose(f) : 0; });
  if (!file) fail("cannot open the model");
  // Read in pieces and not by size, so that a pipe is read as well.
  constexpr std::size_t kPiece = std::size_t{16} << 20;
  std::string bytes;
  if (std::fseek(file.get(), 0, SEEK_END) == 0) {
    const long size = std::ftell(file.get());
    if (size > 0 && size < std::numeric_limits<std::int32_t>::max()) bytes.reserve(static_cast<std::size_t>(size));
    std::rewind(file.get());
  }
  for (;;) {
    const std::size_t before = bytes.size();
    bytes.resize(before + kPiece);
    const std::size_t got = std::fread(bytes.data() + before, 1, kPiece, file.get());
    bytes.resize(before + got);
    if (got < kPiece) break;
  }
  if (std::ferror(file.get())) fail("cannot read the model");
  return bytes;
}

std::unique_ptr<onnx::ModelProto> parse_model(std::string_view bytes, const std::string& name) {
  if (bytes.empty()) refuse(name, "the file is empty", "an ONNX model");
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    refuse(name, "the file is over 2 GiB, which protobuf cannot hold", "at most 2147483647 bytes", fmt::format("{} bytes", bytes.size()));
  }
  auto model = std::make_unique<onnx::ModelProto>();
  const bool parsed = model->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()));
  if (!parsed) {
    if (const std::optional<std::uint64_t> size = size_before_truncation(bytes)) {
      refuse(name, "the file is truncated", fmt::format("at least {} bytes", *size), fmt::format("{} bytes", bytes.size()), "copy or download it again");
    }
  }
  // Short texts can parse as a protobuf of unknown fields: a model has a graph.
  if (!parsed || !model->has_graph()) {
    const std::string_view guess = guess_format(bytes);
    refuse(name, "not an ONNX model", "a protobuf of type ModelProto with a graph",
           guess.empty() ? fmt::format("{} bytes that {}", bytes.size(), parsed ? "hold no graph" : "do not parse") : fmt::format("probably {}", guess));
  }
  return model;
}

}  // namespace intaglio
