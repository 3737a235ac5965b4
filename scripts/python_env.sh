#!/usr/bin/env bash
# Makes a Python environment, once a machine and list of packages, and prints the path of its python.
# usage: scripts/python_env.sh [tests|peers|models]
#   tests   prepares data and talks to ONNX Runtime (default)
#   peers   also has what Intaglio is timed against
#   models  also has what exports models (torch: about 6 GB, 90 s)
set -euo pipefail
source "$(dirname "$0")/common.sh"
requirements=(numpy==2.2.6 pillow==12.0.0 onnx==$onnx_version onnxruntime==1.32.0 pytest==9.0.1)
case ${1:-tests} in
  tests) ;;
  peers) requirements+=(openvino==2026.4.1) ;;
  models) requirements+=(torch==2.15.0 torchvision==0.29.2 transformers==5.23.0 onnxscript==0.7.2) ;;
  *) fail "unknown environment '$1': tests, peers or models" ;;
esac
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
