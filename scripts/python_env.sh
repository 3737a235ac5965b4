#!/usr/bin/env bash
# Makes the Python environment that prepares data and talks to ONNX Runtime, once a machine, and prints the path of its python.
set -euo pipefail
source "$(dirname "$0")/common.sh"
requirements=(numpy==2.2.6 pillow==12.0.0 onnx==$onnx_version onnxruntime==1.32.0 pytest==9.0.1)
key=$(printf '%s\n' "${requirements[@]}" | sha256sum | cut -c1-12)
env="$cache/python-$key"
if [ ! -e "$env/.complete" ]; then
  step "making the Python environment $env"
  rm -rf "$env"
  python3 -m venv "$env"
  "$env/bin/python" -m pip install -q --disable-pip-version-check "${requirements[@]}" >&2
  touch "$env/.complete"
fi
echo "$env/bin/python"
