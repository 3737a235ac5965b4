"""ONNX's own cases of the operators of quantization, and of casts to and from 8-bit floats, which its Python package makes."""
import fnmatch
import warnings

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.backend.test.case.node import collect_testcases
from onnx.numpy_helper import to_array

from intaglio_cli import compile_model, run_artifact, variants

OPERATORS = ["QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "Cast"]
CASTS = ["test_cast_*FLOAT8E4M3FN", "test_cast_FLOAT8E4M3FN_*", "test_cast_*FLOAT8E5M2", "test_cast_FLOAT8E5M2_*"]
OPTIONS = variants("--cpu native")[0]

# Inputs and outputs have at least eight bits; the fnuz floats, f4e2m1 and f8e8m0 have no generated code; neither do casts that do not saturate.
REFUSED_TYPES = [
    TensorProto.DataType.Value(name)
    for name in ("STRING", "INT4", "UINT4", "INT2", "UINT2", "FLOAT4E2M1", "FLOAT8E4M3FNUZ", "FLOAT8E5M2FNUZ", "FLOAT8E8M0")
    if name in TensorProto.DataType.keys()
]


def is_chosen(case):
    graph = case.model.graph
    types = [value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)]
    if any(t in REFUSED_TYPES for t in types) or "no_saturate" in case.name:
        return False
    return graph.node[0].op_type != "Cast" or any(fnmatch.fnmatch(case.name, pattern) for pattern in CASTS)


def cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = collect_testcases(None)
    found = [case for case in found if len(case.model.graph.node) == 1 and case.model.graph.node[0].op_type in OPERATORS]
    return sorted(filter(is_chosen, found), key=lambda case: case.name)


CASES = cases()


def array_of(data):
    return to_array(data) if isinstance(data, TensorProto) else np.asarray(data)


def widened(array):
    """8-bit floats, which files hold as bytes, as real numbers."""
    return array.astype(np.float64) if array.dtype.kind not in "iub" else array


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_node(case, tmp_path):
    onnx.save(case.model, tmp_path / "model.onnx")
    compile_model(tmp_path / "model.onnx", tmp_path / "model.tar", OPTIONS)
    inputs, outputs = case.data_sets[0]
    np.savez(tmp_path / "in.npz", **{value.name: array_of(data) for value, data in zip(case.model.graph.input, inputs)})
    run_artifact(tmp_path / "model.tar", tmp_path / "in.npz", tmp_path / "out.npz")
    got = np.load(tmp_path / "out.npz")
    for value, expected in zip(case.model.graph.output, outputs):
        ours, expected = got[value.name], array_of(expected)
        assert ours.shape == expected.shape
        if ours.dtype.kind == "V":
            ours = ours.view(expected.dtype)
        np.testing.assert_allclose(widened(ours), widened(expected), rtol=1e-6)


def test_cases_were_found():
    assert len(CASES) >= 40
