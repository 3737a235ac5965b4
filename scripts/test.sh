#!/usr/bin/env bash
# Sets up, builds, and runs all tests: ctest for the C++ ones, pytest for those that talk to ONNX Runtime.
# The tests of fetched models are skipped where there is no network.
set -euo pipefail
source "$(dirname "$0")/common.sh"
"$root/scripts/build.sh" release
if models=$("$root/scripts/models.sh"); then
  export INTAGLIO_MODELS=$models
else
  echo "the models could not be fetched and exported: their tests are skipped" >&2
fi
step "running the C++ tests"
"$tools_venv/bin/ctest" --test-dir "$root/build/release" -j "$jobs" --output-on-failure --no-tests=error
step "running the tests that use Python"
python=$("$root/scripts/python_env.sh")
"$python" -m pytest -q "$root/tests/models" "$root/tests/structure" "$root/tests/errors" "$root/tests/tools" "$root/tests/regression"
