"""Trained and benchmark models that scripts/models.sh fetches and exports, against ONNX Runtime. Skipped where they could not be fetched."""
import pathlib

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from intaglio_cli import MODELS, compile_model, run_artifact, variants

VARIANTS = variants("--cpu native", "--cpu x86-64-v3")

pytestmark = pytest.mark.skipif(not MODELS, reason="INTAGLIO_MODELS is not set: scripts/models.sh makes that folder, which needs the network")


class Compiled:
    """A compiled model, and ONNX Runtime's session of it."""

    def __init__(self, name, options, folder):
        self.folder = folder
        self.artifact = folder / "model.tar"
        model = pathlib.Path(MODELS) / f"{name}.onnx"
        if not model.exists():
            pytest.skip(f"{model} is not there")
        compile_model(model, self.artifact, options)
        self.session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])

    def outputs(self, feed):
        """Intaglio's output and ONNX Runtime's; the models here have one each."""
        np.savez(self.folder / "in.npz", **feed)
        run_artifact(self.artifact, self.folder / "in.npz", self.folder / "out.npz")
        name = self.session.get_outputs()[0].name
        return np.load(self.folder / "out.npz")[name], self.session.run([name], feed)[0]


def imagenet_images():
    """The images and their labels: short side to 256, the middle 224 x 224, (x - 127) / 128, NCHW. The label is in the file's name."""
    images, labels = [], []
    for path in sorted((pathlib.Path(MODELS) / "fetched/foolbox/foolbox/data").glob("imagenet_*.jpg")):
        image = Image.open(path).convert("RGB")
        scale = 256 / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.BICUBIC)
        left, top = (image.width - 224) // 2, (image.height - 224) // 2
        pixels = np.asarray(image.crop((left, top, left + 224, top + 224)), np.float32)
        images.append(((pixels - 127) / 128).transpose(2, 0, 1))
        labels.append(int(path.stem.split("_")[-1]))
    return np.stack(images), np.array(labels)


@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
def test_efficientnet_lite0_labels_18_of_20_images(options, tmp_path):
    images, labels = imagenet_images()
    ours, theirs = Compiled("efficientnet_lite0", options, tmp_path).outputs({"image": images})
    assert np.abs(ours - theirs).max() < 1e-3
    assert len(labels) == 20
    assert (theirs.argmax(1) == labels).sum() == 18
    assert (ours.argmax(1) == theirs.argmax(1)).all()


@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
def test_minilm_embeddings_at_several_lengths_from_one_artifact(options, tmp_path):
    compiled = Compiled("minilm", options, tmp_path)
    random = np.random.default_rng(0)
    for batch, length in [(1, 5), (3, 17), (8, 128)]:
        mask = (np.arange(length) < random.integers(2, length + 1, (batch, 1))).astype(np.int64)
        ids = random.integers(1000, 20000, (batch, length))
        ours, theirs = compiled.outputs({"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})
        assert np.abs(ours - theirs).max() < 1e-4


@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v2", "vit_b_16", "bert_s128"])
def test_benchmark_model_agrees_with_onnxruntime(name, options, tmp_path):
    random = np.random.default_rng(0)
    data = random.integers(0, 30000, (1, 128)) if name.startswith("bert") else random.standard_normal((1, 3, 224, 224)).astype(np.float32)
    ours, theirs = Compiled(name, options, tmp_path).outputs({"data": data})
    assert np.abs(ours - theirs).max() <= 1e-3 * np.abs(theirs).max()
