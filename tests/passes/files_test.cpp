// Every tests/passes/<pass>/*.ir: the passes turn @before into @after, and both compute the same numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "case.h"

namespace intaglio::test {
namespace {

std::vector<std::string> case_files() {
  std::vector<std::string> files;
  const std::filesystem::path folder = std::filesystem::path(INTAGLIO_SOURCE_DIR) / "tests" / "passes";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".ir") files.push_back(std::filesystem::relative(entry.path(), folder).string());
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string test_name(const testing::TestParamInfo<std::string>& file) {
  std::string name = file.param.substr(0, file.param.rfind('.'));
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(static_cast<unsigned char>(c)) == 0; }, '_');
  return name;
}

class PassFile : public testing::TestWithParam<std::string> {};

TEST_P(PassFile, TurnsBeforeIntoAfter) {
  const std::string path = std::string(INTAGLIO_SOURCE_DIR) + "/tests/passes/" + GetParam();
  const PassCase test = read_case(path);
  verify(*test.before);
  const auto result = test.before->clone();
  RunnerOptions options;
  options.verify_each = true;
  run_passes(*result, test.passes, test.context, options);

  std::string why;
  EXPECT_TRUE(structurally_equal(*test.after, *result, &why)) << path << ": " << why << "\ngot:\n" << to_text(*result);
  unsigned seed = 1;
  for (const auto& binding : bindings(*test.before)) {
    const auto inputs = random_inputs(*test.before, binding, seed++);
    EXPECT_EQ(first_difference(evaluate(*test.before, inputs), evaluate(*result, inputs), test.rtol), "") << path;
  }
}

INSTANTIATE_TEST_SUITE_P(All, PassFile, testing::ValuesIn(case_files()), test_name);

// A folder that is empty, or a name that no pass has, would test nothing without a word.
TEST(PassFiles, EveryPassHasARewriteAndARefusal) {
  const auto files = case_files();
  for (const Pass& pass : pipeline()) {
    int rewrites = 0;
    int refusals = 0;
    for (const std::string& file : files) {
      if (file.rfind(std::string(pass.name) + "/", 0) != 0) continue;
      const PassCase test = read_case(std::string(INTAGLIO_SOURCE_DIR) + "/tests/passes/" + file);
      (structurally_equal(*test.before, *test.after, nullptr) ? refusals : rewrites)++;
    }
    EXPECT_GT(rewrites, 0) << pass.name;
    EXPECT_GT(refusals, 0) << pass.name;
  }
}

}  // namespace
}  // namespace intaglio::test
