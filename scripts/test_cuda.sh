#!/usr/bin/env bash
# Tests on a GPU: operators and models as code for sm_90a and as PTX, against ONNX Runtime; kernels against the reference; accuracy of every
# precision; then small cases under compute-sanitizer. Skipped, with a message, where there is no GPU.
# usage: scripts/test_cuda.sh [PYTEST-ARGUMENT..]      e.g. -k convolution: only these tests of operators and models
# INTAGLIO: the program, by default build/release/bin/intaglio; beside it codegen_tests, if built. INTAGLIO_PYTHON: a Python with onnx, onnxruntime,
# numpy, Pillow and pytest.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
if ! nvidia-smi -L > /dev/null 2>&1; then
  echo "skipped: scripts/test_cuda.sh: this machine has no NVIDIA GPU"
  exit 0
fi
export INTAGLIO=${INTAGLIO:-$root/build/release/bin/intaglio}
export INTAGLIO_PYTHON=${INTAGLIO_PYTHON:-$("$root/scripts/python_env.sh")}
variants=()
for arch in sm_90a ptx; do
  for options in "" "--checked " "--precision tf32 " "--precision bf16 " "--precision fp16 "; do
    variants+=("--target cuda --arch $arch ${options% }")
  done
done
single_precision="--target cuda --arch sm_90a;--target cuda --arch ptx"
every_precision=$(IFS=';'; echo "${variants[*]}")

INTAGLIO_VARIANTS=$every_precision "$INTAGLIO_PYTHON" -m pytest -q "$root/tests/models/test_contractions.py" "$@"
INTAGLIO_VARIANTS=$single_precision "$INTAGLIO_PYTHON" -m pytest -q "$root/tests/models" --ignore "$root/tests/models/test_contractions.py" "$@"
# What plain kernels compute above, computed by cuBLASLt where it takes it.
library=""
for options in "" "--precision tf32 " "--precision bf16 " "--precision fp16 "; do
  library+="${library:+;}--target cuda --enable-tactic cublaslt ${options% }"
done
INTAGLIO_VARIANTS=$library "$INTAGLIO_PYTHON" -m pytest -q "$root/tests/models/test_contractions.py" "$@"
if [ $# -gt 0 ]; then exit 0; fi
kernels=$(dirname "$INTAGLIO")/codegen_tests
if [ -x "$kernels" ]; then INTAGLIO_TEST_CUDA=run "$kernels" --gtest_brief=1; fi
"$root/scripts/regression.sh" --target cuda
if command -v compute-sanitizer > /dev/null; then
  export INTAGLIO_RUN_UNDER="compute-sanitizer --tool memcheck --error-exitcode 9 --log-file /dev/stderr"
  INTAGLIO_VARIANTS="--target cuda --arch sm_90a --precision fp16;--target cuda --arch ptx --precision fp16;$single_precision" \
    "$INTAGLIO_PYTHON" -m pytest -q "$root/tests/models/test_contractions.py" -k "convolution or product"
fi
