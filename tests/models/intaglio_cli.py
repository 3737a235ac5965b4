"""The command line as the tests here use it, and the variants of code that they test."""
import os
import pathlib
import shlex
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
INTAGLIO = os.environ.get("INTAGLIO", str(ROOT / "build/release/bin/intaglio"))
MODELS = os.environ.get("INTAGLIO_MODELS")
RUN_UNDER = shlex.split(os.environ.get("INTAGLIO_RUN_UNDER", ""))  # compute-sanitizer, say


def variants(*defaults):
    """Options of `compile`, each a list of words: `defaults`, or what INTAGLIO_VARIANTS holds instead, separated by semicolons (scripts/test_cuda.sh sets it)."""
    given = os.environ.get("INTAGLIO_VARIANTS")
    return [shlex.split(text) for text in (given.split(";") if given else defaults)]


def has_nvrtc():
    done = subprocess.run([INTAGLIO, "compile", ROOT / "models/resnet50-cifar10.onnx", "--target", "cuda", "--emit", "ptx"], capture_output=True, text=True)
    assert done.returncode in (0, 4), done.stderr
    return done.returncode == 0


def compile_model(model, artifact, options, cache=None):
    """`cache`: a folder for compiled CUDA code other than the user's."""
    environment = {**os.environ, **({"INTAGLIO_CACHE": str(cache)} if cache else {})}
    subprocess.run([INTAGLIO, "compile", model, *options, "-o", artifact, "--progress", "none"], check=True, env=environment)


def run_artifact(artifact, inputs, outputs):
    """Both .npy or .npz files."""
    subprocess.run([*RUN_UNDER, INTAGLIO, "run", artifact, "--input", inputs, "--output", outputs], check=True)
