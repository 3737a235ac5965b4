"""Times Intaglio and what a CPU user would pick instead, ONNX Runtime and OpenVINO, interleaved in one run.

usage: cpu_peers.py MODEL.onnx.. --intaglio BINARY [--threads N] [--rounds R] [--bar 1.3 | --bar resnet50=1.1,vit_b_16=1.2]
Prints for each model and peer the median of the rounds' medians, the least of them, the seconds to build, and the largest difference
from ONNX Runtime's output; then the ratio of Intaglio's time to the faster peer's: the median over rounds, since a round's times share
whatever else the machine was doing. With --bar, exits 1 when a ratio is above it or an output is off by more than 1e-3 of its largest
value (a quantized model: 5e-2). Run on an otherwise idle machine; machine_peak prints its peak.
"""
import argparse
import json
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnx

ROUND_SECONDS = 1.5
TOLERANCE = 1e-3
# Quantized models: a few steps of the output, by which ONNX Runtime differs from itself between optimization levels.
QUANTIZED_TOLERANCE = 5e-2


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=pathlib.Path)
    parser.add_argument("--intaglio", required=True, help="the program")
    parser.add_argument("--options", default="", help="further options of `intaglio compile`; the output is then not judged")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", default="ort,ov")
    parser.add_argument("--feeds", type=pathlib.Path, help="a folder of MODEL.npz for inputs that noise would not suit")
    parser.add_argument("--bar", help="the largest ratio allowed, for all models or as MODEL=RATIO,..")
    return parser.parse_args()


def make_feed(model, feeds, name):
    """Seeded noise for every input, dynamic dimensions as 1, unless `feeds` holds values."""
    if feeds and (feeds / f"{name}.npz").exists():
        return dict(np.load(feeds / f"{name}.npz"))
    random = np.random.default_rng(0)
    initializers = {tensor.name for tensor in model.graph.initializer}
    feed = {}
    for value in model.graph.input:
        if value.name in initializers:
            continue
        tensor = value.type.tensor_type
        shape = [dimension.dim_value or 1 for dimension in tensor.shape.dim]
        dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)
        noise = random.standard_normal(shape) if np.issubdtype(dtype, np.floating) else random.integers(0, 1000, shape)
        feed[value.name] = noise.astype(dtype)
    return feed


def operators_of(path):
    return {node.op_type for node in onnx.load(path, load_external_data=False).graph.node}


def milliseconds_of_round(run):
    """The median of the calls that fit into a round, after one that warms up."""
    run()
    times = []
    end = time.perf_counter() + ROUND_SECONDS
    while time.perf_counter() < end or len(times) < 3:
        start = time.perf_counter()
        run()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


class OnnxRuntime:
    def __init__(self, path, feed, arguments):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = arguments.threads
        operators = operators_of(path)
        if "DequantizeLinear" in operators and "QuantizeLinear" not in operators:
            # int8 is storage only: without this each run dequantizes the weights anew.
            options.add_session_config_entry("session.disable_quant_qdq", "1")
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.feed = feed

    def outputs(self):
        return self.session.run(None, self.feed)

    def milliseconds(self):
        return milliseconds_of_round(self.outputs)


class OpenVino:
    def __init__(self, path, feed, arguments):
        import openvino

        settings = {"INFERENCE_NUM_THREADS": arguments.threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        compiled = openvino.Core().compile_model(str(path), "CPU", settings)
        self.count = len(compiled.outputs)
        self.request = compiled.create_infer_request()
        for name, value in feed.items():
            self.request.set_tensor(name, openvino.Tensor(value))

    def outputs(self):
        self.request.infer()
        return [self.request.get_output_tensor(i).data for i in range(self.count)]

    def milliseconds(self):
        return milliseconds_of_round(self.outputs)


class Intaglio:
    """Compiles once; outputs pass through files, times come from `intaglio bench`."""

    def __init__(self, path, feed, arguments):
        self.program = arguments.intaglio
        self.threads = str(arguments.threads)
        self.folder = tempfile.TemporaryDirectory()
        self.artifact = f"{self.folder.name}/model.tar"
        self.input = f"{self.folder.name}/in.npz"
        self.names = [output.name for output in onnx.load(path, load_external_data=False).graph.output]
        np.savez(self.input, **feed)
        self.call("compile", str(path), "-o", self.artifact, "--progress", "none", *shlex.split(arguments.options))

    def call(self, *words):
        done = subprocess.run([self.program, *words], capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return done.stdout

    def outputs(self):
        output = f"{self.folder.name}/out.npz"
        self.call("run", self.artifact, "--input", self.input, "--output", output, "--threads", self.threads)
        arrays = np.load(output)
        return [arrays[name] for name in self.names]

    def milliseconds(self):
        duration = ["--duration", str(ROUND_SECONDS), "--warmup", "200"]
        report = self.call("bench", self.artifact, "--input", self.input, "--threads", self.threads, *duration, "--json", "-")
        return json.loads(report)["latency_ms"]["median"]


RUNNERS = {"ort": OnnxRuntime, "ov": OpenVino, "intaglio": Intaglio}


def largest_difference(outputs, reference):
    return max(float(np.abs(a.astype(np.float64) - b).max()) for a, b in zip(outputs, reference, strict=True))


def bar_of(arguments, name):
    if not arguments.bar:
        return float("inf")
    if "=" not in arguments.bar:
        return float(arguments.bar)
    return float(dict(entry.split("=") for entry in arguments.bar.split(","))[name])


def measure(path, arguments):
    """Prints the model's lines; true if Intaglio is right and within the bar."""
    name = path.stem
    feed = make_feed(onnx.load(path, load_external_data=False), arguments.feeds, name)
    runners, reference, difference = {}, None, float("nan")
    for peer in [*arguments.peers.split(","), "intaglio"]:
        start = time.perf_counter()
        runners[peer] = RUNNERS[peer](path, feed, arguments)
        outputs = [np.array(output) for output in runners[peer].outputs()]
        seconds = time.perf_counter() - start
        if peer == "ort":
            reference = [output.astype(np.float64) for output in outputs]
        difference = largest_difference(outputs, reference) if reference else float("nan")
        print(f"{name} {peer}: built and run once in {seconds:.1f} s, differs from ONNX Runtime by {difference:.2g}", flush=True)

    times = {peer: [] for peer in runners}
    for _ in range(arguments.rounds):
        for peer, runner in runners.items():
            times[peer].append(runner.milliseconds())
    for peer, rounds in times.items():
        print(f"{name} {peer}: {statistics.median(rounds):.2f} ms, least {min(rounds):.2f}", flush=True)
    ours = times.pop("intaglio")
    fastest = min(times, key=lambda peer: statistics.median(times[peer]))
    ratio = statistics.median(a / b for a, b in zip(ours, times[fastest]))
    print(f"{name} on {arguments.threads} threads: intaglio / {fastest} = {ratio:.2f}", flush=True)

    right = True
    if reference and not arguments.options:
        tolerance = QUANTIZED_TOLERANCE if "QuantizeLinear" in operators_of(path) else TOLERANCE
        right = difference <= tolerance * max(float(np.abs(output).max()) for output in reference)
        if not right:
            print(f"{name}: WRONG, the output is off by {difference:.2g}", flush=True)
    if ratio > bar_of(arguments, name):
        print(f"{name}: SLOW, the bar is {bar_of(arguments, name)}", flush=True)
        return False
    return right


def main():
    arguments = parse_arguments()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    good = [measure(path, arguments) for path in arguments.models]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
