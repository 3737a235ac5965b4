"""Models whose weights are stored in blocks of 4-bit integers (opset 21), against ONNX Runtime: whoever unpacks them, the meaning is the same."""
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from intaglio_cli import compile_model, run_artifact, variants

OPTIONS = variants("--cpu x86-64-v3", "--cpu native")
RANDOM = np.random.default_rng(0)


def stored(shape, name, dtype=TensorProto.INT4):
    low, high = (-8, 8) if dtype == TensorProto.INT4 else (0, 16)
    return helper.make_tensor(name, dtype, shape, RANDOM.integers(low, high, shape).ravel())


def floats(shape, name):
    return onnx.numpy_helper.from_array(RANDOM.uniform(0.01, 0.03, shape).astype(np.float32), name)


def save(path, x, y, nodes, constants):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [value("x", x)], [value("y", y)], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)


def product(path, rows, depth, columns, block=32, axis=0, dtype=TensorProto.INT4, zero_points=False, epilogue=True):
    scale_shape = [-(-extent // block) if block and d == axis else extent for d, extent in enumerate((depth, columns))]
    if not block:
        scale_shape = [(depth, columns)[axis]]
    constants = [stored((depth, columns), "w", dtype), floats(scale_shape, "s"), floats((columns,), "b")]
    operands = ["w", "s"]
    if zero_points:
        constants.append(stored(scale_shape, "z", dtype))
        operands.append("z")
    attributes = {"axis": axis, **({"block_size": block} if block else {})}
    nodes = [helper.make_node("DequantizeLinear", operands, ["d"], **attributes), helper.make_node("MatMul", ["x", "d"], ["p"]),
             helper.make_node("Add", ["p", "b"], ["q"]), helper.make_node("Relu", ["q"], ["y"])]
    save(path, [rows, depth], [rows, columns], nodes, constants)


def convolution(path, images, channels, filters, taps, extent):
    constants = [stored((filters, channels, taps, taps), "w"), floats((filters, -(-channels // 32), taps, taps), "s"), floats((filters,), "b")]
    nodes = [helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=1, block_size=32),
             helper.make_node("Conv", ["x", "d", "b"], ["y"], pads=[taps // 2] * 4)]
    save(path, [images, channels, extent, extent], [images, filters, extent, extent], nodes, constants)


def expect_ort_agrees(path, x, options, tmp_path):
    compile_model(path, tmp_path / "model.tar", options)
    np.savez(tmp_path / "in.npz", x=x)
    run_artifact(tmp_path / "model.tar", tmp_path / "in.npz", tmp_path / "out.npz")
    # Optimized, it would round activations to 8 bits.
    plain = onnxruntime.SessionOptions()
    plain.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    expected = onnxruntime.InferenceSession(path, plain, providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]
    got = np.load(tmp_path / "out.npz")["y"]
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=2e-6 * np.abs(expected).max())


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("rows, arguments", [
    (1, {}), (7, {}), (16, {"depth": 2100}), (100, {}),                                           # few rows, and many
    (3, {"block": 16}), (3, {"block": 128}), (3, {"block": 0, "axis": 1}),                        # scales in panels
    (3, {"zero_points": True}), (3, {"dtype": TensorProto.UINT4, "zero_points": True}),           # zero points
    (3, {"block": 10}), (3, {"axis": 1, "block": 16}), (3, {"block": 0, "axis": 0})],             # scales that panels do not hold
    ids=str)
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
def test_product(rows, arguments, symbolic, options, tmp_path):
    sizes = {"depth": 331, "columns": 75, **arguments}
    product(tmp_path / "model.onnx", "rows" if symbolic else rows, **sizes)
    x = RANDOM.standard_normal((rows, sizes["depth"])).astype(np.float32)
    expect_ort_agrees(tmp_path / "model.onnx", x, options, tmp_path)


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize("images, channels, filters, taps, extent", [(1, 64, 40, 1, 4), (1, 72, 33, 3, 3), ("images", 40, 24, 3, 2), (2, 32, 16, 3, 9)])
def test_convolution(images, channels, filters, taps, extent, options, tmp_path):
    convolution(tmp_path / "model.onnx", images, channels, filters, taps, extent)
    x = RANDOM.standard_normal((2 if images == "images" else images, channels, extent, extent)).astype(np.float32)
    expect_ort_agrees(tmp_path / "model.onnx", x, options, tmp_path)
