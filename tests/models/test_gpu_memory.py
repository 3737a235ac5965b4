"""A context on a GPU through the C interface: thousands of runs take no more memory than the first. Skipped without a GPU."""
import ctypes
import os
import pathlib
import resource

import numpy as np
import pytest

from intaglio_cli import INTAGLIO, ROOT, compile_model

FLOAT, MAX_RANK = 1, 16


def cuda_driver():
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    count = ctypes.c_int()
    return driver if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 and count.value > 0 else None


DRIVER = cuda_driver()
pytestmark = pytest.mark.skipif(DRIVER is None, reason="this machine has no NVIDIA GPU")


class Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("dtype", ctypes.c_int32), ("rank", ctypes.c_int32), ("shape", ctypes.c_int64 * MAX_RANK), ("strides", ctypes.c_void_p)]


def tensor(array):
    return Tensor(array.ctypes.data, FLOAT, array.ndim, (ctypes.c_int64 * MAX_RANK)(*array.shape), None)


def runtime():
    library = os.environ.get("INTAGLIO_RUNTIME")
    folder = pathlib.Path(INTAGLIO).resolve().parent.parent / "lib"
    return ctypes.CDLL(library or str(folder / "libintaglio_runtime.so"))


def used_bytes():
    """Of the device, and the most that this process has had of the host's."""
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    context = ctypes.c_void_p()
    assert DRIVER.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0) == 0
    assert DRIVER.cuCtxPushCurrent_v2(context) == 0
    assert DRIVER.cuMemGetInfo_v2(ctypes.byref(free), ctypes.byref(total)) == 0
    DRIVER.cuCtxPopCurrent_v2(ctypes.byref(context))
    DRIVER.cuDevicePrimaryCtxRelease_v2(0)
    return total.value - free.value, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_thousand_runs_keep_memory_flat(tmp_path):
    artifact = tmp_path / "model.tar"
    compile_model(ROOT / "models/resnet50-cifar10.onnx", artifact, ["--target", "cuda"])
    library, model, context = runtime(), ctypes.c_void_p(), ctypes.c_void_p()
    assert library.intaglio_load(str(artifact).encode(), ctypes.byref(model)) == 0
    assert library.intaglio_context_create(model, 1, ctypes.byref(context)) == 0
    random = np.random.default_rng(0)
    batches = [random.standard_normal((batch, 3, 224, 224)).astype(np.float32) for batch in (32, 1, 4)]
    results = {}

    def run(images):
        given, out = tensor(images), Tensor()
        assert library.intaglio_bind(context, ctypes.byref(given), 1) == 0
        assert library.intaglio_run(context, ctypes.byref(out), 1) == 0
        logits = np.ctypeslib.as_array(ctypes.cast(out.data, ctypes.POINTER(ctypes.c_float)), (len(images), 10)).copy()
        np.testing.assert_array_equal(logits, results.setdefault(len(images), logits))

    for _ in range(5):
        for images in batches:
            run(images)
    device, host = used_bytes()
    for i in range(1000):
        run(batches[1 + i % 2])
    device_after, host_after = used_bytes()
    library.intaglio_context_free(context)
    library.intaglio_free(model)
    assert device_after == device
    assert host_after - host < 4 << 20
