"""Small models that bring their own quantization, in types that only some of them use, against ONNX Runtime with its optimizations off."""
import subprocess

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from intaglio_cli import INTAGLIO, compile_model, run_artifact, variants

VARIANTS = variants("--cpu native", "--cpu native -O0")


def float_constant(name, shape, random):
    return numpy_helper.from_array((random.standard_normal(shape) * 0.2).astype(np.float32), name)


def residual_model(storage, random):
    """Two convolutions and a residual addition, each result quantized per tensor; opset 21."""
    nodes, constants = [], [numpy_helper.from_array(np.float32(0.13), "scale"), helper.make_tensor("zero", storage, [], [1])]

    def quantized(name):
        nodes.append(helper.make_node("QuantizeLinear", [name, "scale", "zero"], [name + "_q"]))
        nodes.append(helper.make_node("DequantizeLinear", [name + "_q", "scale", "zero"], [name + "_dq"]))
        return name + "_dq"

    constants += [float_constant("w1", (8, 4, 3, 3), random), float_constant("w2", (8, 8, 1, 1), random)]
    nodes.append(helper.make_node("Conv", [quantized("x"), "w1"], ["a"], "first"))
    a = quantized("a")
    nodes.append(helper.make_node("Conv", [a, "w2"], ["b"], "second"))
    nodes.append(helper.make_node("Add", ["b", a], ["sum"], "residual"))
    y = quantized("sum")
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, 8, 8])], [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
@pytest.mark.parametrize("storage", ["INT4", "UINT4", "INT16", "UINT16", "FLOAT8E5M2"])
def test_activations_of_rare_types(storage, options, tmp_path):
    random = np.random.default_rng(1)
    dtype = TensorProto.DataType.Value(storage)
    model = residual_model(dtype, random)
    if storage.startswith("FLOAT8"):
        model.graph.initializer[1].CopyFrom(helper.make_tensor("zero", dtype, [], [0]))
    onnx.save(model, tmp_path / "model.onnx")
    x = random.standard_normal((2, 4, 8, 8)).astype(np.float32)
    compile_model(tmp_path / "model.onnx", tmp_path / "model.tar", options)
    np.save(tmp_path / "x.npy", x)
    run_artifact(tmp_path / "model.tar", tmp_path / "x.npy", tmp_path / "y.npz")
    session_options = onnxruntime.SessionOptions()
    session_options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), session_options, providers=["CPUExecutionProvider"])
    expected = session.run(None, {"x": x})[0]
    np.testing.assert_allclose(np.load(tmp_path / "y.npz")[session.get_outputs()[0].name], expected, rtol=1e-6)


@pytest.mark.parametrize("inside, outside, message", [
    ("INT4", "INT4", "output 'q': i4 is not supported for inputs and outputs yet"), ("FLOAT8E4M3FNUZ", "FLOAT", "f8e4m3fnuz has no generated code")])
def test_types_without_code_are_refused(inside, outside, message, tmp_path):
    types = {name: TensorProto.DataType.Value(name) for name in (inside, outside)}
    nodes = [helper.make_node("Cast", ["x"], ["q"], to=types[inside]), helper.make_node("Cast", ["q"], ["y"], to=TensorProto.FLOAT)]
    output = "q" if inside == outside else "y"
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3])], [helper.make_tensor_value_info(output, types[outside], [3])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp_path / "model.onnx")
    for options in VARIANTS:
        done = subprocess.run([INTAGLIO, "compile", tmp_path / "model.onnx", *options, "-o", tmp_path / "model.tar"], capture_output=True, text=True)
        assert done.returncode == 3 and message in done.stderr, done.stderr
        assert not (tmp_path / "model.tar").exists()
