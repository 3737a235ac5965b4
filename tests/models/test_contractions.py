"""Convolutions and matrix products over a sweep of shapes, each compiled at two levels and in checked mode, and compared with ONNX Runtime."""
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from intaglio_cli import compile_model, run_artifact, variants

# channels, filters, group, kernel, stride, pad, dilation, height, width
CONVOLUTIONS = [
    (3, 32, 1, 3, 2, 1, 1, 17, 23),
    (16, 24, 1, 1, 1, 0, 1, 7, 7),
    (32, 10, 1, 3, 1, 1, 1, 14, 14),
    (64, 48, 1, 1, 2, 0, 1, 15, 9),
    (1024, 33, 1, 1, 1, 0, 1, 7, 7),
    (8, 16, 1, 5, 1, 2, 2, 12, 31),
    (24, 24, 24, 3, 1, 1, 1, 9, 20),
    (40, 40, 40, 5, 2, 2, 1, 13, 6),
    (12, 24, 3, 3, 1, 0, 1, 8, 8),
    (17, 17, 17, 3, 1, 2, 2, 5, 5),
]

# shapes of both factors; the second is constant where the flag says so
PRODUCTS = [
    ((1, 2048), (2048, 10), True),
    ((197, 1, 64), (64, 96), True),
    ((5, 33), (33, 47), True),
    ((2, 3, 19, 8), (2, 3, 8, 21), False),
    ((128, 3072), (3072, 40), True),
    ((4, 1, 6), (4, 6, 1), False),
    ((130, 17), (17, 16), False),
]


# The machine's own instructions; those of every machine since 2013; with every access checked; the same in 16-bit floats.
VARIANTS = variants("--cpu native", "--cpu x86-64-v3", "--checked", "--checked --precision fp16", "--precision bf16", "--cpu x86-64-v3 --precision bf16")
# Of the largest value: a few roundings.
TOLERANCES = {"tf32": 2e-3, "fp16": 2e-3, "bf16": 1.6e-2}


def check(graph, feed, folder, options):
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, folder / "model.onnx")
    artifact = folder / "model.tar"
    compile_model(folder / "model.onnx", artifact, options)
    np.savez(folder / "in.npz", **feed)
    run_artifact(artifact, folder / "in.npz", folder / "out.npz")
    got = np.load(folder / "out.npz")["y"]
    expected = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feed)[0]
    assert got.shape == expected.shape
    assert np.abs(got - expected).max() <= TOLERANCES.get(options[-1], 1e-5) * max(1, np.abs(expected).max())


@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
def test_convolution_with_bias_residual_and_relu(case, options, tmp_path):
    channels, filters, group, kernel, stride, pad, dilation, height, width = case
    random = np.random.default_rng(0)
    weight = random.standard_normal((filters, channels // group, kernel, kernel)).astype(np.float32)
    bias = random.standard_normal(filters).astype(np.float32)
    out_height, out_width = [(extent + 2 * pad - dilation * (kernel - 1) - 1) // stride + 1 for extent in (height, width)]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w", "b"], ["c"], kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[pad] * 4, dilations=[dilation] * 2, group=group),
            helper.make_node("Add", ["c", "residual"], ["s"]),
            helper.make_node("Relu", ["s"], ["y"]),
        ],
        "convolution",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", channels, height, width]),
            helper.make_tensor_value_info("residual", TensorProto.FLOAT, ["N", filters, out_height, out_width]),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(weight, "w"), onnx.numpy_helper.from_array(bias, "b")],
    )
    feed = {
        "x": random.standard_normal((2, channels, height, width)).astype(np.float32),
        "residual": random.standard_normal((2, filters, out_height, out_width)).astype(np.float32),
    }
    check(graph, feed, tmp_path, options)


@pytest.mark.parametrize("options", VARIANTS, ids=" ".join)
@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("case", PRODUCTS, ids=str)
def test_product(case, symbolic, options, tmp_path):
    a_shape, b_shape, constant = case
    random = np.random.default_rng(0)
    feed = {"a": random.standard_normal(a_shape).astype(np.float32)}
    b = random.standard_normal(b_shape).astype(np.float32)
    declared = [*a_shape[:-2], "M" if symbolic else a_shape[-2], a_shape[-1]]
    inputs = [helper.make_tensor_value_info("a", TensorProto.FLOAT, declared)]
    if not constant:
        feed["b"] = b
        inputs.append(helper.make_tensor_value_info("b", TensorProto.FLOAT, [*b_shape[:-1], "L"] if symbolic else list(b_shape)))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["a", "b"], ["y"])],
        "product",
        inputs,
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [onnx.numpy_helper.from_array(b, "b")] if constant else [],
    )
    check(graph, feed, tmp_path, options)
