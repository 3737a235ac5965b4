"""smart-turn v3.2, a transformer with explicit Q/DQ in int8 that hears whether a speaker has finished: each of its quantized groups computes what ONNX
Runtime computes, and so does the whole."""
import importlib.util
import pathlib
import subprocess
import wave

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper

from intaglio_cli import INTAGLIO, MODELS, compile_model, run_artifact, variants

VARIANTS = variants("--cpu native", "--cpu x86-64-v3")

pytestmark = pytest.mark.skipif(not MODELS, reason="INTAGLIO_MODELS is not set: scripts/models.sh makes that folder, which needs the network")

if MODELS:
    PACKAGE = pathlib.Path(MODELS) / "fetched/pipecat-ai/pipecat"
    MODEL = PACKAGE / "audio/turn/smart_turn/data/smart-turn-v3.2-cpu.onnx"


def features(audio):
    """What the model hears of the last eight seconds: 80 bands of 800 frames."""
    spec = importlib.util.spec_from_file_location("whisper_features", PACKAGE / "audio/turn/smart_turn/_whisper_features.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    audio = np.pad(audio, (8 * 16000 - len(audio), 0))
    return module.compute_whisper_log_mel_features(audio.astype(np.float32))[None]


def recordings():
    """A voice, the voice cut off, a vowel that is being held, that vowel after the voice. The last two are not finished."""
    with wave.open(str(PACKAGE / "services/aws/nova_sonic/ready.wav")) as file:
        voice = np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32768
    time = np.arange(2 * 16000) / 16000
    cycles = 110 * time - 30 * np.cos(np.pi * time) / np.pi  # 80 to 140 Hz
    vowel = sum(np.sin(2 * np.pi * overtone * cycles) / overtone for overtone in range(1, 20)) * 0.1
    return [voice, voice[: len(voice) // 2], vowel, np.concatenate([voice, vowel])]


def session(model):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def quantized_values(model):
    """The results of QuantizeLinear, in order."""
    return [node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]


def cut_into_groups(model, values):
    """The model with `values`, by name, as inputs as well as results: each group between two roundings stands alone."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            if name in values:
                node.input[i] = name + "/given"
    for name, array in values.items():
        dtype = helper.np_dtype_to_tensor_dtype(array.dtype)
        model.graph.input.append(helper.make_tensor_value_info(name + "/given", dtype, array.shape))
        model.graph.output.append(helper.make_tensor_value_info(name, dtype, array.shape))
    return model


@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
def test_each_quantized_group_is_within_one_step_of_onnxruntime(options, tmp_path):
    model = onnx.load(MODEL)
    names = quantized_values(model)
    assert len(names) == 78
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    reference = session(model)
    sound = features(recordings()[0])
    theirs = dict(zip(names, reference.run(names, {"input_features": sound})))
    onnx.save(cut_into_groups(onnx.load(MODEL), theirs), tmp_path / "groups.onnx")
    compile_model(tmp_path / "groups.onnx", tmp_path / "groups.tar", options)
    np.savez(tmp_path / "in.npz", input_features=sound, **{name + "/given": array for name, array in theirs.items()})
    run_artifact(tmp_path / "groups.tar", tmp_path / "in.npz", tmp_path / "out.npz")
    ours = np.load(tmp_path / "out.npz")
    steps = {name: np.abs(ours[name].astype(int) - theirs[name].astype(int)) for name in names}
    assert {name: difference.max() for name, difference in steps.items() if difference.max() > 1} == {}
    # Where sums that round differently meet a boundary.
    assert sum((difference > 0).sum() for difference in steps.values()) < 0.002 * sum(difference.size for difference in steps.values())


def test_compile_says_what_is_multiplied_in_integers(tmp_path):
    command = [INTAGLIO, "compile", MODEL, "-o", tmp_path / "model.tar", "--progress", "none"]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # All but the two products of each attention, whose factors both are computed.
    assert "39 of 39 convolutions and matrix products are quantized" in report
    assert "multiplies 31 of them as they are stored" in report
    assert report.count("(its weights are not quantized constants)") == 8


@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
def test_probability_and_decision(options, tmp_path):
    reference = session(onnx.load(MODEL))
    compile_model(MODEL, tmp_path / "model.tar", options)
    sounds = np.concatenate([features(audio) for audio in recordings()])
    theirs = reference.run(None, {"input_features": sounds})[0]
    np.save(tmp_path / "in.npy", sounds)
    run_artifact(tmp_path / "model.tar", tmp_path / "in.npy", tmp_path / "out.npz")
    ours = np.load(tmp_path / "out.npz")["logits"]  # which are probabilities
    assert np.abs(ours - theirs).max() <= 0.02
    assert (ours.ravel() > 0.5).tolist() == (theirs.ravel() > 0.5).tolist() == [True, True, False, False]
