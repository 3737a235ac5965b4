#!/usr/bin/env bash
# Sets up and builds. The program is build/PRESET/bin/intaglio.
# usage: scripts/build.sh [release|dev|asan]      INTAGLIO_JOBS=N limits the compilers that run at once
set -euo pipefail
source "$(dirname "$0")/common.sh"
preset=${1:-release}
"$root/scripts/setup.sh"
# Objects of equal sources are shared between checkouts.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
cd "$root"
step "building ($preset)"
"$tools_venv/bin/cmake" --preset "$preset" -DCMAKE_PREFIX_PATH="$onnx_prefix" >&2
"$tools_venv/bin/cmake" --build "build/$preset" -j "$jobs" >&2
