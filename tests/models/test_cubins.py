"""Every family of CUDA kernels, compiled for both variants without a GPU: tensor cores where they belong, no registers spilled to local memory."""
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from cubin import EARLY_READ, LOCAL_MEMORY, TENSOR_CORE, find_ptxas, kernels_of
from intaglio_cli import compile_model, has_nvrtc


def constant(name, *shape):
    return numpy_helper.from_array(np.random.default_rng(len(name)).standard_normal(shape).astype(np.float32), name)


def model(nodes, inputs, output, constants=()):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "g", [value(name, shape) for name, shape in inputs.items()], [value("y", output)], initializer=list(constants))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def convolution(channels, kernel=3, group=1, filters=64, batch=8, residual=True):
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[kernel // 2] * 4, group=group)]
    inputs = {"x": [batch, channels, 28, 28]}
    if residual:
        nodes.append(helper.make_node("Add", ["c", "r"], ["s"]))
        inputs["r"] = [batch, filters, 28, 28]
    nodes.append(helper.make_node("Relu", ["s" if residual else "c"], ["y"]))
    return model(nodes, inputs, [batch, filters, 28, 28], [constant("w", filters, channels // group, kernel, kernel), constant("b", filters)])


def quantized_convolution():
    scalar = lambda name, value, dtype: numpy_helper.from_array(np.array(value, dtype), name)
    weight = numpy_helper.from_array(np.random.default_rng(0).integers(-127, 127, (64, 64, 3, 3)).astype(np.int8), "w")
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "sx", "zx"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "sx", "zx"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["dw"]),
        helper.make_node("Conv", ["d", "dw"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("QuantizeLinear", ["c", "sy", "zx"], ["qy"]),
        helper.make_node("DequantizeLinear", ["qy", "sy", "zx"], ["y"]),
    ]
    scales = [scalar("sx", 0.02, np.float32), scalar("sw", 0.01, np.float32), scalar("sy", 0.5, np.float32), scalar("zx", 0, np.uint8), scalar("zw", 0, np.int8)]
    return model(nodes, {"x": [8, 64, 28, 28]}, [8, 64, 28, 28], [weight, *scales])


def product(constant_right):
    nodes = [helper.make_node("MatMul", ["a", "w"], ["p"]), helper.make_node("Add", ["p", "b"], ["y"])]
    inputs = {"a": [256, 512]} if constant_right else {"a": [256, 512], "w": [512, 384]}
    return model(nodes, inputs, [256, 384], [constant("b", 384), *([constant("w", 512, 384)] if constant_right else [])])


def long_products(rows):
    """The sums of the first are rounded and stored as they are."""
    nodes = [helper.make_node("MatMul", ["a", "w"], ["p"]), helper.make_node("MatMul", ["p", "v"], ["y"])]
    return model(nodes, {"a": [rows, 832]}, [rows, 64], [constant("w", 832, 3072), constant("v", 3072, 64)])


def product_of_few_rows():
    nodes = [helper.make_node("MatMul", ["a", "w"], ["p"]), helper.make_node("Relu", ["p"], ["y"])]
    return model(nodes, {"a": [40, 1024]}, [40, 192], [constant("w", 1024, 192)])


def attention():
    nodes = [
        helper.make_node("MatMul", ["q", "k"], ["s"]),
        helper.make_node("Mul", ["s", "f"], ["t"]),
        helper.make_node("Softmax", ["t"], ["p"], axis=-1),
        helper.make_node("MatMul", ["p", "v"], ["y"]),
    ]
    factor = numpy_helper.from_array(np.array(0.125, np.float32), "f")
    return model(nodes, {"q": [2, 4, 128, 64], "k": [2, 4, 64, 128], "v": [2, 4, 128, 64]}, [2, 4, 128, 64], [factor])


def rows():
    """Softmax, a reduction, pooling, elementwise arithmetic and a transpose."""
    nodes = [
        helper.make_node("MaxPool", ["x"], ["m"], kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
        helper.make_node("Erf", ["m"], ["e"]),
        helper.make_node("Transpose", ["e"], ["t"], perm=[0, 2, 3, 1]),
        helper.make_node("Softmax", ["t"], ["s"], axis=-1),
        helper.make_node("ReduceMean", ["s"], ["y"], axes=[1, 2], keepdims=0),
    ]
    return model(nodes, {"x": [2, 96, 28, 28]}, [2, 96])


# Name: model, options, what the contractions are multiplied with on Hopper and on any GPU; nothing: plain arithmetic.
FAMILIES = {
    "convolution fp16": (convolution(64), "--precision fp16", "HGMMA", "HMMA"),
    "convolution bf16": (convolution(64), "--precision bf16", "HGMMA", "HMMA"),
    "convolution of colours": (convolution(3, kernel=7), "--precision fp16", "HGMMA", "HMMA"),
    "convolution of groups": (convolution(128, group=2), "--precision fp16", "HGMMA", "HMMA"),
    "depthwise convolution": (convolution(64, group=64, residual=False), "--precision fp16", None, None),
    "convolution tf32": (convolution(64), "--precision tf32", "HMMA", "HMMA"),
    "convolution fp32": (convolution(64), "--precision fp32", None, None),
    "convolution int8": (quantized_convolution(), "--precision fp32", "IGMMA", "IMMA"),
    "product fp16": (product(True), "--precision fp16", "HGMMA", "HMMA"),
    "product of arguments fp16": (product(False), "--precision fp16", "HGMMA", "HMMA"),
    **{f"long products of {rows} rows": (long_products(rows), "--precision fp16", "HGMMA", "HMMA") for rows in (64, 1024, 16384)},
    **{f"product of int4 {precision}": (product_of_few_rows(), f"--precision {precision} --quantize int4", "HMMA", "HMMA") for precision in ("fp16", "bf16", "tf32")},
    "product tf32": (product(True), "--precision tf32", "HMMA", "HMMA"),
    "attention fp16": (attention(), "--precision fp16", "HMMA", "HMMA"),
    "rows fp16": (rows(), "--precision fp16", None, None),
    "rows fp32": (rows(), "--precision fp32", None, None),
}
VARIANTS = ("cuda-sm_90a", "cuda-ptx")


@pytest.fixture(scope="module")
def nvrtc():
    if not has_nvrtc():
        pytest.skip("NVRTC, which compiles CUDA code, is not installed")


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("family", FAMILIES)
def test_instructions(nvrtc, family, variant, tmp_path):
    if variant == "cuda-ptx" and not find_ptxas():
        pytest.skip("ptxas, which assembles PTX, is not installed")
    graph, options, *expected = FAMILIES[family]
    onnx.save(graph, tmp_path / "model.onnx")
    compile_model(tmp_path / "model.onnx", tmp_path / "model.tar", ["--target", "cuda", "--arch", variant.removeprefix("cuda-"), *options.split()])
    kernels = kernels_of(tmp_path / "model.tar", variant, tmp_path)
    assert kernels
    for name, instructions in kernels.items():
        assert not instructions & set(LOCAL_MEMORY.values()), f"{name} uses local memory"
        assert EARLY_READ not in instructions, f"{name} reads sums before the tensor cores are done"
    used = set().union(*kernels.values()) & set(TENSOR_CORE.values())
    wanted = expected[VARIANTS.index(variant)]
    assert used == ({wanted} if wanted else set()), kernels
