// The subcommands. Each adds itself to the app and runs from its callback; errors are thrown.
#pragma once

namespace CLI {
class App;
}

namespace intaglio {

void add_compile(CLI::App& app);
/// `exit_code` becomes 1 where results differ from what was expected.
void add_run(CLI::App& app, int& exit_code);
void add_bench(CLI::App& app);
void add_inspect(CLI::App& app);
void add_opt(CLI::App& app);

}  // namespace intaglio
