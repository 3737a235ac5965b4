"""Compiles a model in every precision that this machine can run and checks accuracy on labelled samples and latency against ONNX Runtime.

Exits 1 if a precision loses more than accuracy.json allows, takes longer than latency.json allows, or is refused for another reason than what the machine
lacks; 2 for wrong arguments or data. See scripts/regression.sh.
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
import zipfile

import numpy as np
import onnxruntime

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT / "scripts"))
import prepare_images  # noqa: E402

DEFAULT_MODEL = ROOT / "models/resnet50-cifar10.onnx"
DEFAULT_ARCHIVE = ROOT / "models/cifar10-1000.npz"
# Samples of a run, where the model takes any number.
BATCH = 25
# The exit code of `intaglio` for what the machine lacks.
ENVIRONMENT = 4


def wrong(what):
    print(f"error: {what}", file=sys.stderr)
    sys.exit(2)


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
    for path in (arguments.model, arguments.data, arguments.calibrate, arguments.tables / "accuracy.json", arguments.tables / "latency.json"):
        if path and not path.is_file():
            parser.error(f"{path} is not there")
    return arguments


def first(inputs, count):
    return {name: array[:count] for name, array in inputs.items()}


def load_arrays(path, names):
    """The arrays of a file under these names, as many samples of each."""
    try:
        archive = np.load(path)
        arrays = {name: archive[name] for name in names}
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as problem:
        wrong(f"{path}: {problem}; expected: an NPZ with arrays {', '.join(names)}")
    counts = {name: array.shape[0] if array.ndim else 0 for name, array in arrays.items()}
    if len(set(counts.values())) != 1 or 0 in counts.values():
        wrong(f"{path}: the arrays have different numbers of samples, or none: {counts}")
    return arrays


def load_data(arguments, names):
    """Inputs by name, labels, and all calibration samples by name."""
    if arguments.data:
        inputs = load_arrays(arguments.data, [*names, "labels"])
        labels = inputs.pop("labels")
    else:
        archive = np.load(DEFAULT_ARCHIVE)
        count = arguments.samples or len(archive["test_images"])
        inputs = {"image": prepare_images.preprocess(archive["test_images"][:count])}
        labels = archive["test_labels"]
    count = arguments.samples or len(labels)
    inputs, labels = first(inputs, count), labels[:count]
    if arguments.calibrate:
        samples = load_arrays(arguments.calibrate, names)
    elif arguments.data:
        samples = inputs
    else:
        samples = {"image": prepare_images.preprocess(archive["calibration_images"][: arguments.calibration_samples])}
    return inputs, labels, samples


def batches(inputs, size):
    count = len(next(iter(inputs.values())))
    for start in range(0, count, size):
        yield {name: array[start : start + size] for name, array in inputs.items()}


def accuracy_of(predict, inputs, labels, batch):
    predicted = np.concatenate([predict(part).argmax(-1) for part in batches(inputs, batch)])
    if predicted.shape != labels.shape:
        wrong(f"the model's first output gives {predicted.shape} classes for labels of shape {labels.shape}: it is no classifier of these samples")
    return int((predicted == labels).sum())


class OnnxRuntime:
    def __init__(self, arguments):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = arguments.threads
        # Weights may be stored as int8: without this each run dequantizes them anew.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        try:
            self.session = onnxruntime.InferenceSession(str(arguments.model), options, providers=["CPUExecutionProvider"])
        except Exception as problem:  # its exceptions have no common class
            wrong(f"{arguments.model}: ONNX Runtime cannot load it: {problem}")
        self.inputs = [port.name for port in self.session.get_inputs()]
        self.output = self.session.get_outputs()[0].name
        extents = {port.shape[0] for port in self.session.get_inputs() if port.shape and isinstance(port.shape[0], int)}
        self.fixed_batch = extents.pop() if extents else None
        self.seconds = arguments.seconds

    def predict(self, batch):
        return self.session.run([self.output], batch)[0]

    def milliseconds(self, sample):
        self.predict(sample)
        times, end = [], time.perf_counter() + self.seconds
        while time.perf_counter() < end or len(times) < 3:
            start = time.perf_counter()
            self.predict(sample)
            times.append((time.perf_counter() - start) * 1e3)
        return statistics.median(times)


class Refused(Exception):
    """The machine has not what a precision needs; the message is the compiler's."""


class Failed(Exception):
    """The compiler or the artifact does not do what was asked for; the message is its own."""


class Intaglio:
    def __init__(self, name, arguments, options, output, sample, folder):
        self.program, self.threads, self.seconds, self.output = arguments.intaglio, str(arguments.threads), str(arguments.seconds), output
        self.folder, self.artifact = folder, folder / f"{name}.tar"
        if "--quantize" in options:
            options = [*options, "--calibrate", str(folder / "calibration.npz")]
        start = time.perf_counter()
        self.call("compile", str(arguments.model), "--target", arguments.target, *options, "-o", str(self.artifact), "--progress", "none")
        self.compile_seconds = time.perf_counter() - start
        np.savez(folder / "sample.npz", **sample)

    def call(self, *words):
        done = subprocess.run([self.program, *words], capture_output=True, text=True)
        if done.returncode:
            sentence = next((line for line in done.stderr.splitlines() if line.startswith("error: ")), f"exit code {done.returncode} without a word")
            raise (Refused if done.returncode == ENVIRONMENT else Failed)(sentence)
        return done.stdout

    def predict(self, batch):
        np.savez(self.folder / "in.npz", **batch)
        self.call("run", str(self.artifact), "--input", str(self.folder / "in.npz"), "--output", str(self.folder / "out.npz"), "--threads", self.threads)
        return np.load(self.folder / "out.npz")[self.output]

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
    for name in set(chosen) - set(accuracy_table["precisions"]):
        wrong(f"--precisions: '{name}' is not in {arguments.tables / 'accuracy.json'}, which has {', '.join(accuracy_table['precisions'])}")
    reference = OnnxRuntime(arguments)
    inputs, labels, samples = load_data(arguments, reference.inputs)
    batch = reference.fixed_batch or BATCH
    samples = first(samples, max(arguments.calibration_samples, reference.fixed_batch or 1))
    if reference.fixed_batch:
        whole = len(labels) // batch * batch
        if whole == 0:
            wrong(f"the model takes {batch} samples at once, and there are {len(labels)}")
        inputs, labels = first(inputs, whole), labels[:whole]
    sample = first(inputs, reference.fixed_batch or 1)
    right = accuracy_of(reference.predict, inputs, labels, batch)
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
                runner = Intaglio(precision, arguments, entry["options"], reference.output, sample, folder)
                ours = accuracy_of(runner.predict, inputs, labels, batch)
            except Refused as refusal:
                print(f"{precision}: not on this machine: {refusal}", flush=True)
                continue
            except Failed as failure:
                failed.append(f"{precision}: {failure}")
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
            theirs.append(reference.milliseconds(sample))
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
