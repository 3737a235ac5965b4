#!/usr/bin/env bash
# Tests on a GPU: operators and models as code for sm_90a and as PTX, against ONNX Runtime; then small cases under compute-sanitizer.
# Skipped, with a message, where there is no GPU.
# usage: scripts/test_cuda.sh [PYTEST-ARGUMENT..]      e.g. -k convolution
# INTAGLIO: the program, by default build/release/bin/intaglio. INTAGLIO_PYTHON: a Python with onnx, onnxruntime, numpy, Pillow and pytest.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if ! nvidia-smi -L > /dev/null 2>&1; then
  echo "skipped: scripts/test_cuda.sh: this machine has no NVIDIA GPU"
  exit 0
fi
export INTAGLIO=${INTAGLIO:-$root/build/release/bin/intaglio}
python=${INTAGLIO_PYTHON:-$("$root/scripts/python_env.sh")}
export INTAGLIO_VARIANTS="--target cuda --arch sm_90a;--target cuda --arch ptx"
"$python" -m pytest -q "$root/tests/models" "$@"
if command -v compute-sanitizer > /dev/null; then
  export INTAGLIO_RUN_UNDER="compute-sanitizer --tool memcheck --error-exitcode 9 --log-file /dev/stderr"
  "$python" -m pytest -q "$root/tests/models/test_contractions.py" -k "convolution" "$@"
fi
