"""The trained ResNet-50, end to end through the command line, against ONNX Runtime and against labels."""
import sys

import numpy as np
import onnxruntime
import pytest

from intaglio_cli import ROOT, compile_model, has_nvrtc, run_artifact, variants

MODEL = ROOT / "models/resnet50-cifar10.onnx"
sys.path.insert(0, str(ROOT / "scripts"))
import prepare_images  # noqa: E402


VARIANTS = variants("--cpu native", "--cpu x86-64-v3")


def compiled(folder, options, cache=None):
    artifact = folder / "resnet50.tar"
    compile_model(MODEL, artifact, options, cache)
    return artifact


def run(artifact, folder, images):
    np.save(folder / "in.npy", images)
    run_artifact(artifact, folder / "in.npy", folder / "out.npz")
    return np.load(folder / "out.npz")["logits"]


@pytest.fixture(scope="module")
def session():
    options = onnxruntime.SessionOptions()
    # The weights are stored as int8: without this each run dequantizes them anew.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    return onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def data():
    archive = np.load(ROOT / "models/cifar10-1000.npz")
    return archive["test_images"], archive["test_labels"]


@pytest.mark.parametrize("options, count", [(VARIANTS[0], 1000), *((options, 100) for options in VARIANTS[1:])], ids=str)
def test_accuracy_and_logits_equal_onnxruntime(options, count, session, data, tmp_path):
    artifact = compiled(tmp_path, options)
    images, labels = data
    ours, theirs = [], []
    for first in range(0, count, 25):
        batch = prepare_images.preprocess(images[first : first + 25])
        ours.append(run(artifact, tmp_path, batch))
        theirs.append(session.run(None, {"image": batch})[0])
    ours, theirs = np.concatenate(ours), np.concatenate(theirs)
    assert np.abs(ours - theirs).max() < 1e-3
    assert (ours.argmax(1) == labels[:count]).sum() == (theirs.argmax(1) == labels[:count]).sum()
    if count == 1000:
        assert (ours.argmax(1) == labels).mean() == pytest.approx(0.904)


def test_one_artifact_serves_every_batch(session, data, tmp_path):
    artifact = compiled(tmp_path, VARIANTS[0])
    images = prepare_images.preprocess(data[0][:32])
    for batch in (1, 4, 32):
        expected = session.run(None, {"image": images[:batch]})[0]
        assert np.abs(run(artifact, tmp_path, images[:batch]) - expected).max() < 1e-3


@pytest.mark.parametrize("options", ["--cpu x86-64-v3", "--target cuda --arch sm_90a,ptx"])
def test_equal_compiles_give_equal_bytes(options, tmp_path):
    if "cuda" in options and not has_nvrtc():
        pytest.skip("NVRTC, which compiles CUDA code, is not installed")
    (tmp_path / "again").mkdir()
    first, second = tmp_path, tmp_path / "again"
    assert compiled(first, options.split()).read_bytes() == compiled(second, options.split(), cache=second).read_bytes()
