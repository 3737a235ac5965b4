"""Compiles a model in every precision that this machine can run and checks accuracy on labelled samples and latency against ONNX Runtime.

Exits 1 if a precision loses more than accuracy.json allows, or takes longer than latency.json allows. See scripts/regression.sh.
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import onnxruntime

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import prepare_images  # noqa: E402

DEFAULT_MODEL = ROOT / "models/resnet50-cifar10.onnx"
DEFAULT_ARCHIVE = ROOT / "models/cifar10-1000.npz"
BATCH = 25
# Exit codes of `intaglio` for what is not supported (here): a precision that no kernel has, a device that is not there.
NOT_SUPPORTED = (2, 3, 4)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=DEFAULT_MODEL, help="an ONNX classifier (default: the ResNet-50 of this repository)")
    parser.add_argument("--data", type=pathlib.Path, help="NPZ with an array for each input, samples first, and `labels`; needed with --model")
    parser.add_argument("--calibrate", type=pathlib.Path, help="NPZ of unlabelled samples (default: the first samples of --data)")
    parser.add_argument("--calibration-samples", type=int, default=32)
    parser.add_argument("--samples", type=int, default=200, help="labelled samples that are used, 0 for all")
    parser.add_argument("--precisions", help="names of the table, separated by commas (default: all)")
    parser.add_argument("--target", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--tables", type=pathlib.Path, default=HERE, help="a folder with accuracy.json and latency.json")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="of one precision in a round")
    parser.add_argument("--intaglio", default=str(ROOT / "build/release/bin/intaglio"))
    arguments = parser.parse_args()
    if arguments.model != DEFAULT_MODEL and not arguments.data:
        parser.error("--model needs --data")
    return arguments


def load_data(arguments):
    """Inputs by name, labels, and calibration samples by name."""
    if arguments.data:
        inputs = dict(np.load(arguments.data))
        labels = inputs.pop("labels")
    else:
        archive = np.load(DEFAULT_ARCHIVE)
        count = arguments.samples or len(archive["test_images"])
        inputs = {"image": prepare_images.preprocess(archive["test_images"][:count])}
        labels = archive["test_labels"]
    count = arguments.samples or len(labels)
    inputs, labels = {name: array[:count] for name, array in inputs.items()}, labels[:count]
    if arguments.calibrate:
        samples = dict(np.load(arguments.calibrate))
    elif arguments.data:
        samples = inputs
    else:
        samples = {"image": prepare_images.preprocess(archive["calibration_images"][: arguments.calibration_samples])}
    return inputs, labels, {name: array[: arguments.calibration_samples] for name, array in samples.items()}


def batches(inputs):
    count = len(next(iter(inputs.values())))
    for first in range(0, count, BATCH):
        yield {name: array[first : first + BATCH] for name, array in inputs.items()}


def accuracy_of(predict, inputs, labels):
    predicted = np.concatenate([predict(batch).argmax(-1) for batch in batches(inputs)])
    return int((predicted == labels).sum())


class OnnxRuntime:
    def __init__(self, arguments, sample):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = arguments.threads
        # Weights may be stored as int8: without this each run dequantizes them anew.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        self.session = onnxruntime.InferenceSession(str(arguments.model), options, providers=["CPUExecutionProvider"])
        self.sample, self.seconds = sample, arguments.seconds

    def predict(self, batch):
        return self.session.run(None, batch)[0]

    def milliseconds(self):
        self.predict(self.sample)
        times, end = [], time.perf_counter() + self.seconds
        while time.perf_counter() < end or len(times) < 3:
            start = time.perf_counter()
            self.predict(self.sample)
            times.append((time.perf_counter() - start) * 1e3)
        return statistics.median(times)


class Refused(Exception):
    """The machine or the compiler has not what a precision needs; the message is the compiler's."""


class Intaglio:
    def __init__(self, name, arguments, options, sample, folder):
        self.program, self.threads, self.seconds = arguments.intaglio, str(arguments.threads), str(arguments.seconds)
        self.folder, self.artifact = folder, folder / f"{name}.tar"
        if "--quantize" in options:
            options = [*options, "--calibrate", str(folder / "calibration.npz")]
        start = time.perf_counter()
        self.call("compile", str(arguments.model), "--target", arguments.target, *options, "-o", str(self.artifact), "--progress", "none")
        self.compile_seconds = time.perf_counter() - start
        np.savez(folder / "sample.npz", **sample)

    def call(self, *words):
        done = subprocess.run([self.program, *words], capture_output=True, text=True)
        if done.returncode in NOT_SUPPORTED:
            raise Refused(next(iter(done.stderr.strip().splitlines()), "refused without a word"))
        if done.returncode:
            sys.exit(f"{' '.join(words)}: exit code {done.returncode}\n{done.stderr}")
        return done.stdout

    def predict(self, batch):
        np.savez(self.folder / "in.npz", **batch)
        self.call("run", str(self.artifact), "--input", str(self.folder / "in.npz"), "--output", str(self.folder / "out.npz"), "--threads", self.threads)
        outputs = np.load(self.folder / "out.npz")
        return outputs[outputs.files[0]]

    def milliseconds(self):
        options = ["--threads", self.threads, "--duration", self.seconds, "--warmup", "100", "--json", "-"]
        report = self.call("bench", str(self.artifact), "--input", str(self.folder / "sample.npz"), *options)
        return json.loads(report)["latency_ms"]["median"]


def latency_limits(table, target):
    """The ratios of the first level whose features the CPU has."""
    if target != "cpu":
        return {}
    flags = next(line for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("flags")).split()
    return next((level["ratio"] for level in table["levels"] if all(feature in flags for feature in level["needs"])), {})


def main():
    arguments = parse_arguments()
    accuracy_table = json.loads((arguments.tables / "accuracy.json").read_text())
    limits = latency_limits(json.loads((arguments.tables / "latency.json").read_text()), arguments.target)
    chosen = arguments.precisions.split(",") if arguments.precisions else list(accuracy_table["precisions"])
    inputs, labels, samples = load_data(arguments)
    sample = {name: array[:1] for name, array in inputs.items()}
    reference = OnnxRuntime(arguments, sample)
    right = accuracy_of(reference.predict, inputs, labels)
    print(f"ONNX Runtime: {right} of {len(labels)} right", flush=True)
    failed = []

    known = accuracy_table["known"].get(arguments.model.name, {}).get(str(len(labels)))
    if known is not None and right != round(known * len(labels)):
        failed.append(f"ONNX Runtime itself sees {right} of {len(labels)} rightly, not {known:.1%}: another model, other data or another preprocessing")

    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        np.savez(folder / "calibration.npz", **samples)
        runners, rows = {}, {}
        for precision in chosen:
            entry = accuracy_table["precisions"][precision]
            try:
                runner = Intaglio(precision, arguments, entry["options"], sample, folder)
                ours = accuracy_of(runner.predict, inputs, labels)
            except Refused as refusal:
                print(f"{precision}: not on this machine: {refusal}", flush=True)
                continue
            runners[precision], rows[precision] = runner, ours
            print(f"{precision}: {ours} of {len(labels)} right, compiled in {runner.compile_seconds:.0f} s", flush=True)
            if right - ours > math.ceil(entry["points"] / 100 * len(labels)):
                failed.append(f"{precision} sees {ours} of {len(labels)} rightly, ONNX Runtime {right}; allowed to lose: {entry['points']} points ({entry['why']})")
        if not runners:
            failed.append("no precision could be compiled and run")
        times = {precision: [] for precision in runners}
        theirs = []
        for _ in range(arguments.rounds):
            theirs.append(reference.milliseconds())
            for precision, runner in runners.items():
                times[precision].append(runner.milliseconds())

    print(f"{arguments.model.name}, {len(labels)} samples, {arguments.target}, {arguments.threads} threads")
    print(f"{'':14}{'accuracy':>9}{'ms':>9}{'ratio':>8}{'limit':>8}")
    print(f"{'ONNX Runtime':14}{right / len(labels):>9.1%}{statistics.median(theirs):>9.2f}")
    for precision, runner in runners.items():
        # A round's times share whatever else the machine was doing.
        ratio = statistics.median(a / b for a, b in zip(times[precision], theirs))
        limit = limits.get(precision)
        print(f"{precision:14}{rows[precision] / len(labels):>9.1%}{statistics.median(times[precision]):>9.2f}{ratio:>8.2f}{limit or '-':>8}")
        if limit and ratio > limit:
            failed.append(f"{precision} takes {ratio:.2f} times as long as ONNX Runtime in float32; the limit is {limit}")
    for failure in failed:
        print(f"MISSED: {failure}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
