#!/usr/bin/env bash
# Sets up, builds, compiles the ResNet-50, labels 32 real images and times it.
set -euo pipefail
source "$(dirname "$0")/common.sh"
"$root/scripts/build.sh" release
python=$("$root/scripts/python_env.sh")
intaglio="$root/build/release/bin/intaglio"
work="$root/build/demo"
mkdir -p "$work"
step "preparing 32 images"
"$python" "$root/scripts/prepare_images.py" "$root/models/cifar10-1000.npz" "$work" --count 32
step "compiling the ResNet-50"
"$intaglio" compile "$root/models/resnet50-cifar10.onnx" -o "$work/resnet50.tar"
step "labelling"
"$intaglio" run "$work/resnet50.tar" --input "$work/images.npy" --output "$work/logits.npz" --print-top 1 --labels "$work/classes.txt"
"$python" - "$work" <<'PY'
import sys
import numpy as np
folder = sys.argv[1]
right = np.load(folder + "/logits.npz")["logits"].argmax(1) == np.load(folder + "/labels.npy")
print(f"{right.sum()} of {right.size} right")
PY
step "timing one image at a time"
"$intaglio" bench "$work/resnet50.tar" --duration 3
