# Shared by the scripts here: where the repository and the cache are, and which cmake to use. Sourced, not run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${INTAGLIO_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/intaglio}
jobs=${INTAGLIO_JOBS:-$(nproc)}

# Versions that the cache is keyed by.
onnx_version=1.23.2
cmake_version=3.31.10
onnx_prefix="$cache/onnx-$onnx_version"
tools_venv="$cache/tools-cmake-$cmake_version"

step() { printf '\n== %s\n' "$*" >&2; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }
