"""Times Intaglio and PyTorch (Inductor with CUDA graphs, eager with CUDA graphs) on one GPU, interleaved in one run, and checks Intaglio's output.

usage: gpu_compare.py INTAGLIO [--models resnet50,..] [--batches 1,8,32,128] [--precision fp16] [--options "--disable-tactic .."] [--rounds 3]
                      [--skip inductor,eager] [--bar 1.5]
Runs on the GPU's machine; needs torch, torchvision and transformers. Prints for each case every one's median ms with the inputs resident on the GPU,
Intaglio's ratio to the faster PyTorch, the largest error relative to the fp32 output's largest value beside PyTorch's own, and compile seconds.
Exits 1 when a case failed, is over --bar, or is more than 1.5 times as far from fp32 as PyTorch in the same precision.
"""
import argparse
import json
import pathlib
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import torch
import torch._inductor.config as inductor_config
import torchvision.models as vision
from torch import nn
from transformers import BertConfig, BertModel

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from export_models import fit_statistics  # noqa: E402

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32, "tf32": torch.float32}


class Bert(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = BertModel(BertConfig(attn_implementation="sdpa"))

    def forward(self, ids):
        return self.model(input_ids=ids).last_hidden_state


MODELS = {
    "resnet50": lambda: fit_statistics(vision.resnet50(weights=None)),
    "mobilenet_v2": lambda: fit_statistics(vision.mobilenet_v2(weights=None)),
    "vit_b_16": lambda: fit_statistics(vision.vit_b_16(weights=None)),
    "bert_s128": Bert,
}


def allow_tf32(allowed):
    torch.backends.cuda.matmul.allow_tf32 = allowed
    torch.backends.cudnn.allow_tf32 = allowed


def captured(call):
    """The call as a CUDA graph's replay."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(5):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def median_ms(call, seconds=1.0):
    for _ in range(10):
        call()
    torch.cuda.synchronize()
    times = []
    end = time.time() + seconds
    while time.time() < end:
        began, ended = torch.cuda.Event(True), torch.cuda.Event(True)
        began.record()
        call()
        ended.record()
        ended.synchronize()
        times.append(began.elapsed_time(ended))
    return statistics.median(times)


class Case:
    """One model at one batch size, exported and with its fp32 reference."""

    def __init__(self, name, batch, folder):
        torch.manual_seed(0)
        self.name, self.batch, self.folder = name, batch, pathlib.Path(folder)
        self.is_text = "bert" in name
        model = MODELS[name]().eval()
        self.data = torch.randint(0, 30000, (batch, 128)) if self.is_text else torch.randn(batch, 3, 224, 224)
        self.onnx = self.folder / f"{name}.onnx"
        with torch.enable_grad():
            torch.onnx.export(model, self.data, str(self.onnx), opset_version=17, dynamo=False, input_names=["data"], output_names=["out"])
        self.model = model.cuda()
        allow_tf32(False)
        with torch.no_grad():
            self.reference = self.model(self.data.cuda()).float().cpu().numpy()
        self.largest = np.abs(self.reference).max()

    def error(self, output):
        return np.abs(output.astype(np.float32) - self.reference).max() / self.largest


class Intaglio:
    def __init__(self, case, program, precision, options):
        folder = case.folder
        self.program, self.artifact, self.input = program, folder / "model.tar", folder / "data.npy"
        began = time.time()
        self.call("compile", case.onnx, "--target", "cuda", "--precision", precision, "-o", self.artifact, "--progress", "none", *options)
        self.compile_seconds = time.time() - began
        np.save(self.input, case.data.numpy())
        self.call("run", self.artifact, "--input", self.input, "--output", folder / "out.npz")
        self.error = case.error(np.load(folder / "out.npz")["out"])

    def call(self, *arguments):
        return subprocess.run([self.program, *map(str, arguments)], check=True, capture_output=True).stdout

    def __call__(self):
        return json.loads(self.call("bench", self.artifact, "--input", self.input, "--duration", "1", "--json", "-"))["gpu_compute_ms"]["median"]


def pytorch_calls(case, dtype, skipped):
    """Its ways to run the case, by name, and its own error in this precision."""
    model, data = case.model.to(dtype), case.data.cuda()
    if not case.is_text:
        model, data = model.to(memory_format=torch.channels_last), data.to(dtype).to(memory_format=torch.channels_last)
    error = case.error(model(data).float().cpu().numpy())
    calls = {}
    if "eager" not in skipped:
        calls["eager"] = captured(lambda: model(data))
    if "inductor" not in skipped:
        torch._dynamo.reset()
        compiled = torch.compile(model, mode="reduce-overhead", fullgraph=True)
        compiled(data)
        compiled(data)
        calls["inductor"] = lambda: compiled(data)
    return calls, error


def compare(case, arguments):
    """Prints the case's line; true if it holds."""
    timers, ours = {}, None
    try:
        ours = Intaglio(case, arguments.intaglio, arguments.precision, shlex.split(arguments.options))
        timers["intaglio"] = ours
    except subprocess.CalledProcessError as error:
        print(case.name, case.batch, "intaglio FAILED", error.stderr.decode()[-400:], flush=True)
    allow_tf32(arguments.precision != "fp32")
    with torch.inference_mode():
        calls, own_error = pytorch_calls(case, DTYPES[arguments.precision], arguments.skip.split(","))
        for name, call in calls.items():
            timers[name] = lambda call=call: median_ms(call)
        rounds = {name: [] for name in timers}
        for _ in range(arguments.rounds):
            for name, timer in timers.items():
                rounds[name].append(timer())
    ms = {name: statistics.median(values) for name, values in rounds.items()}
    text = f"{case.name} {arguments.precision} b{case.batch} " + " ".join(f"{name} {value:.3f} ms" for name, value in ms.items())
    if not ours:
        print(text, flush=True)
        return False
    ratio = ms["intaglio"] / min((value for name, value in ms.items() if name != "intaglio"), default=float("nan"))
    print(f"{text} ratio {ratio:.2f} error {ours.error:.2g} (PyTorch {own_error:.2g}) compiled in {ours.compile_seconds:.0f} s", flush=True)
    return not ratio > arguments.bar and ours.error <= max(1e-3, 1.5 * own_error)


def main():
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("intaglio")
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--batches", default="1,8,32,128")
    parser.add_argument("--precision", default="fp16", choices=DTYPES)
    parser.add_argument("--options", default="", help="more options of intaglio compile")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--skip", default="")
    parser.add_argument("--bar", type=float, default=float("inf"))
    arguments = parser.parse_args()
    torch.backends.cudnn.benchmark = True
    inductor_config.freezing = True
    holds = True
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.models.split(","):
            for batch in map(int, arguments.batches.split(",")):
                holds &= compare(Case(name, batch, folder), arguments)
    sys.exit(not holds)


if __name__ == "__main__":
    main()
