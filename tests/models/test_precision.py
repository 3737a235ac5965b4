"""The models in 16-bit floats: compiled for both targets, run on one of them against ONNX Runtime in float32. Trained ones keep their answers."""
import pathlib
import re
import subprocess
import sys

import numpy as np
import onnxruntime
import pytest

from intaglio_cli import INTAGLIO, MODELS, ROOT, compile_model, run_artifact, variants

sys.path.insert(0, str(ROOT / "scripts"))
import prepare_images  # noqa: E402

VARIANTS = variants("--cpu native")
needs_models = pytest.mark.skipif(not MODELS, reason="INTAGLIO_MODELS is not set: scripts/models.sh makes that folder, which needs the network")

# How far from float32 relative to the largest value. f16 has a unit of 2^-11, bf16 one of 2^-8, eight times as much. Convolutions with random
# weights are ill-conditioned: PyTorch's own fp16 is 3.4 % off on such a ResNet-50.
MODEL_TOLERANCES = {
    "resnet50": 3e-2,
    "mobilenet_v2": 3e-2,
    "efficientnet_lite0": 1e-2,
    "minilm": 1e-2,
    "vit_b_16": 1e-2,
    "bert_s128": 1e-2,
}
BFLOAT_FACTOR = 8


def feed_of(name):
    random = np.random.default_rng(0)
    if name == "bert_s128":
        return {"data": random.integers(0, 30000, (1, 128))}
    if name == "minilm":
        ids = random.integers(1000, 20000, (3, 17))
        mask = (np.arange(17) < random.integers(2, 18, (3, 1))).astype(np.int64)
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
    return {"image" if name == "efficientnet_lite0" else "data": random.standard_normal((1, 3, 224, 224)).astype(np.float32)}


@needs_models
@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("name", MODEL_TOLERANCES)
def test_model_agrees_with_float32(name, precision, options, tmp_path):
    model = pathlib.Path(MODELS) / f"{name}.onnx"
    artifact = tmp_path / "model.tar"
    compile_model(model, artifact, [*options, "--precision", precision])
    feed = feed_of(name)
    np.savez(tmp_path / "in.npz", **feed)
    run_artifact(artifact, tmp_path / "in.npz", tmp_path / "out.npz")
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    output = session.get_outputs()[0].name
    ours, theirs = np.load(tmp_path / "out.npz")[output], session.run([output], feed)[0]
    assert ours.dtype == theirs.dtype
    assert np.abs(ours - theirs).max() <= MODEL_TOLERANCES[name] * (BFLOAT_FACTOR if precision == "bf16" else 1) * np.abs(theirs).max()
    # Not float32 under another name.
    assert np.abs(ours - theirs).max() > 1e-4 * np.abs(theirs).max()


@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
def test_trained_resnet50_keeps_its_accuracy(options, tmp_path):
    """float32 is right on 904 of the 1,000 images."""
    archive = np.load(ROOT / "models/cifar10-1000.npz")
    compile_model(ROOT / "models/resnet50-cifar10.onnx", tmp_path / "model.tar", [*options, "--precision", "fp16"])
    right = 0
    for first in range(0, 1000, 50):
        np.save(tmp_path / "in.npy", prepare_images.preprocess(archive["test_images"][first : first + 50]))
        run_artifact(tmp_path / "model.tar", tmp_path / "in.npy", tmp_path / "out.npz")
        logits = np.load(tmp_path / "out.npz")["logits"]
        right += (logits.argmax(1) == archive["test_labels"][first : first + 50]).sum()
        if first == 0:
            session = onnxruntime.InferenceSession(str(ROOT / "models/resnet50-cifar10.onnx"), providers=["CPUExecutionProvider"])
            expected = session.run(None, {"image": np.load(tmp_path / "in.npy")})[0]
            assert np.abs(logits - expected).max() <= 1e-2 * np.abs(expected).max()
    assert abs(right - 904) <= 3


@needs_models
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("name", MODEL_TOLERANCES)
def test_model_compiles_for_cuda(name, precision, tmp_path):
    model = pathlib.Path(MODELS) / f"{name}.onnx"
    compiled = subprocess.run(
        [INTAGLIO, "compile", model, "--precision", precision, "--target", "cuda", "-o", tmp_path / "model.tar", "--progress", "none"], capture_output=True, text=True
    )
    if compiled.returncode == 4 and "NVRTC" in compiled.stderr:
        pytest.skip("NVRTC is not installed")
    assert compiled.returncode == 0, compiled.stderr


@needs_models
@pytest.mark.parametrize("name, lone", [("resnet50", 1), ("vit_b_16", 1), ("bert_s128", 0)])
def test_casts_are_fused(name, lone):
    """At most the image's conversion is a kernel of its own: no kernel only casts."""
    text = subprocess.run(
        [INTAGLIO, "compile", pathlib.Path(MODELS) / f"{name}.onnx", "--precision", "fp16", "--emit", "optimized"], check=True, capture_output=True, text=True
    ).stdout
    kernels = text.split("= kernel(")[1:]
    assert len(kernels) > 50
    operators = [set(re.findall(r"= ([a-z_]+)\(", kernel.split("return")[0])) for kernel in kernels]
    assert sum(names <= {"cast", "convert_layout", "reshape"} for names in operators) <= lone


@pytest.mark.parametrize(
    "options, code, message",
    [
        (["--precision", "tf32"], 2, "tf32 is a format of GPUs"),
        (["--precision", "fp8"], 2, "--precision"),
        (["--layer-precision", "/layer1*"], 2, "this names no nodes and their precision"),
        (["--layer-precision", "/layer1*:int9"], 2, "this names no nodes and their precision"),
        (["--layer-precision", "no/such/node:fp32"], 2, "no node of the model that computes anything is named so"),
    ],
)
def test_refuses_in_a_sentence(options, code, message, tmp_path):
    compiled = subprocess.run([INTAGLIO, "compile", ROOT / "models/resnet50-cifar10.onnx", *options, "-o", tmp_path / "model.tar"], capture_output=True, text=True)
    assert compiled.returncode == code
    assert message in compiled.stderr
    assert not (tmp_path / "model.tar").exists()
