"""Products that cuBLASLt computes on a GPU, compared with ONNX Runtime; without a GPU: that plans name them. See docs/architecture.md."""
import json
import os
import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from intaglio_cli import INTAGLIO, compile_model, has_nvrtc, run_artifact

on_gpu = pytest.mark.skipif("cuda" not in os.environ.get("INTAGLIO_VARIANTS", ""), reason="INTAGLIO_VARIANTS asks for no GPU")
# Of the largest value. f32 is summed in other orders.
PRECISIONS = {"fp32": 1e-5, "tf32": 2e-3, "fp16": 2e-3, "bf16": 1.6e-2}
# a, b, whether b is constant, what follows
PRODUCTS = [
    ((130, 512), (512, 96), True, "bias relu"),
    ((2, 19, 64), (64, 33), True, "bias residual relu"),
    ((3, 17, 40), (3, 40, 24), False, ""),
    ((3, 17, 40), (3, 40, 24), False, "residual relu"),
    ((1, 72), (72, 1000), True, "bias"),
    ((33, 7), (7, 5), True, "residual"),
]


def random_array(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def product(a_shape, b_shape, constant, epilogue):
    """A product with what `epilogue` names, its rows symbolic, between plain ones, so that all it reads and writes has one type under --precision; and the inputs."""
    b = random_array(*b_shape)
    feed, constants, nodes, last = {"a": random_array(*a_shape)}, [], [helper.make_node("MatMul", ["a", "b"], ["m"])], "m"
    (constants.append(numpy_helper.from_array(b, "b")) if constant else feed.update(b=b))
    if "bias" in epilogue:
        constants.append(numpy_helper.from_array(random_array(b_shape[-1]), "bias"))
        nodes.append(helper.make_node("Add", [last, "bias"], ["biased"]))
        last = "biased"
    if "residual" in epilogue:
        feed["r"] = random_array(*a_shape[:-1], 16)
        constants.append(numpy_helper.from_array(random_array(16, b_shape[-1]), "before"))
        nodes.append(helper.make_node("MatMul", ["r", "before"], ["residual"]))
        nodes.append(helper.make_node("Add", [last, "residual"], ["sum"]))
        last = "sum"
    if "relu" in epilogue:
        nodes.append(helper.make_node("Relu", [last], ["clipped"]))
        last = "clipped"
    constants.append(numpy_helper.from_array(random_array(b_shape[-1], 8), "tail"))
    nodes.append(helper.make_node("MatMul", [last, "tail"], ["y"]))
    symbolic = lambda name, shape: [*shape[:-2], "M", shape[-1]] if name in ("a", "r") else list(shape)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, symbolic(name, array.shape)) for name, array in feed.items()]
    graph = helper.make_graph(nodes, "product", inputs, [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), feed


def product_count(case):
    return 3 if "residual" in case[3] else 2


def kernels_that_ran(artifact, folder, rows):
    subprocess.run(
        [INTAGLIO, "bench", artifact, "--shapes", rows, "--duration", "0", "--warmup", "0", "--iterations", "1", "--export-profile", folder / "profile.json"],
        check=True, capture_output=True,
    )
    return [step["kernel"] for step in json.loads((folder / "profile.json").read_text())]


@on_gpu
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", PRODUCTS, ids=str)
def test_product(case, precision, tmp_path):
    model, feed = product(*case)
    onnx.save(model, tmp_path / "model.onnx")
    compile_model(tmp_path / "model.onnx", tmp_path / "model.tar", ["--target", "cuda", "--enable-tactic", "cublaslt", "--precision", precision])
    np.savez(tmp_path / "in.npz", **feed)
    run_artifact(tmp_path / "model.tar", tmp_path / "in.npz", tmp_path / "out.npz")
    got = np.load(tmp_path / "out.npz")["y"]
    expected = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)[0]
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= PRECISIONS[precision] * max(1, np.abs(expected).max())
    rows = ",".join(f"{name}:{'x'.join(map(str, array.shape))}" for name, array in feed.items())
    assert kernels_that_ran(tmp_path / "model.tar", tmp_path, rows).count("cublaslt") == product_count(case)


@on_gpu
def test_relu_keeps_nan(tmp_path):
    model, feed = product(*PRODUCTS[0])
    feed["a"][1, 1] = np.nan
    onnx.save(model, tmp_path / "model.onnx")
    compile_model(tmp_path / "model.onnx", tmp_path / "model.tar", ["--target", "cuda", "--enable-tactic", "cublaslt"])
    np.savez(tmp_path / "in.npz", **feed)
    run_artifact(tmp_path / "model.tar", tmp_path / "in.npz", tmp_path / "out.npz")
    got = np.load(tmp_path / "out.npz")["y"]
    assert np.isnan(got[1]).all() and not np.isnan(got[0]).any()


@on_gpu
def test_without_the_library_our_own_kernel_runs(tmp_path):
    model, feed = product(*PRODUCTS[0])
    onnx.save(model, tmp_path / "model.onnx")
    compile_model(tmp_path / "model.onnx", tmp_path / "model.tar", ["--target", "cuda", "--enable-tactic", "cublaslt"])
    np.savez(tmp_path / "in.npz", **feed)
    environment = {**os.environ, "INTAGLIO_CUBLASLT_PATH": str(tmp_path)}
    done = subprocess.run([INTAGLIO, "run", tmp_path / "model.tar", "--input", tmp_path / "in.npz", "--output", tmp_path / "out.npz"], env=environment, capture_output=True, text=True, check=True)
    assert "note: cuBLASLt is not used" in done.stderr
    got = np.load(tmp_path / "out.npz")["y"]
    expected = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)[0]
    assert np.abs(got - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.skipif(not has_nvrtc(), reason="NVRTC is not installed")
@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", PRODUCTS, ids=str)
def test_layers_name_what_the_library_may_compute(case, precision, tmp_path):
    model, _ = product(*case)
    onnx.save(model, tmp_path / "model.onnx")
    listed = []
    for options in ([], ["--enable-tactic", "cublaslt"]):
        compile_model(tmp_path / "model.onnx", tmp_path / "model.tar", ["--target", "cuda", "--precision", precision, *options])
        text = subprocess.run([INTAGLIO, "inspect", tmp_path / "model.tar", "--layers"], check=True, capture_output=True, text=True).stdout
        listed.append(text.count("or cublaslt"))
    assert listed == [0, product_count(case)]
