// Reads pass tests and runs graphs on random numbers; see case.h.
#include "case.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>

#include "support/elements.h"

namespace intaglio::test {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("cannot read " + path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

/// What follows `key` on the first line, up to a space.
std::string header_field(const std::string& text, const std::string& key) {
  const std::string line = text.substr(0, text.find('\n'));
  const auto at = line.find(key);
  if (at == std::string::npos) throw std::runtime_error("no '" + key + "' in the first line");
  const auto begin = at + key.size();
  return line.substr(begin, line.find(' ', begin) - begin);
}

std::vector<Pass> parse_passes(const std::string& list) {
  std::vector<Pass> passes;
  std::istringstream names(list);
  for (std::string name; std::getline(names, name, ',');) {
    const Pass* pass = find_pass(name);
    if (!pass) throw std::runtime_error("no pass '" + name + "'");
    passes.push_back(*pass);
  }
  return passes;
}

/// "x:-1:2,y:0:6"
std::map<std::string, ValueRange> parse_ranges(const std::string& list) {
  std::map<std::string, ValueRange> ranges;
  std::istringstream items(list);
  for (std::string item; std::getline(items, item, ',');) {
    const auto first = item.find(':'), last = item.rfind(':');
    ranges[item.substr(0, first)] = {std::stod(item.substr(first + 1)), std::stod(item.substr(last + 1))};
  }
  return ranges;
}

template <typename T>
void fill_bits(Tensor& tensor, std::mt19937& random) {
  for (T& element : tensor.mutable_span<T>()) element = static_cast<T>(random() & 1);
}

Tensor random_tensor(DType dtype, Extents shape, std::mt19937& random) {
  Tensor tensor(dtype, std::move(shape));
  switch (dtype) {
    case DType::f32: {
      std::uniform_real_distribution<float> uniform(-2.0F, 2.0F);
      for (float& element : tensor.mutable_span<float>()) element = uniform(random);
      break;
    }
    case DType::f16:
    case DType::bf16: {
      std::uniform_real_distribution<double> uniform(-2.0, 2.0);
      for (std::int64_t i = 0; i < tensor.elements(); ++i) set_real(tensor, i, uniform(random));
      break;
    }
    case DType::i64:
      fill_bits<std::int64_t>(tensor, random);
      break;
    case DType::i32:
      fill_bits<std::int32_t>(tensor, random);
      break;
    case DType::boolean:
      fill_bits<std::uint8_t>(tensor, random);
      break;
    default:
      throw std::runtime_error("pass tests have no random numbers of this type");
  }
  return tensor;
}

std::string float_difference(const Tensor& expected, const Tensor& got, double rtol) {
  const auto want = expected.span<float>();
  const auto have = got.span<float>();
  float largest = 0;
  for (float value : want) {
    if (std::isfinite(value)) largest = std::max(largest, std::abs(value));
  }
  for (std::size_t i = 0; i < want.size(); ++i) {
    if (want[i] == have[i] || (std::isnan(want[i]) && std::isnan(have[i]))) continue;
    if (std::abs(want[i] - have[i]) <= rtol * largest) continue;
    return fmt::format("element {}: {} instead of {}", i, have[i], want[i]);
  }
  return {};
}

std::string difference(const Tensor& expected, const Tensor& got, double rtol) {
  if (expected.dtype() != got.dtype() || expected.shape() != got.shape()) return "another type or shape";
  if (expected.dtype() == DType::f32) return float_difference(expected, got, rtol);
  const auto* want = static_cast<const std::byte*>(expected.data());
  return std::equal(want, want + expected.bytes(), static_cast<const std::byte*>(got.data())) ? "" : "other integers";
}

}  // namespace

PassCase read_case(const std::string& path) {
  const std::string text = read_text(path);
  PassCase result;
  result.passes = parse_passes(header_field(text, "--passes="));
  const std::string header = text.substr(0, text.find('\n'));
  const auto has = [&](const char* key) { return header.find(key) != std::string::npos; };
  if (has("--precision=")) result.context.precision = parse_dtype(header_field(text, "--precision=")).value();
  if (has("--quantize=")) result.context.quantization.storage = parse_dtype(header_field(text, "--quantize=")).value();
  if (has("--ranges=")) result.context.quantization.ranges = parse_ranges(header_field(text, "--ranges="));
  if (has("--channels=")) result.context.target.least_channels = std::stoll(header_field(text, "--channels="));
  if (has("--window-word=")) result.context.target.window_word = std::stoll(header_field(text, "--window-word=")), result.context.target.longest_window = 128;
  if (has("--int4-rows=")) result.context.target.int4_rows = std::stoll(header_field(text, "--int4-rows="));
  result.context.target.int4_unknown_rows = has("--int4-unknown-rows");
  if (has("--attention=")) result.context.target.attention_columns = std::stoll(header_field(text, "--attention="));
  result.rtol = std::stod(header_field(text, "numbers: rtol "));
  auto graphs = parse_graphs(text, path);
  if (graphs.empty() || graphs.size() > 2) throw std::runtime_error("one or two graphs expected in " + path);
  result.after = graphs.size() == 2 ? std::move(graphs[1]) : graphs[0]->clone();
  result.before = std::move(graphs[0]);
  return result;
}

std::vector<Tensor> random_inputs(const Graph& graph, const std::map<std::string, std::int64_t>& symbols, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<Tensor> inputs;
  for (const auto& argument : graph.arguments()) {
    Extents shape;
    for (const Dim& dim : argument->type.shape) shape.push_back(dim.evaluate([&](const std::string& name) { return symbols.at(name); }));
    inputs.push_back(random_tensor(argument->type.dtype, std::move(shape), random));
  }
  return inputs;
}

std::vector<std::map<std::string, std::int64_t>> bindings(const Graph& graph) {
  const auto names = graph.symbols();
  if (names.empty()) return {{}};
  std::map<std::string, std::int64_t> ones;
  std::map<std::string, std::int64_t> distinct;
  std::int64_t extent = 2;
  for (const std::string& name : names) {
    ones[name] = 1;
    distinct[name] = extent++;
  }
  return {ones, distinct};
}

std::string first_difference(const std::vector<Tensor>& expected, const std::vector<Tensor>& got, double rtol) {
  if (expected.size() != got.size()) return "another number of results";
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const std::string text = difference(expected[i], got[i], rtol);
    if (!text.empty()) return fmt::format("result {}, {}", i, text);
  }
  return {};
}

}  // namespace intaglio::test
