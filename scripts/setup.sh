#!/usr/bin/env bash
# Installs what Intaglio is built with on a fresh Debian 12 (as root, or with sudo): LLVM 22 and the libraries from Debian,
# CMake from PyPI, and the ONNX C++ library, built once a machine into the cache folder.
# usage: scripts/setup.sh          INTAGLIO_CACHE=FOLDER moves the cache (default ~/.cache/intaglio)
set -euo pipefail
source "$(dirname "$0")/common.sh"

packages=(
  g++ make ninja-build ccache git ca-certificates file binutils xz-utils python3 python3-venv
  llvm-22-dev liblld-22-dev lld-22
  libprotobuf-dev protobuf-compiler
  libfmt-dev libcli11-dev libflatbuffers-dev flatbuffers-compiler nlohmann-json3-dev libxxhash-dev libarchive-dev
  libgtest-dev libbenchmark-dev
  zlib1g-dev libzstd-dev libxml2-dev libcurl4-openssl-dev libedit-dev
)

missing_packages() {
  local package
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'install ok installed' || echo "$package"
  done
}

install_packages() {
  local missing
  mapfile -t missing < <(missing_packages)
  [ ${#missing[@]} -gt 0 ] || return 0
  local as_root=()
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || fail "these packages are missing, and neither root nor sudo is there to install them: ${missing[*]}"
    as_root=(sudo)
  fi
  step "installing ${missing[*]}"
  "${as_root[@]}" apt-get update -q >&2
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
}

install_cmake() {
  [ ! -x "$tools_venv/bin/cmake" ] || return 0
  step "installing CMake $cmake_version into $tools_venv"
  python3 -m venv "$tools_venv.part"
  rm -rf "$tools_venv"
  "$tools_venv.part/bin/python" -m pip install -q --disable-pip-version-check "cmake==$cmake_version"
  # A venv is not relocatable, but cmake's data folder is found from the real path of its binary.
  mv "$tools_venv.part" "$tools_venv"
  ln -sf "$(echo "$tools_venv"/lib/python3*/site-packages/cmake/data/bin/cmake)" "$tools_venv/bin/cmake"
  ln -sf "$(echo "$tools_venv"/lib/python3*/site-packages/cmake/data/bin/ctest)" "$tools_venv/bin/ctest"
}

install_onnx() {
  [ ! -e "$onnx_prefix/.complete" ] || return 0
  step "building the ONNX $onnx_version C++ library into $onnx_prefix (about 4 minutes on 2 cores, once a machine)"
  local work
  work=$(mktemp -d)
  trap 'rm -rf "$work"' RETURN
  python3 -m venv "$work/venv"
  "$work/venv/bin/python" -m pip download -q --disable-pip-version-check --no-deps --no-binary onnx "onnx==$onnx_version" -d "$work"
  tar -xf "$work/onnx-$onnx_version.tar.gz" -C "$work"
  rm -rf "$onnx_prefix"
  "$tools_venv/bin/cmake" -S "$work/onnx-$onnx_version" -B "$work/build" -G Ninja \
    -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_STANDARD=20 -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_INSTALL_PREFIX="$onnx_prefix" \
    -DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DONNX_BUILD_PYTHON=OFF -DONNX_GEN_PB_TYPE_STUBS=OFF -DONNX_USE_PROTOBUF_SHARED_LIBS=ON >&2
  "$tools_venv/bin/cmake" --build "$work/build" -j "$jobs" >&2
  "$tools_venv/bin/cmake" --install "$work/build" >/dev/null
  touch "$onnx_prefix/.complete"
}

if ! grep -q '^VERSION_CODENAME=bookworm' /etc/os-release 2>/dev/null; then
  fail "this script knows Debian 12 only. On another system install: CMake >= 3.26, g++ >= 12, Ninja, LLVM and LLD 22 (libraries), protobuf >= 3.21, fmt, CLI11, FlatBuffers, nlohmann-json, xxHash, libarchive, GoogleTest, Google Benchmark, and the onnx $onnx_version C++ library (set onnx_DIR)"
fi
mkdir -p "$cache"
install_packages
install_cmake
install_onnx
