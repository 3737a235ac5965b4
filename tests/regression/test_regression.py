"""The regression script on a classifier and data of one's own: it passes what is right, and fails for each thing that it is there to find."""
import json
import os
import pathlib
import subprocess
import sys

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
INTAGLIO = os.environ.get("INTAGLIO", str(HERE.parents[1] / "build/release/bin/intaglio"))
PRECISIONS = {
    "fp32": {"options": ["--precision", "fp32"], "points": 0, "why": "-"},
    "int8": {"options": ["--quantize", "int8"], "points": 5, "why": "-"},
}
SAMPLES = 60


def save_classifier(path, batch):
    """The class is the largest of 50 outputs, `z`, of x; a second output comes before it in the order of names."""
    weight = np.random.default_rng(0).standard_normal((16, 50)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"], "product"), helper.make_node("Neg", ["z"], ["a"], "negated")]
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [value("x", [batch, 16])], [value("z", [batch, 50]), value("a", [batch, 50])], [numpy_helper.from_array(weight, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    x = np.random.default_rng(1).standard_normal((SAMPLES, 16)).astype(np.float32)
    return x, (x @ weight).argmax(1)


@pytest.fixture
def case(tmp_path):
    x, labels = save_classifier(tmp_path / "model.onnx", "N")
    np.savez(tmp_path / "data.npz", x=x, labels=labels, not_an_input=x)
    write_tables(tmp_path)
    return tmp_path


def write_tables(folder, precisions=PRECISIONS, ratios={}):
    (folder / "accuracy.json").write_text(json.dumps({"precisions": precisions, "known": {}}))
    (folder / "latency.json").write_text(json.dumps({"levels": [{"needs": [], "ratio": ratios}]}))


def run(folder, *options):
    command = [sys.executable, HERE / "regression.py", "--model", folder / "model.onnx", "--data", folder / "data.npz", "--tables", folder, "--rounds", "1", "--seconds", "0.01"]
    command += ["--intaglio", INTAGLIO, *options]
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=300)


def test_a_good_model_passes(case):
    done = run(case)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ONNX Runtime: {SAMPLES} of {SAMPLES} right" in done.stdout
    assert f"fp32: {SAMPLES} of {SAMPLES} right" in done.stdout and "int8: " in done.stdout


def test_a_fixed_batch_takes_whole_batches(case):
    save_classifier(case / "model.onnx", 7)
    done = run(case)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fp32: 56 of 56 right" in done.stdout


def test_lost_accuracy_is_a_miss(case):
    # Rounded to a few bits, which nobody calls float32.
    write_tables(case, {"fp32": {"options": ["--quantize", "int4"], "points": 0, "why": "-"}})
    done = run(case)
    assert done.returncode == 1 and "MISSED: fp32 sees" in done.stdout, done.stdout + done.stderr


def test_lost_time_is_a_miss(case):
    write_tables(case, ratios={"int8": 1e-6})
    done = run(case)
    assert done.returncode == 1 and "MISSED: int8 takes" in done.stdout, done.stdout + done.stderr


def test_a_precision_that_is_refused_is_a_miss(case):
    write_tables(case, {**PRECISIONS, "fp12": {"options": ["--precision", "fp12"], "points": 0, "why": "-"}})
    done = run(case)
    assert done.returncode == 1 and "MISSED: fp12: error: --precision" in done.stdout, done.stdout + done.stderr


def test_what_the_machine_lacks_is_none(case):
    write_tables(case, {**PRECISIONS, "elsewhere": {"options": ["--dump-ir", "/dev/null"], "points": 0, "why": "-"}})
    done = run(case)
    assert done.returncode == 0 and "elsewhere: not on this machine: error: /dev/null" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("data, options, message", [
    ({"x": (SAMPLES, 16)}, [], "data.npz: 'labels is not a file in the archive'; expected: an NPZ with arrays x, labels"),
    ({"y": (SAMPLES, 16), "labels": (SAMPLES,)}, [], "'x is not a file in the archive'"),
    ({"x": (SAMPLES, 16), "labels": (7,)}, [], "the arrays have different numbers of samples"),
    ({"x": (SAMPLES, 16), "labels": (SAMPLES, 2)}, [], "it is no classifier of these samples"),
    ({"x": (SAMPLES, 16), "labels": (SAMPLES,)}, ["--precisions", "fp32,fp7"], "'fp7' is not in"),
    ({"x": (SAMPLES, 16), "labels": (SAMPLES,)}, ["--calibrate", "missing.npz"], "missing.npz is not there"),
])
def test_wrong_arguments_get_a_sentence(data, options, message, case):
    np.savez(case / "data.npz", **{name: np.zeros(shape, np.int64 if name == "labels" else np.float32) for name, shape in data.items()})
    done = run(case, *options)
    assert done.returncode == 2, done.stdout + done.stderr
    assert message in done.stderr and "Traceback" not in done.stderr
