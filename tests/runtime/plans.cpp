// See plans.h.
#include "plans.h"

#define XXH_INLINE_ALL
#include <fmt/format.h>
#include <xxhash.h>

#include <nlohmann/json.hpp>

#include "artifacts.h"
#include "codegen/backend.h"
#include "intaglio/artifact.h"
#include "passes/pass.h"

namespace intaglio::test {

std::string refusal_of_plan(const std::string& graph_text, const CodegenOptions& options, const std::function<void(Plan&)>& change) {
  static const Artifact artifact(perceptron_text());
  const auto graph = std::move(parse_graphs(graph_text, "test").front());
  run_passes(*graph, pipeline(), {}, {});
  WeightStore weights;
  Plan plan = make_plan(*graph, *make_backends(options).front(), weights);
  change(plan);
  Entries entries = unpack(artifact.bytes());
  std::string& bytes = entry(entries, INTAGLIO_PLAN_NAME);
  bytes = serialize_plan(*graph, plan, {});
  std::string& text = entry(entries, INTAGLIO_MANIFEST_NAME);
  auto manifest = nlohmann::ordered_json::parse(text);
  manifest["variants"][0]["plan_xxh64"] = fmt::format("{:016x}", XXH64(bytes.data(), bytes.size(), 0));
  text = manifest.dump(1);
  return load(pack(entries)).text;
}

}  // namespace intaglio::test
