#!/usr/bin/env bash
# Times the four benchmark models and a Q/DQ int8 ResNet-50 against ONNX Runtime and OpenVINO, interleaved in one run, on 2 threads and on
# 1; then each convolution and matrix product by itself against the machine's roofline. Fails when a ratio is above the bar or an output is off.
# usage: scripts/bench_cpu.sh [--rounds R] [--bar RATIO]      on an otherwise idle machine; about 6 minutes with 3 rounds
set -euo pipefail
source "$(dirname "$0")/common.sh"
options=(--rounds 3 --bar 1.3 "$@")
"$root/scripts/build.sh" release
python=$("$root/scripts/python_env.sh" peers)
models=$("$root/scripts/models.sh")
bin="$root/build/release/bin"
onnx=("$models"/{resnet50,mobilenet_v2,vit_b_16,bert_s128}.onnx)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$python" "$root/tools/peers/quantize_models.py" "$work" "$models/resnet50.onnx" 2> /dev/null
onnx+=("$work/resnet50_u8s8.onnx")
step "the machine: $(sed -n 's/^model name\s*: //p' /proc/cpuinfo | head -1)"
"$bin/machine_peak"
failed=0
for threads in 2 1; do
  step "whole models on $threads threads"
  "$python" "$root/tools/peers/cpu_peers.py" "${onnx[@]}" --intaglio "$bin/intaglio" --threads "$threads" "${options[@]}" || failed=1
done
step "single kernels"
for model in "${onnx[@]}"; do
  "$bin/intaglio" compile "$model" -o "$work/$(basename "$model" .onnx).tar" --progress none
done
"$bin/bench_contractions" "$work"/*.tar
exit $failed
