#!/usr/bin/env bash
# Compiles the ResNet-50 in every precision that this machine can run; checks accuracy on labelled images and latency against ONNX Runtime
# with the tables of tests/regression/. Exit code 1 on a miss, or where a precision is refused for another reason than what the machine lacks.
# usage: scripts/regression.sh [OPTION..]
#   --samples 0                              all 1,000 images instead of the first 200
#   --precisions fp32,int8                   only these
#   --target cuda                            on a GPU
#   --model MODEL.onnx --data DATA.npz       your own: an array for each input, preprocessed, samples first, and `labels`
#   --calibrate SAMPLES.npz                  samples for --quantize (default: of the data)
#   --tables FOLDER                          your own accuracy.json and latency.json
set -euo pipefail
source "$(dirname "$0")/common.sh"
if [ -z "${INTAGLIO:-}" ]; then
  "$root/scripts/build.sh" release
  INTAGLIO="$root/build/release/bin/intaglio"
fi
step "accuracy and latency by precision"
"${INTAGLIO_PYTHON:-$("$root/scripts/python_env.sh")}" "$root/tests/regression/regression.py" --intaglio "$INTAGLIO" "$@"
