"""Profiles of one model as a Markdown table: a row a layer, and for each profile its time, its rates and the share of the GPU's peak.

usage: layer_table.py NAME=PROFILE.json ..        the profiles are what `intaglio bench --export-profile` wrote on a GPU, say of several batch sizes
The share is max(operations / peak, bytes / bandwidth) / time, where peak and bandwidth are computed from the chip's clocks (see `bench --profile`);
m marks what memory bounds.
"""
import json
import sys


def layer_name(step):
    """The ONNX node with the most arithmetic is named like a layer: '/layer1/layer1.0/conv1/Conv' is layer1.0.conv1."""
    nodes = step.get("nodes") or [step["kernel"]]
    node = next((n for n in nodes if n.split("/")[-1].startswith(("Conv", "Gemm", "MatMul"))), nodes[0])
    parts = [part for part in node.split("/") if part]
    if len(parts) > 1:
        parts.pop()  # the operator
    return ".".join(part for i, part in enumerate(parts) if i + 1 == len(parts) or not parts[i + 1].startswith(part + "."))


def cells(step):
    share = f"{100 * step['peak_share']:.0f} %{' m' if step['bound_by'] == 'memory' else ''}" if "peak_share" in step else "-"
    return [f"{step['us']:.1f}", f"{step['gflops'] / 1e3:.0f}" if step["gflops"] else "-", f"{step['gbytes_per_s']:.0f}", share]


def total_row(steps):
    us = sum(step["us"] for step in steps)
    least = sum(step["us"] * step.get("peak_share", 0) for step in steps)
    flops, moved = (sum(step[key] for step in steps) for key in ("flops", "bytes"))
    return [f"{us:.1f}", f"{flops / us / 1e6:.0f}", f"{moved / us / 1e3:.0f}", f"{100 * least / us:.0f} %"]


def main():
    names, profiles = [], []
    for argument in sys.argv[1:]:
        name, _, path = argument.rpartition("=")
        with open(path) as file:
            profiles.append([step for step in json.load(file) if "flops" in step])  # without the copies of inputs and outputs
        names.append(name)
    if not profiles or any(len(profile) != len(profiles[0]) for profile in profiles):
        sys.exit("profiles of one model are needed: " + __doc__.split("\n")[2])
    columns = ["us", "TFLOP/s", "GB/s", "peak"]
    print("| layer | result | " + " | ".join(f"{name} {column}" for name in names for column in columns) + " |")
    print("|---|---|" + "---|" * (len(names) * len(columns)))
    for steps in zip(*profiles):
        row = [layer_name(steps[0]), steps[0]["shape"].split("{")[0], *(cell for step in steps for cell in cells(step))]
        print("| " + " | ".join(row) + " |")
    print("| all | | " + " | ".join(cell for profile in profiles for cell in total_row(profile)) + " |")


if __name__ == "__main__":
    main()
