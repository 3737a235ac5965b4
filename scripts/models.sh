#!/usr/bin/env bash
# Fetches and exports the models that tests and benchmarks use, once a machine and version of the scripts, and prints their folder:
# efficientnet_lite0, minilm (trained), resnet50, mobilenet_v2, vit_b_16, bert_s128 (random weights); smart-turn and labelled images under fetched/.
# Needs the network and, until exported, about 7 GB for torch.
set -euo pipefail
source "$(dirname "$0")/common.sh"
sources=("$root"/models/{fetch.py,fetched.txt,export_efficientnet_lite0.py,export_minilm.py} "$root"/tools/peers/export_models.py "$root"/scripts/python_env.sh)
key=$(cat "${sources[@]}" | sha256sum | cut -c1-12)
folder="$cache/models-$key"
if [ ! -e "$folder/.complete" ]; then
  python=$("$root/scripts/python_env.sh" models)
  step "exporting the models to $folder"
  mkdir -p "$folder"
  "$python" "$root/models/fetch.py" "$folder/fetched" >&2
  "$python" "$root/models/export_efficientnet_lite0.py" "$folder/fetched" "$folder/efficientnet_lite0.onnx" >&2
  "$python" "$root/models/export_minilm.py" "$folder/fetched" "$folder/minilm.onnx" >&2
  "$python" "$root/tools/peers/export_models.py" "$folder" >&2
  touch "$folder/.complete"
fi
echo "$folder"
