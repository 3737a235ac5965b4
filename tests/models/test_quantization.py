"""The trained ResNet-50 quantized after training: accuracy on the labelled images, what the report says, equal bytes twice."""
import re
import subprocess
import sys
import tarfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from intaglio_cli import INTAGLIO, ROOT, has_nvrtc, run_artifact, variants

MODEL = ROOT / "models/resnet50-cifar10.onnx"
sys.path.insert(0, str(ROOT / "scripts"))
import prepare_images  # noqa: E402

OPTIONS = variants("--cpu native")[0]
# Of 1,000 images; float32 has 904.
FLOAT_RIGHT = 904


@pytest.fixture(scope="module")
def data():
    archive = np.load(ROOT / "models/cifar10-1000.npz")
    return archive["test_images"], archive["test_labels"]


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Calibration files of 250 images and of the first 16 of them."""
    folder = tmp_path_factory.mktemp("samples")
    images = prepare_images.preprocess(np.load(ROOT / "models/cifar10-1000.npz")["calibration_images"])
    for count in (250, 16):
        np.savez(folder / f"{count}.npz", image=images[:count])
    return folder


def compile_quantized(model, artifact, *options):
    """What `compile` reports: a row for each contraction."""
    command = [INTAGLIO, "compile", model, *OPTIONS, *options, "-o", artifact, "--progress", "none"]
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout


def predictions(artifact, folder, images):
    classes = []
    for first in range(0, len(images), 25):
        np.save(folder / "in.npy", prepare_images.preprocess(images[first : first + 25]))
        run_artifact(artifact, folder / "in.npy", folder / "out.npz")
        classes.append(np.load(folder / "out.npz")["logits"].argmax(1))
    return np.concatenate(classes)


@pytest.fixture(scope="module")
def float_predictions(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("float")
    compile_quantized(MODEL, folder / "model.tar")
    return predictions(folder / "model.tar", folder, data[0][:200])


def errors_in_decibels(report):
    return [float(number) for number in re.findall(r"(-?[\d.]+) dB", report)]


def test_int8_loses_less_than_0_7_points(data, samples, tmp_path):
    report = compile_quantized(MODEL, tmp_path / "model.tar", "--quantize", "int8", "--calibrate", samples / "250.npz")
    assert "54 of 54 convolutions and matrix products are quantized; ranges over 250 samples; SQNR over 64" in report
    assert "multiplies 54 of them as they are stored" in report
    right = (predictions(tmp_path / "model.tar", tmp_path, data[0]) == data[1]).sum()
    assert right >= FLOAT_RIGHT - 7


# Of 200 images, how many must be seen as float32 sees them.
@pytest.mark.parametrize("precision, method, agreeing", [
    ("int8", "minmax", 192), ("int8", "percentile", 192), ("int8", "entropy", 190), ("fp8", "mse", 192), ("fp8", "minmax", 192), ("int4", "mse", 188)])
def test_predictions_agree_with_float32(precision, method, agreeing, data, samples, float_predictions, tmp_path):
    report = compile_quantized(MODEL, tmp_path / "model.tar", "--quantize", precision, "--calibrate", samples / "16.npz", "--calibrate-method", method)
    assert "54 of 54" in report
    decibels = errors_in_decibels(report)
    assert len(decibels) == 54 and decibels[-1] > 10
    # A CPU multiplies floats that were rounded to fp8, and says so.
    assert ("exact emulation in float" in report) == (precision == "fp8" and "cuda" not in OPTIONS)
    assert (predictions(tmp_path / "model.tar", tmp_path, data[0][:200]) == float_predictions).sum() >= agreeing


def test_the_rest_in_16_bit_floats_changes_little(data, samples, float_predictions, tmp_path):
    report = compile_quantized(MODEL, tmp_path / "model.tar", "--quantize", "int8", "--precision", "fp16", "--calibrate", samples / "16.npz")
    decibels = errors_in_decibels(report)
    assert len(decibels) == 54 and decibels[-1] > 10
    assert (predictions(tmp_path / "model.tar", tmp_path, data[0][:200]) == float_predictions).sum() >= 192


def test_equal_compiles_give_equal_bytes(samples, tmp_path):
    artifacts = [tmp_path / "a.tar", tmp_path / "b.tar"]
    reports = [compile_quantized(MODEL, path, "--quantize", "int8", "--calibrate", samples / "16.npz", "--calibrate-method", "entropy") for path in artifacts]
    assert reports[0] == reports[1]
    assert artifacts[0].read_bytes() == artifacts[1].read_bytes()


def test_weights_that_are_only_stored_in_int8_are_folded():
    graphs = [subprocess.run([INTAGLIO, "compile", MODEL, *OPTIONS, "--emit", stage], check=True, capture_output=True, text=True).stdout for stage in ("graph", "optimized")]
    assert graphs[0].count("dequantize(") >= 54
    assert "quantize" not in graphs[1]


def test_overridden_layers_stay_in_float_and_say_so(samples, tmp_path):
    report = compile_quantized(MODEL, tmp_path / "model.tar", "--quantize", "int8", "--calibrate", samples / "16.npz", "--layer-precision", "/layer4/*:fp32")
    rows = [line for line in report.splitlines() if "/layer4/" in line]
    assert len(rows) == 10
    assert all(row.startswith("fp32") and row.endswith("(--layer-precision)") for row in rows)
    assert "44 of 54" in report


def save_product(path, rows):
    """x[rows,1024] times constant weights, which are the answer."""
    weight = (np.random.default_rng(0).standard_normal((1024, 512)) / 32).astype(np.float32)
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"], name="product")]
    graph = helper.make_graph(nodes, "g", [value("x", [rows, 1024])], [value("y", [rows, 512])], [onnx.numpy_helper.from_array(weight, "w")])
    onnx.save(helper.make_model(graph), path)
    return weight


def compile_int4(path, artifact, *options):
    """The report, and the bytes of weights."""
    command = [INTAGLIO, "compile", path, *options, "--quantize", "int4", "-o", artifact]
    report = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    with tarfile.open(artifact) as tar:
        return report, tar.getmember("weights.bin").size


def product_of(artifact, x, tmp_path):
    np.save(tmp_path / "x.npy", x)
    run_artifact(artifact, tmp_path / "x.npy", tmp_path / "y.npz")
    return np.load(tmp_path / "y.npz")["y"]


@pytest.mark.skipif(not has_nvrtc(), reason="NVRTC, which compiles CUDA code, is not installed")
def test_products_of_few_rows_unpack_int4_themselves(tmp_path):
    weight = save_product(tmp_path / "m.onnx", 16)
    report, weights = compile_int4(tmp_path / "m.onnx", tmp_path / "m.tar", "--target", "cuda", "--precision", "fp16")
    assert "fp16 of int4" in report
    assert weights < weight.nbytes / 6
    if "cuda" in OPTIONS:
        x = np.random.default_rng(1).standard_normal((16, 1024)).astype(np.float32)
        error = product_of(tmp_path / "m.tar", x, tmp_path) - x @ weight
        # 4 bits for normally distributed weights: about 20 dB.
        assert 0.01 < np.square(error).mean() ** 0.5 < 0.15


# Rows that are known at run time may be few; with many the compiler unpacks.
@pytest.mark.skipif("cuda" in OPTIONS, reason="of CPUs")
@pytest.mark.parametrize("rows, unpacks", [(1, True), (16, True), ("rows", True), (17, False)])
@pytest.mark.parametrize("cpu", ["x86-64-v3", "native"])
def test_cpu_unpacks_int4_for_few_rows(rows, unpacks, cpu, tmp_path):
    weight = save_product(tmp_path / "m.onnx", rows)
    report, weights = compile_int4(tmp_path / "m.onnx", tmp_path / "m.tar", "--cpu", cpu)
    assert ("fp32 of int4" in report) == unpacks
    assert ("the compiler does" in report) != unpacks
    # An eighth, and a scale for each 32 weights.
    assert weights < weight.nbytes / 6 if unpacks else weights >= weight.nbytes
    _, unpacked_weights = compile_int4(tmp_path / "m.onnx", tmp_path / "floats.tar", "--cpu", cpu, "--disable-tactic", "tiled")
    assert unpacked_weights >= weight.nbytes
    x = np.random.default_rng(1).standard_normal((5 if rows == "rows" else rows, 1024)).astype(np.float32)
    got, expected = product_of(tmp_path / "m.tar", x, tmp_path), product_of(tmp_path / "floats.tar", x, tmp_path)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * np.abs(expected).max())
    assert 0.01 < np.square(got - x @ weight).mean() ** 0.5 < 0.15


def save_scaled_product(path):
    """x[N,8] times constant weights, times a scalar input, times weights that are an input."""
    weight = np.random.default_rng(0).standard_normal((8, 8)).astype(np.float32)
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["a"], "product"), helper.make_node("Mul", ["a", "factor"], ["b"], "scale"), helper.make_node("MatMul", ["b", "v"], ["y"], "given")]
    inputs = [value("factor", []), value("v", [8, 4]), value("x", ["N", 8])]
    onnx.save(helper.make_model(helper.make_graph(nodes, "g", inputs, [value("y", None)], [onnx.numpy_helper.from_array(weight, "w")])), path)


def test_inputs_without_samples_are_the_same_for_all(tmp_path):
    random = np.random.default_rng(1)
    save_scaled_product(tmp_path / "model.onnx")
    samples = {"x": random.standard_normal((40, 8)).astype(np.float32), "factor": np.float32(3), "v": random.standard_normal((8, 4)).astype(np.float32)}
    np.savez(tmp_path / "samples.npz", **samples)
    report = compile_quantized(tmp_path / "model.onnx", tmp_path / "model.tar", "--quantize", "int8", "--calibrate", tmp_path / "samples.npz")
    assert "1 of 2 convolutions and matrix products are quantized; ranges over 40 samples; SQNR over 40" in report
    assert min(errors_in_decibels(report)) > 30


def test_activations_without_elements_need_no_range(tmp_path):
    value = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    empty = onnx.numpy_helper.from_array(np.zeros((0, 4), np.float32), "w")
    onnx.save(helper.make_model(helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"], "product")], "g", [value("x", ["N", 0])], [value("y", ["N", 4])], [empty])), tmp_path / "model.onnx")
    np.savez(tmp_path / "samples.npz", x=np.zeros((3, 0), np.float32))
    report = compile_quantized(tmp_path / "model.onnx", tmp_path / "model.tar", "--quantize", "int8", "--calibrate", tmp_path / "samples.npz")
    assert "ranges over 3 samples" in report


def test_samples_that_are_not_finite_are_told_of(tmp_path):
    random = np.random.default_rng(1)
    save_scaled_product(tmp_path / "model.onnx")
    x = random.standard_normal((40, 8)).astype(np.float32)
    x[3] = np.nan
    np.savez(tmp_path / "samples.npz", x=x, factor=np.float32(0), v=np.zeros((8, 4), np.float32))
    report = compile_quantized(tmp_path / "model.onnx", tmp_path / "model.tar", "--quantize", "int8", "--calibrate", tmp_path / "samples.npz")
    assert "infinity or NaN in 1 of the observed activations was left out" in report
    # The second result is zero whatever is quantized: no error, and no signal either.
    assert report.splitlines()[2].split()[:2] == ["fp32", "-"]


def test_report_names_what_is_not_quantized(tmp_path):
    random = np.random.default_rng(0)

    def constant(name, shape):
        return onnx.numpy_helper.from_array(random.standard_normal(shape).astype(np.float32), name)

    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], "dense"),
        helper.make_node("Conv", ["a", "d"], ["b"], "depthwise", group=8),
        helper.make_node("Transpose", ["b"], ["t"], "transpose", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["b", "t"], ["y"], "product"),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 4, 8, 8])], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [constant("w", (8, 4, 1, 1)), constant("d", (8, 1, 3, 3))])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), tmp_path / "model.onnx")
    np.savez(tmp_path / "samples.npz", x=random.standard_normal((4, 4, 8, 8)).astype(np.float32))
    report = compile_quantized(tmp_path / "model.onnx", tmp_path / "model.tar", "--quantize", "int8", "--calibrate", tmp_path / "samples.npz")
    dense, depthwise, product = report.splitlines()[1:4]
    assert dense.startswith("int8") and dense.endswith("  dense")
    assert depthwise.startswith("fp32") and depthwise.endswith("  depthwise  (depthwise: a sum of a few products gains nothing from fewer bits)")
    assert product.startswith("fp32") and product.endswith("  product  (both sides are computed)")
